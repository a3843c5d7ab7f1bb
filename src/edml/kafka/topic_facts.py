"""What is known of topics: partitions, records, how long they are kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from confluent_kafka.admin import ConfigResource, ResourceType

from edml.kafka.spans import TIMEOUT_S, Client, asking, spans

SETTINGS: Final = ("cleanup.policy", "retention.ms")


@dataclass(frozen=True)
class TopicFacts:
    """A topic that exists.

    ``offsets`` counts those in use: of what a transaction wrote, its marker counts, too, and of a
    compacted topic, what was replaced. ``retention_ms`` is -1 for ever.
    """

    name: str
    partitions: int
    offsets: int
    policy: str
    retention_ms: int


def topic_facts(client: Client, names: Iterable[str]) -> dict[str, TopicFacts]:
    """What is known of each of these topics that exists, in their order.

    Raises `LogError` when the log does not answer.
    """
    found = spans(client, names)
    settings = _settings(client, list(found))
    return {
        name: TopicFacts(
            name=name,
            partitions=len(span.end),
            offsets=span.offsets,
            policy=settings[name]["cleanup.policy"],
            retention_ms=int(settings[name]["retention.ms"]),
        )
        for name, span in found.items()
    }


def _settings(client: Client, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    with asking(client) as admin:
        answers = admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, name) for name in names],
            request_timeout=TIMEOUT_S,
        )
        return {
            resource.name: {setting: str(answer.result()[setting].value) for setting in SETTINGS}
            for resource, answer in answers.items()
        }
