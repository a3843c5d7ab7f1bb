"""The only writer of an application's Roles.

Whoever governs holds the application's ``transactional.id``: the governor before is fenced, and its
open transaction is aborted (KIP-98). Only then are the roles read, so they cannot change any more
between the reading and the writing. Command, model, roles and releases become visible together.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import confluent_kafka as ck

from edml.application import Application
from edml.errors import LogError, ModelRefusedError, OvertakenError
from edml.kafka.control import ModelsEntry, ModelsKey, Typed
from edml.kafka.models_topic import ModelsTable
from edml.kafka.registry import Registry
from edml.kafka.releases import releases
from edml.kafka.spans import QUIET
from edml.models.records import (
    COMMANDS_TOPIC,
    MODELS_TOPIC,
    RELEASES_TOPIC,
    Command,
    Model,
    Release,
    Roles,
)
from edml.monitoring.governor import Decision, decide

TIMEOUT_S = 30.0

OVERTAKEN = frozenset(
    {
        ck.KafkaError._FENCED,
        ck.KafkaError.INVALID_PRODUCER_EPOCH,
        ck.KafkaError.PRODUCER_FENCED,
    }
)
"""What is said to whom another one has fenced."""

_SILENT = logging.getLogger(f"{__name__}.silent")
"""For librdkafka, which shouts when it is fenced: what goes wrong is told by what is raised."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

Decides = Callable[[Roles, Sequence[Release]], Decision]
"""From the roles and what has happened so far, oldest first, to what is to happen now."""


@dataclass(frozen=True)
class ControlTopics:
    """Where edml writes about itself."""

    models: str = MODELS_TOPIC
    releases: str = RELEASES_TOPIC
    commands: str = COMMANDS_TOPIC


class Governor:
    """Carries out commands, one transaction each. Use it as a context."""

    def __init__(
        self,
        client: Mapping[str, Any],
        registry: Registry,
        application: Application,
        topics: ControlTopics,
    ) -> None:
        self._client = client
        self._registry = registry
        self._application = application
        self._topics = topics
        self._keys = Typed(registry, f"{topics.models}-key", ModelsKey)
        self._entries = Typed(registry, f"{topics.models}-value", ModelsEntry)
        self._releases = Typed(registry, f"{topics.releases}-value", Release)
        self._commands = Typed(registry, f"{topics.commands}-value", Command)
        self._table = ModelsTable(client, registry, topics.models, application.name)
        self._producer = ck.Producer(
            {
                **client,
                "transactional.id": f"edml.governor.{topics.models}.{application.name}",
                "transaction.timeout.ms": 10_000,
                "message.max.bytes": 10_485_760,
                "log_level": QUIET,
            },
            logger=_SILENT,
        )

    def __enter__(self) -> Self:
        try:
            self._producer.init_transactions(TIMEOUT_S)
        except ck.KafkaException as error:
            raise LogError(f"the log does not let us govern: {error.args[0].str()}") from error
        self._table.read_to_end()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._table.close()

    @property
    def roles(self) -> Roles:
        """Which version has which role now."""
        return self._table.roles

    @property
    def versions(self) -> tuple[str, ...]:
        """The published versions, oldest first."""
        return self._table.versions

    def model(self, version: str) -> Model:
        """A published model."""
        return self._table.model(version)

    def publish(self, model: Model, command: Command) -> Decision:
        """Publish a model, if it is not there yet, and give it its role.

        Raises `ModelRefusedError` when another model has this version already.
        """
        known = self._check(model)
        decision = decide(self.roles, command, {*self._table.versions, model.version})
        if not known:
            told = Release(
                self._application.name, "published", model.version, command.at, command.by
            )
            decision = replace(decision, releases=(told, *decision.releases))
        self._write(decision, None if known else model, command)
        return decision

    def execute(self, command: Command) -> Decision:
        """Carry out a command; raises `CommandRefusedError` when that makes no sense."""
        decision = decide(self.roles, command, self._table.versions)
        self._write(decision, None, command)
        return decision

    def act(self, decides: Decides, model: Model | None = None) -> Decision:
        """Do what ``decides`` says of the roles and the releases as they are under the fence.

        Nobody changes roles, or acts, between that reading and the writing: what was done already
        is among the releases. A ``model`` is published with it, if it is not there yet, unless
        there is nothing to do. Raises `ModelRefusedError` when another model has its version.
        """
        known = model is not None and self._check(model)
        topic, name = self._topics.releases, self._application.name
        decision = decides(self.roles, releases(self._client, self._registry, topic, name))
        if decision.releases or decision.roles != self.roles:
            self._write(decision, None if known else model, None)
        return decision

    def _check(self, model: Model) -> bool:
        """Whether this very model is published already."""
        known = model.version in self._table.versions
        if known and self._table.model(model.version).sha256 != model.sha256:
            raise ModelRefusedError(
                f"version {model.version} is published already, with another artefact",
                todo="a published model never changes: train again, which gives a new version",
            )
        return known

    def _write(self, decision: Decision, model: Model | None, command: Command | None) -> None:
        name = self._application.name
        changed = decision.roles != self.roles
        if not changed and not decision.releases and model is None:
            return
        records: list[tuple[str, bytes, bytes]] = []
        if model is not None:
            key = self._keys.encode(ModelsKey(name, model.version))
            records.append(
                (self._topics.models, key, self._entries.encode(ModelsEntry(model=model)))
            )
        if changed:
            key = self._keys.encode(ModelsKey(name))
            entry = ModelsEntry(roles=decision.roles)
            records.append((self._topics.models, key, self._entries.encode(entry)))
        who = name.encode()
        records += [
            (self._topics.releases, who, self._releases.encode(each)) for each in decision.releases
        ]
        if command is not None:
            records.append((self._topics.commands, who, self._commands.encode(command)))
        self._transact(records)
        if changed or model is not None:  # else nothing comes, and its end is not told again
            self._table.read_to_end()

    def _transact(self, records: list[tuple[str, bytes, bytes]]) -> None:
        try:
            self._producer.begin_transaction()
            for topic, key, value in records:
                self._producer.produce(topic, key=key, value=value, partition=0)
            self._producer.commit_transaction(TIMEOUT_S)
        except ck.KafkaException as error:
            cause: ck.KafkaError = error.args[0]
            if cause.code() in OVERTAKEN:
                raise OvertakenError(
                    "the decision was not written: somebody else governs by now",
                    where=self._topics.models,
                    todo="nothing has changed: try again",
                ) from error
            if not cause.fatal():
                self._producer.abort_transaction(TIMEOUT_S)
            raise LogError(
                f"the decision was not written: {cause.str()}",
                where=self._topics.models,
                todo="nothing has changed: try again",
            ) from error
