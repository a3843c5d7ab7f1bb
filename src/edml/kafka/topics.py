"""Topics as the application needs them: what is missing is created, what exists is verified."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from edml.errors import LogError, TopicError

TIMEOUT_S = 15.0
POLL_S = 0.02
VERIFIED = ("cleanup.policy",)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that readers and writers rely on.

    ``config`` holds Kafka's topic settings. Of a topic that exists, the number of partitions and
    the clean-up policy have to agree; the other settings may have been tuned by its owner.
    """

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


def ensure_topics(
    client: Mapping[str, str | int | float | bool],
    specs: Sequence[TopicSpec],
    *,
    replication: int = -1,
) -> tuple[str, ...]:
    """Create what is missing, verify what exists, and give back the names of what was created.

    ``client`` holds librdkafka's properties. A ``replication`` of -1 leaves the number of replicas
    to the cluster. Every topic can be written when this returns. Raises ``TopicError`` saying what
    differs, and ``LogError`` when the cluster refuses or does not answer.
    """
    admin = AdminClient(dict(client))
    try:
        created = _create_missing(admin, specs, replication)
        _wait_until_visible(admin, specs)
        _verify([spec for spec in specs if spec.name not in created], admin)
    except KafkaException as error:
        raise LogError(
            f"the cluster refuses to list or create topics: {error.args[0].str()}",
            where=str(client["bootstrap.servers"]),
            todo="see with `edml status` whether the log runs, and whether you may create topics",
        ) from error
    return created


def _create_missing(
    admin: AdminClient, specs: Sequence[TopicSpec], replication: int
) -> tuple[str, ...]:
    existing = admin.list_topics(timeout=TIMEOUT_S).topics
    wanted = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=replication,
            config=dict(spec.config),
        )
        for spec in specs
        if spec.name not in existing
    ]
    if not wanted:
        return ()
    answers = admin.create_topics(wanted, operation_timeout=TIMEOUT_S)
    return tuple(name for name, answer in answers.items() if _was_created(name, answer.exception()))


def _was_created(name: str, problem: BaseException | None) -> bool:
    """Whether it was us: another process may have been faster, and its topic is verified."""
    if problem is None:
        return True
    if not isinstance(problem, KafkaException):
        raise problem
    error: KafkaError = problem.args[0]
    if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
        return False
    raise TopicError(
        f"the topic {name} cannot be created: {error.str()}",
        where=name,
        todo="correct the topic's name or settings, or have somebody create it who may",
    )


def _wait_until_visible(admin: AdminClient, specs: Iterable[TopicSpec]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    waiting = {spec.name for spec in specs}
    while waiting:
        topics = admin.list_topics(timeout=TIMEOUT_S).topics
        waiting = {name for name in waiting if name not in topics or not _has_leaders(topics[name])}
        if waiting and time.monotonic() > deadline:
            raise TopicError(
                f"topics without a leader for {TIMEOUT_S:.0f} s: {', '.join(sorted(waiting))}",
                todo="see with `edml status` whether every broker of the cluster runs",
            )
        if waiting:
            time.sleep(POLL_S)


def _has_leaders(topic: TopicMetadata) -> bool:
    return bool(topic.partitions) and all(p.leader >= 0 for p in topic.partitions.values())


def _verify(specs: Sequence[TopicSpec], admin: AdminClient) -> None:
    if not specs:
        return
    topics = admin.list_topics(timeout=TIMEOUT_S).topics
    configs = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs], request_timeout=TIMEOUT_S
    )
    found = {resource.name: answer.result() for resource, answer in configs.items()}
    for spec in specs:
        _verify_partitions(spec, len(topics[spec.name].partitions))
        for setting in VERIFIED:
            _verify_setting(spec, setting, str(found[spec.name][setting].value))


def _verify_partitions(spec: TopicSpec, partitions: int) -> None:
    if partitions != spec.partitions:
        raise TopicError(
            f"{spec.name} has {partitions} partitions instead of {spec.partitions}",
            where=spec.name,
            todo=f"run with {partitions} partitions, or delete the topic, with what is on it, to"
            " have it created anew. Adding partitions would part keys from their history",
        )


def _verify_setting(spec: TopicSpec, setting: str, value: str) -> None:
    wanted = spec.config.get(setting, "delete")
    if _as_set(value) != _as_set(wanted):
        raise TopicError(
            f"{spec.name} has {setting}={value} instead of {wanted}",
            where=spec.name,
            todo=f"set it with `kafka-configs --alter --topic {spec.name} --add-config"
            f" {setting}={wanted}`, or use another topic",
        )


def _as_set(value: str) -> frozenset[str]:
    return frozenset(part.strip() for part in value.split(","))
