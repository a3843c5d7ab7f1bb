"""Where a group is, and what is noted beside it, as the group's coordinator keeps them."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import confluent_kafka as ck

from edml.events import TopicPartition
from edml.runtime.log import Committed


def as_offsets(places: Mapping[TopicPartition, Committed]) -> list[ck.TopicPartition]:
    """Offsets with the metadata that a restart needs."""
    return [
        ck.TopicPartition(each.topic, each.partition, place.offset, _metadata(place))
        for each, place in places.items()
    ]


def as_committed(offset: int, metadata: str | None) -> Committed:
    """An offset and its metadata as a place.

    Raises `ValueError` for metadata that is not `edml`'s.
    """
    told = json.loads(metadata) if metadata else {}
    if not isinstance(told, dict):
        raise ValueError(f"{metadata!r} is no place")  # noqa: TRY004  as for what is no JSON
    return Committed(offset, offset - told.get("back", 0), told.get("note", {}))


def is_held(
    client: Mapping[str, Any], places: Collection[TopicPartition], *, within_s: float
) -> bool:
    """Whether a transaction that is not over keeps a group's offsets from being told (KIP-447).

    So it is when they are told to those who do not care; ``client`` has the ``group.id``.
    """
    asked = [ck.TopicPartition(each.topic, each.partition) for each in places]
    consumer = ck.Consumer({**client, "isolation.level": "read_uncommitted"})
    try:
        answers = consumer.committed(asked, timeout=within_s)
    except ck.KafkaException:
        return False
    finally:
        consumer.close()
    return all(each.error is None for each in answers)


def _metadata(place: Committed) -> str:
    """At most 4 KiB (``offset.metadata.max.bytes``); the rewind is told as a distance."""
    told: dict[str, Any] = {}
    if place.rewind < place.offset:
        told["back"] = place.offset - place.rewind
    if place.note:
        told["note"] = dict(place.note)
    return json.dumps(told, separators=(",", ":")) if told else ""
