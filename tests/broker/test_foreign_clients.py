import codecs
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edml.kafka.embedded import EmbeddedLog
from tests.broker.city import City
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
FOREIGN = Path(__file__).with_name("foreign_client.py")
PATIENCE_S = 100
SEPARATOR = "|"


def test_a_plain_client_writes_events_and_reads_predictions(city: City, tmp_path: Path) -> None:
    """confluent-kafka's own Avro serialisers are enough, on both ends of the model."""
    city.publish(V1)
    events = trips(40).drop("dropoff_at")
    lines = "".join(f"{json.dumps(row, default=str)}\n" for row in events.to_dicts())
    with city.serving():
        foreign(city, "write", city.app.event.topic, said=lines, folder=tmp_path)
        told = foreign(city, "read", city.app.predictions_topic, "40", folder=tmp_path)
    records = [json.loads(line) for line in told.splitlines()]
    assert events["uuid"].to_list() == sorted(each["key"] for each in records)
    assert all(each["key"] == each["value"]["uuid"] for each in records)
    assert {(V1, "champion")} == {
        (each["value"]["version"], each["value"]["role"]) for each in records
    }
    expected = {each["key"]: 2 * each["value"]["features"]["distance_km"] + 1 for each in records}
    assert expected == pytest.approx(
        {each["key"]: each["value"]["prediction"] for each in records}, abs=1e-4
    )
    assert city.dead_letters() == []


def test_kafkas_own_consumer_reads_predictions(city: City, log: EmbeddedLog) -> None:
    """The program behind `kafka-console-consumer` sees the same keys, partitions and bytes."""
    city.publish(V1)
    city.pick_up(trips(20))
    with city.serving():
        printed = java(
            log,
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *("--bootstrap-server", str(city.cluster.settings.bootstrap_servers)),
            *("--topic", city.app.predictions_topic),
            *("--from-beginning", "--max-messages", "20", "--timeout-ms", "60000"),
            *("--isolation-level", "read_committed"),
            *formatted("print.key", "true"),
            *formatted("print.partition", "true"),
            *formatted("key.separator", SEPARATOR),
            *formatted(
                "value.deserializer", "org.apache.kafka.common.serialization.BytesDeserializer"
            ),
        )
    seen = {line for line in printed.splitlines() if line.startswith("Partition:")}
    rows = [line.split(SEPARATOR, 2) for line in seen]
    assert {
        (each.partition(), each.key(), each.value())
        for each in city.read(city.app.predictions_topic)
    } == {
        (int(partition.removeprefix("Partition:")), key.encode(), unescaped(value))
        for partition, key, value in rows
    }


def test_javas_keys_lie_where_ours_do(city: City, log: EmbeddedLog) -> None:
    """The program behind `kafka-console-producer` puts each key into the partition that we do."""
    city.cluster.create()
    city.pick_up(trips(200))
    ours = partitions(city)
    keys = sorted(ours)
    java(
        log,
        "org.apache.kafka.tools.ConsoleProducer",
        *("--bootstrap-server", str(city.cluster.settings.bootstrap_servers)),
        *("--topic", city.app.outcome.topic),
        *("--reader-property", "parse.key=true"),
        *("--reader-property", f"key.separator={SEPARATOR}"),
        said="".join(f"{key.decode()}{SEPARATOR}value\n" for key in keys),
    )
    javas = {each.key(): each.partition() for each in city.read(city.app.outcome.topic)}
    assert ours == javas
    assert len(set(javas.values())) == 4


def foreign(city: City, *arguments: str, folder: Path, said: str = "") -> str:
    """Run the foreign client in a folder where there is no edml; what it printed."""
    settings = city.cluster.settings
    known = (str(settings.bootstrap_servers), settings.registry.url)
    return ran([sys.executable, "-I", str(FOREIGN), *known, *arguments], said=said, cwd=folder)


def java(log: EmbeddedLog, program: str, *arguments: str, said: str = "") -> str:
    """Run one of Kafka's programs; what it printed."""
    return ran(log.installation.tool(program, *arguments), said=said)


def ran(command: list[str], *, said: str, cwd: Path | None = None) -> str:
    """Run a program to its end; fail with what it said when it fails."""
    done = subprocess.run(
        command,
        input=said,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def formatted(name: str, value: str) -> tuple[str, str]:
    """An option of the consumer's formatter."""
    return ("--formatter-property", f"{name}={value}")


def unescaped(text: str) -> bytes:
    r"""Bytes as Java's `Bytes` prints them: ASCII, and \xNN for the others."""
    found: tuple[bytes, int] = codecs.escape_decode(text)
    return found[0]


def partitions(city: City) -> dict[bytes, int]:
    """Where the key of each event lies."""
    return {each.key(): each.partition() for each in city.read(city.app.event.topic)}  # type: ignore[misc]
