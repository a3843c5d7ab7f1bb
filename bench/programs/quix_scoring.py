"""Quix Streams: predictions joined with the outcomes that follow them within the wait.

Runs in the environment of requirements/bench.txt, as `bench.programs.quix_serving` does.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from bench.programs import taxi
from bench.programs.job import job
from bench.programs.quix_serving import application

WAIT: Final = timedelta(hours=3)
GRACE: Final = timedelta(hours=4)
MICROS_PER_MINUTE: Final = 60e6
SHORTEST, LONGEST = 1.0, 180.0
COPIED: Final = ("uuid", "version", "role", "event_time", "prediction", "segment", "features")

Record = dict[str, Any]


def scored(prediction: Record, outcome: Record) -> Record | None:
    """The scored prediction; None where the outcome does not count."""
    minutes = (outcome["dropoff_at"] - prediction["event_time"]) / MICROS_PER_MINUTE
    if not SHORTEST <= minutes <= LONGEST:
        return None
    return {
        **{name: prediction[name] for name in COPIED},
        "outcome_time": outcome["dropoff_at"],
        "outcome": minutes,
        "error": prediction["prediction"] - minutes,
    }


def main() -> None:
    """Join until told to stop. Instants are plain numbers: the state's store keeps JSON."""
    told = job()
    app = application(told)
    coders = {
        name: taxi.Avro(taxi.plain(told[f"{name}_schema"]), int(told[f"{name}_id"]))
        for name in ("prediction", "outcome", "scored")
    }

    def stream(topic: str, coder: taxi.Avro, time: str) -> Any:
        def at(value: bytes, *_: object) -> int:
            return int(coder.decode(value)[time] // 1000)

        found = app.topic(
            topic, key_deserializer="bytes", value_deserializer="bytes", timestamp_extractor=at
        )
        decode: Callable[[bytes], Record] = coder.decode
        return app.dataframe(found).apply(decode)

    predictions = stream(told["predictions"], coders["prediction"], "event_time")
    outcomes = stream(told["outcomes"], coders["outcome"], "dropoff_at")
    joined = predictions.join_interval(
        outcomes, how="inner", on_merge=scored, grace_ms=GRACE, backward_ms=0, forward_ms=WAIT
    )
    written = app.topic(told["output"], key_serializer="bytes", value_serializer="bytes")
    joined.filter(lambda each: each is not None).apply(coders["scored"].encode).to_topic(written)
    app.run()


if __name__ == "__main__":
    main()
