"""The same work as a plain micro-batch loop: what a good engineer writes in an afternoon."""

from pathlib import Path
from typing import Any

import confluent_kafka as ck

from bench.programs import taxi
from bench.programs.job import job, stopped


def main() -> None:
    """Predict until told to stop; exactly once."""
    told, stop = job(), stopped()
    trips = taxi.Avro(told["event_schema"], int(told["event_id"]))
    written = taxi.Avro(told["prediction_schema"], int(told["prediction_id"]))
    zones, model = taxi.Zones(Path(told["zones"])), taxi.onnx(Path(told["onnx"]))
    predictions = taxi.Predictions(told["version"], zones)
    client = {"bootstrap.servers": told["bootstrap"]}
    consumer = ck.Consumer(
        {
            **client,
            "group.id": told["group"],
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 10_485_760,
        }
    )
    producer = ck.Producer(
        {
            **client,
            "transactional.id": told["group"],
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions()
    consumer.subscribe([told["input"]])
    while not stop.is_set():
        messages: list[Any] = consumer.consume(int(told["batch"]), 0.1)
        if not messages:
            continue
        events = [trips.decode(message.value()) for message in messages]
        given = [taxi.features(event, zones) for event in events]
        (answers,) = model.run(None, taxi.columns(given))
        producer.begin_transaction()
        for message, event, row, answer in zip(
            messages, events, given, answers.tolist(), strict=True
        ):
            place = message.partition(), message.offset()
            value = written.encode(predictions.record(event, row, answer, place))
            producer.produce(told["output"], key=event["uuid"], value=value)
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
    consumer.close()


if __name__ == "__main__":
    main()
