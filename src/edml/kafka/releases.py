"""Writes and reads releases: what happened to the models of an application."""

from collections.abc import Mapping
from typing import Any

import confluent_kafka as ck

from edml.errors import LogError
from edml.kafka.control import Typed
from edml.kafka.registry import Registry
from edml.kafka.spans import topic_names
from edml.kafka.tail import as_bytes, messages
from edml.models.records import Release

TIMEOUT_S = 30.0


class ReleaseWriter:
    """Appends releases to their topic, one by one, each durable when `tell` returns."""

    def __init__(self, client: Mapping[str, Any], registry: Registry, topic: str) -> None:
        self._topic = topic
        self._typed = Typed(registry, f"{topic}-value", Release)
        self._producer = ck.Producer({**client, "enable.idempotence": True, "linger.ms": 0})

    def tell(self, release: Release) -> None:
        """Append a release; raises `LogError` when the log does not take it."""
        key = release.application.encode()
        self._producer.produce(self._topic, key=key, value=self._typed.encode(release), partition=0)
        if self._producer.flush(TIMEOUT_S):
            raise LogError(
                f"the release of {release.version} was not written",
                where=self._topic,
                todo="see that the broker runs and the topic exists",
            )


def releases(
    client: Mapping[str, Any], registry: Registry, topic: str, application: str
) -> list[Release]:
    """What happened to an application's models, oldest first; nothing when there is no such topic.

    Raises `LogError` when the log does not answer.
    """
    if topic not in topic_names(client):
        return []
    typed = Typed(registry, f"{topic}-value", Release)
    found = [
        typed.decode(as_bytes(each.value())) for batch in messages(client, topic) for each in batch
    ]
    return [each for each in found if each.application == application]
