"""Records that no reader can use, put among the good ones on purpose."""

from collections.abc import Sequence
from typing import Final

from edml.kafka.codec import wire

NO_SCHEMA: Final = 2_000_000_000


def spoilt(good: bytes) -> Sequence[tuple[bytes, bytes]]:
    """Three records, key and value, made from a good one's value: what producers get wrong."""
    return [
        (b"cut-in-half", good[: len(good) // 2]),
        (b"unknown-schema", wire.header(NO_SCHEMA) + good[wire.HEADER.size :]),
        (b"not-avro", b'{"uuid": "not-avro", "comment": "JSON, where Avro is expected"}'),
    ]
