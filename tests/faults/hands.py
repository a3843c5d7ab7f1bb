"""What hands on the log can do: change topics, forget offsets, delete records."""

import os
import threading
from dataclasses import replace
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from edml.errors import EdmlError
from edml.wiring.running import Running
from edml.wiring.scoring import score
from edml.wiring.serving import serve
from tests.broker.city import City

PATIENCE_S = 100.0


def admin(city: City) -> AdminClient:
    """Somebody who may do everything."""
    return AdminClient(dict(city.cluster.settings.client()))


def environment(city: City) -> dict[str, str]:
    """The environment of a command that means the city."""
    settings = city.cluster.settings
    return {
        **os.environ,
        "EDML_HOME": str(settings.home),
        "EDML_BOOTSTRAP_SERVERS": str(settings.bootstrap_servers),
        "EDML_REGISTRY_URL": settings.registry.url,
        "EDML_TOPIC_PREFIX": settings.topic_prefix,
    }


def configure(city: City, topic: str, **settings: object) -> None:
    """Change a topic's settings, such as ``max_message_bytes``."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    for name, value in settings.items():
        entry = ConfigEntry(
            name.replace("_", "."),
            str(value),
            incremental_operation=AlterConfigOpType.SET,
        )
        resource.add_incremental_config(entry)
    client = admin(city)  # its answers do not outlive it
    client.incremental_alter_configs([resource])[resource].result()


def with_client(city: City, **settings: object) -> City:
    """The same city, whose Kafka clients have some settings of their own."""
    kafka = {name.replace("_", "."): str(value) for name, value in settings.items()}
    changed = replace(city.cluster.settings, kafka=kafka)
    return replace(city, cluster=replace(city.cluster, settings=changed))


def group(city: City, command: str = "serve") -> str:
    """The consumer group of a command."""
    return f"{city.app.topic_prefix}edml.taxi.{command}"


def forget(city: City) -> None:
    """Have the committed offsets of serving expire."""
    client = admin(city)
    client.delete_consumer_groups([group(city)])[group(city)].result()


def cut(city: City, topic: str, before: dict[int, int]) -> None:
    """Delete the records of some partitions that lie before some offsets."""
    places = [ck.TopicPartition(topic, number, at) for number, at in before.items()]
    client = admin(city)
    for answer in client.delete_records(places).values():
        answer.result()


def failure(city: City, command: str = "serve", **running: Any) -> EdmlError:
    """The error with which serving, or scoring, ends by itself."""
    stop = threading.Event()
    timer = threading.Timer(PATIENCE_S, stop.set)
    timer.start()
    run = serve if command == "serve" else score
    try:
        run(city.cluster, stop, Running(**running))
    except EdmlError as error:
        return error
    finally:
        timer.cancel()
    raise AssertionError("it runs, and says nothing")
