"""Quix Streams: a prediction a record, with ONNX Runtime or TensorFlow.

Runs in the environment of requirements/bench.txt: Quix Streams pins an older confluent-kafka.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from quixstreams import Application, message_context

from bench.programs import taxi
from bench.programs.job import job

Model = Callable[[taxi.Features], float]


def onnx(path: Path) -> Model:
    """Call ONNX Runtime for one record."""
    session = taxi.onnx(path)
    return lambda row: float(session.run(None, taxi.columns([row]))[0][0])


def savedmodel(path: Path) -> Model:
    """Call the SavedModel's signature for one record."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    (label,) = signature.structured_outputs

    def predict(row: taxi.Features) -> float:
        inputs = {name: tf.constant(each) for name, each in taxi.columns([row]).items()}
        return float(signature(**inputs)[label][0])

    # The signature lives as long as what it was loaded from.
    predict.loaded = loaded  # type: ignore[attr-defined]
    return predict


def application(told: Mapping[str, str]) -> Application:
    """An application that commits often enough to be watched, and fetches as others do."""
    return Application(
        broker_address=told["bootstrap"],
        consumer_group=told["group"],
        auto_offset_reset="earliest",
        commit_interval=float(told["commit_interval_s"]),
        processing_guarantee=told["guarantee"].replace("_", "-"),
        state_dir=told["state"],
        loglevel="WARNING",
        consumer_extra_config={"fetch.message.max.bytes": 10_485_760},
        producer_extra_config={
            "linger.ms": int(told["linger_ms"]),
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
        },
    )


def main() -> None:
    """Predict until told to stop."""
    told = job()
    model = {"onnx": onnx, "savedmodel": savedmodel}[told["flavour"]](Path(told[told["flavour"]]))
    trips = taxi.Avro(told["event_schema"], int(told["event_id"]))
    written = taxi.Avro(told["prediction_schema"], int(told["prediction_id"]))
    zones = taxi.Zones(Path(told["zones"]))
    predictions = taxi.Predictions(told["version"], zones)

    def predict(value: bytes) -> bytes:
        trip = trips.decode(value)
        given = taxi.features(trip, zones)
        read: Any = message_context()
        record = predictions.record(trip, given, model(given), (read.partition, read.offset))
        return written.encode(record)

    app = application(told)
    events, answers = (
        app.topic(
            told[name],
            key_deserializer="bytes",
            key_serializer="bytes",
            value_deserializer="bytes",
            value_serializer="bytes",
        )
        for name in ("input", "output")
    )
    app.dataframe(events).apply(predict).to_topic(answers)
    app.run()


if __name__ == "__main__":
    main()
