"""Writes bytes as they are, good or bad: what a client does that knows nothing of edml."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import confluent_kafka as ck

from edml.errors import LogError

TIMEOUT_S: Final = 15.0


def write_raw(
    client: Mapping[str, Any], topic: str, records: Iterable[tuple[bytes, bytes | None]]
) -> None:
    """Append keys with their values; they are durable when this returns.

    Raises `LogError` when the log does not take them.
    """
    producer = ck.Producer({**client, "partitioner": "murmur2_random"})
    refused: list[ck.KafkaError] = []

    def on_delivery(error: ck.KafkaError | None, message: ck.Message) -> None:
        del message
        if error is not None:
            refused.append(error)

    for key, value in records:
        producer.produce(topic, key=key, value=value, on_delivery=on_delivery)
    left = producer.flush(TIMEOUT_S)
    if left or refused:
        cause = refused[0].str() if refused else f"no answer within {TIMEOUT_S:.0f} s"
        raise LogError(
            f"the records were not written: {cause}",
            where=topic,
            todo="see with `edml status` whether the log runs",
        )
