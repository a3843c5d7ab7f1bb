"""Writes and reads releases: what happened to the models of an application."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import confluent_kafka as ck

from edml.errors import LogError, RegistryUnavailableError
from edml.kafka.control import Typed
from edml.kafka.reader import Reader
from edml.kafka.registry import Registry
from edml.kafka.spans import topic_names
from edml.kafka.tail import as_bytes, messages
from edml.models.records import Release

logger = logging.getLogger(__name__)

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


class ReleasesTable:
    """Follows the releases of one application."""

    def __init__(
        self, client: Mapping[str, Any], registry: Registry, topic: str, application: str
    ) -> None:
        self.known: list[Release] = []
        """What has happened so far, oldest first."""
        self._application = application
        self._typed = Typed(registry, f"{topic}-value", Release)
        self._reader = Reader(client, topic, 1)

    def close(self) -> None:
        """Stop following."""
        self._reader.close()

    def poll(self, wait_s: float) -> bool:
        """Take in what has come; True when the end of the log is reached.

        Raises `LogError` when it cannot be read, and `RegistryUnavailableError` when it cannot be
        read now: some of it is lost to this table then, and another one has to begin anew.
        """
        read = self._reader.read(wait_s)
        for values in read.values.values():
            self.known += _of(self._application, self._typed, values)
        return bool(read.ended)


def releases(
    client: Mapping[str, Any], registry: Registry, topic: str, application: str
) -> list[Release]:
    """What happened to an application's models, oldest first; nothing when there is no such topic.

    Raises `LogError` when the log does not answer.
    """
    if topic not in topic_names(client):
        return []
    typed = Typed(registry, f"{topic}-value", Release)
    values = [as_bytes(each.value()) for batch in messages(client, topic) for each in batch]
    return list(_of(application, typed, values))


def _of(
    application: str, typed: Typed[Release], values: Iterable[bytes | None]
) -> Iterator[Release]:
    """The releases of an application; a record that is none is left out."""
    for value in values:
        try:
            release = typed.decode(value or b"")
        except RegistryUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001  whatever foreign bytes may cause
            logger.warning("A record among the releases is none, and is left out: %s", error)
        else:
            if release.application == application:
                yield release
