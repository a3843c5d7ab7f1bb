"""The compacted topic of models, read as a table: the roles of an application, and its versions.

A model's record is large, so only its offset is kept; compaction leaves offsets as they are, and
the record is read again when its version is needed.
"""

import logging
from collections.abc import Mapping
from typing import Any

import confluent_kafka as ck

from edml.errors import LogError, RegistryUnavailableError, TopicError
from edml.events import TopicPartition
from edml.kafka.control import ModelsEntry, ModelsKey, Typed
from edml.kafka.message import PROMPT, Message, consume, read_from_beginning
from edml.kafka.registry import Registry
from edml.models.records import Model, Roles

logger = logging.getLogger(__name__)

TIMEOUT_S = 30.0


class ModelsTable:
    """Follows the topic of models for one application.

    Call `poll` until it says that the end is reached: from then on, `roles` and `versions` are what
    the log says.
    """

    def __init__(
        self, client: Mapping[str, Any], registry: Registry, topic: str, application: str
    ) -> None:
        self.roles = Roles(application, revision=0)
        self._application = application
        self._offsets: dict[str, int] = {}
        self._client = {
            **PROMPT,
            **client,
            "group.id": "edml.models",  # a consumer must name one; nothing is committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.message.max.bytes": 10_485_760,
        }
        self._partition = TopicPartition(topic, 0)
        self._keys = Typed(registry, f"{topic}-key", ModelsKey)
        self._entries = Typed(registry, f"{topic}-value", ModelsEntry)
        self._consumer = ck.Consumer(self._client)
        read_from_beginning(self._consumer, {topic: 1})

    @property
    def versions(self) -> tuple[str, ...]:
        """The published versions, oldest first."""
        return tuple(sorted(self._offsets, key=lambda version: self._offsets[version]))

    def poll(self, wait_s: float) -> bool:
        """Take in the next record, waiting for it; True when the end of the log is reached.

        Raises `RegistryUnavailableError` when it cannot be read now; the same record comes again.
        """
        for message in consume(self._consumer, 1, wait_s):
            error = message.error()
            if error is not None:
                return self._ended(error)
            try:
                self._take(message)
            except RegistryUnavailableError:
                self._consumer.seek(ck.TopicPartition(*self._partition, message.offset()))
                raise
            except Exception as error:  # noqa: BLE001  whatever foreign bytes may cause
                logger.warning(
                    "The record %s@%d is no model and no roles, and is left out: %s",
                    self._partition,
                    message.offset(),
                    error,
                )
        return False

    def read_to_end(self) -> None:
        """Take in everything that is there."""
        while not self.poll(TIMEOUT_S):
            pass

    def model(self, version: str) -> Model:
        """The model's record, read again from the log."""
        consumer = ck.Consumer(self._client)
        try:
            consumer.assign([ck.TopicPartition(*self._partition, self._offsets[version])])
            found = [self._entry(message) for message in consume(consumer, 1, TIMEOUT_S)]
        finally:
            consumer.close()
        models = [each.model for each in found if each is not None and each.model is not None]
        if [each.version for each in models] != [version]:
            raise LogError(
                f"the record of version {version} is no longer on the log",
                where=f"{self._partition}@{self._offsets[version]}",
                todo="publish the model again",
            )
        return models[0]

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        key = self._keys.decode(message.key() or b"")
        if key.application != self._application:
            return
        entry = self._entry(message)
        if key.version is None:
            self.roles = (entry and entry.roles) or Roles(key.application, revision=0)
        elif entry is None:
            self._offsets.pop(key.version, None)
        else:
            self._offsets[key.version] = message.offset()

    def _entry(self, message: Message) -> ModelsEntry | None:
        """What the record holds; None for a tombstone."""
        value = message.value()
        return None if value is None else self._entries.decode(value)

    def _ended(self, error: ck.KafkaError) -> bool:
        if error.code() == ck.KafkaError._PARTITION_EOF:
            return True
        if error.code() == ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicError(
                "the topic of models does not exist",
                where=self._partition.topic,
                todo="create it with `edml topics create`",
            )
        if not error.retriable():
            raise LogError(f"the topic of models cannot be read: {error.str()}")
        return False
