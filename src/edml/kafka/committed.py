"""Where a group is, and what is noted beside it, as the group's coordinator keeps them."""

import json
from collections.abc import Iterable, Mapping
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
    noted = json.loads(metadata) if metadata else {}
    if not isinstance(noted, dict):
        raise ValueError(f"{metadata!r} is no place")  # noqa: TRY004  as for what is no JSON
    return Committed(offset, offset - noted.get("back", 0), noted.get("note", {}))


def told(
    client: Mapping[str, Any], places: Iterable[TopicPartition], *, within_s: float
) -> list[ck.TopicPartition]:
    """What a group's coordinator tells of some places; ``client`` has the ``group.id``."""
    asked = [ck.TopicPartition(*each) for each in places]
    consumer = ck.Consumer(dict(client))
    try:
        answers: list[ck.TopicPartition] = consumer.committed(asked, timeout=within_s)
    finally:
        consumer.close()
    return answers


def is_held(
    client: Mapping[str, Any], places: Iterable[TopicPartition], *, within_s: float
) -> bool:
    """Whether a transaction that is not over keeps a group's offsets from being told (KIP-447).

    So it is when they are told to those who do not care.
    """
    careless = {**client, "isolation.level": "read_uncommitted"}
    try:
        return all(each.error is None for each in told(careless, places, within_s=within_s))
    except ck.KafkaException:
        return False


def _metadata(place: Committed) -> str:
    """At most 4 KiB (``offset.metadata.max.bytes``); the rewind is told as a distance."""
    noted: dict[str, Any] = {}
    if place.rewind < place.offset:
        noted["back"] = place.offset - place.rewind
    if place.note:
        noted["note"] = dict(place.note)
    return json.dumps(noted, separators=(",", ":")) if noted else ""
