import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer

from edml.cli.down import command as down_command
from edml.cli.status import command as status_command
from edml.cli.up import command as up_command
from edml.errors import EmbeddedLogError
from edml.kafka.embedded import EmbeddedLog
from edml.kafka.embedded.progress import Silence
from edml.kafka.embedded.service import down, up
from edml.kafka.embedded.state import read_state, write_state
from edml.kafka.embedded.status import status
from edml.kafka.topics import TopicSpec, ensure_topics

UP = "import sys; from edml.cli.up import command; command(sys.argv[1:], standalone_mode=True)"


@pytest.fixture(scope="module")
def own(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedLog]:
    """A log for these tests alone, which kill parts of it and leave it running."""
    with EmbeddedLog.start(tmp_path_factory.mktemp("own-home"), jars=jars) as log:
        yield log


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home in which nothing runs, neither before the test nor after it."""
    yield tmp_path / "home"
    down(tmp_path / "home", progress=Silence())
    assert _processes_of(tmp_path) == []


def _start(home: Path, jars: Path) -> EmbeddedLog:
    log, _ = up(home, jars=jars, port=0, registry_port=0, progress=Silence())
    return log


def _processes_of(directory: Path) -> list[int]:
    """Every process that has the directory in its command, however it was started."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(f"={directory}/" in argument for argument in process.info["cmdline"] or ())
    ]


def _pids(log: EmbeddedLog) -> list[int]:
    return [server.running_process.pid for server in log.servers]


def _produce(log: EmbeddedLog, topic: str, *values: bytes) -> None:
    ensure_topics({"bootstrap.servers": log.bootstrap_servers}, [TopicSpec(topic, 1)])
    producer = Producer({"bootstrap.servers": log.bootstrap_servers})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def _consume(log: EmbeddedLog, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": f"{topic}-reader",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        return [message.value() for message in consumer.consume(count, timeout=120)]
    finally:
        consumer.close()


def _register(log: EmbeddedLog, subject: str) -> int:
    schema = {"type": "record", "name": "Trip", "fields": [{"name": "minutes", "type": "double"}]}
    answer = httpx.post(
        f"{log.registry_url}/subjects/{subject}/versions", json={"schema": json.dumps(schema)}
    )
    return int(answer.raise_for_status().json()["id"])


def test_what_is_acknowledged_survives_a_killed_broker(own: EmbeddedLog) -> None:
    """After a kill -9, the broker comes back with its port and every acknowledged record."""
    _produce(own, "survives", b"one", b"two")
    address = own.bootstrap_servers

    own.kill_broker()
    own.start_broker()

    assert own.bootstrap_servers == address
    assert _consume(own, "survives", 2) == [b"one", b"two"]


def test_schema_ids_survive_a_killed_registry(own: EmbeddedLog) -> None:
    """A schema id that a record on the log carries is known after a kill -9 of the registry."""
    before = _register(own, "survivor-value")
    own.kill_registry()
    own.start_registry()

    schema = httpx.get(f"{own.registry_url}/schemas/ids/{before}").raise_for_status().json()
    assert json.loads(schema["schema"])["name"] == "Trip"
    assert _register(own, "survivor-value") == before


def test_frozen_broker_is_seen_and_goes_on(own: EmbeddedLog) -> None:
    """A broker that was stopped by a signal is told from one that is gone, and goes on later."""
    own.suspend_broker()
    frozen = status(own.home)
    own.resume_broker()
    own.broker.wait_until_ready()

    assert frozen is not None
    assert (frozen.broker.state, frozen.registry.state) == ("does not answer", "ready")


def test_up_mends_a_killed_broker(own: EmbeddedLog, jars: Path) -> None:
    """Status says that the broker is gone, and `up` starts it again, and only it."""
    registry_pid, broker_pid = _pids(own)
    own.kill_broker()
    broken = status(own.home)

    mended = _start(own.home, jars)
    own.broker.process = mended.broker.process

    assert broken is not None
    assert (broken.broker.state, broken.broker.pid) == ("stopped", None)
    assert broken.registry.state == "ready"
    assert mended.bootstrap_servers == own.bootstrap_servers
    assert mended.registry.running_process.pid == registry_pid
    assert mended.broker.running_process.pid != broker_pid


def test_up_twice_is_up_once(own: EmbeddedLog, jars: Path) -> None:
    """A second `up` finds what runs, and its end does not end it."""
    with EmbeddedLog.start(own.home, jars=jars) as again:
        assert _pids(again) == _pids(own)

    assert own.broker.ready


def test_kafkas_own_tools_read_the_log(own: EmbeddedLog) -> None:
    """The console consumer of the embedded Kafka is there, and reads what a client wrote."""
    _produce(own, "tools", b"hello")
    consumer = own.installation.tool(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", own.bootstrap_servers, "--topic", "tools"),
        *("--from-beginning", "--max-messages", "1", "--timeout-ms", "120000"),
    )

    read = subprocess.run(consumer, capture_output=True, text=True, timeout=240, check=False)

    assert read.stdout == "hello\n"


def test_data_is_kept_and_down_stops_everything(home: Path, jars: Path) -> None:
    """After `down` nothing runs; after the next `up` all is there again."""
    first = _start(home, jars)
    _produce(first, "kept", b"still here")
    schema_id = _register(first, "kept-value")

    stopped = down(home, progress=Silence())
    left = _processes_of(home)
    second = _start(home, jars)

    assert stopped == ("the schema registry", "Kafka")
    assert left == []
    assert _consume(second, "kept", 1) == [b"still here"]
    assert _register(second, "kept-value") == schema_id


def test_two_ups_at_once(home: Path, jars: Path) -> None:
    """Two processes that start the same log at once end up with one log."""
    environment = {**os.environ, "EDML_HOME": str(home), "EDML_JARS": str(jars)}
    command = [sys.executable, "-c", UP, "--port", "0", "--registry-port", "0", "--json"]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [json.loads(process.communicate(timeout=240)[0]) for process in both]

    assert outputs[0]["broker"]["pid"] == outputs[1]["broker"]["pid"]
    assert outputs[0]["registry"]["pid"] == outputs[1]["registry"]["pid"]
    assert len(_processes_of(home)) == 2


def test_ctrl_c_leaves_nothing_behind(home: Path, jars: Path) -> None:
    """Ctrl-C while `up` waits stops what it has started."""
    environment = {**os.environ, "EDML_HOME": str(home), "EDML_JARS": str(jars)}
    command = [sys.executable, "-c", UP, "--port", "0", "--registry-port", "0"]
    starting = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not _processes_of(home):
        time.sleep(0.02)
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=240)

    assert starting.returncode == 1
    assert _processes_of(home) == []
    assert read_state(home) is None


def test_stale_process_ids_are_left_alone(home: Path, own: EmbeddedLog) -> None:
    """A state whose process ids belong to others by now stops nobody."""
    home.mkdir()
    state = read_state(own.home)
    assert state is not None
    assert state.broker.process is not None
    stolen = replace(state.broker.process, pid=os.getpid())
    stale = replace(
        state,
        broker=replace(state.broker, process=stolen),
        registry=replace(state.registry, process=stolen),
    )
    write_state(home, stale)

    assert down(home, progress=Silence()) == ()
    assert read_state(home) is None


def test_taken_port_is_refused(home: Path, jars: Path) -> None:
    """A port that was asked for and is taken is an error that says by whom, and what to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(EmbeddedLogError, match=f"taken by process {os.getpid()}") as raised:
            up(home, jars=jars, port=port, registry_port=0, progress=Silence())

    assert "--port" in str(raised.value.todo)
    assert _processes_of(home) == []


def test_broker_that_cannot_start(home: Path, jars: Path) -> None:
    """A broker that ends while it starts shows why, and takes the registry down with it."""
    data = home / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")

    with pytest.raises(EmbeddedLogError, match="Kafka ended while it was starting") as raised:
        _start(home, jars)

    assert "Stored node id 7" in raised.value.what
    assert raised.value.where == str(home / "kafka" / "broker.log")
    assert _processes_of(home) == []


def test_no_disk_space(home: Path, jars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told before anything is started."""
    full = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)

    with pytest.raises(EmbeddedLogError, match=r"needs 200 MB to start, 1 MB are free"):
        _start(home, jars)


def test_home_that_may_not_be_written(tmp_path: Path, jars: Path) -> None:
    """A home in which nothing can be written is named."""
    (tmp_path / "file").write_text("not a directory")

    with pytest.raises(EmbeddedLogError, match="nothing can be written"):
        _start(tmp_path / "file" / "home", jars)


def test_commands(home: Path, jars: Path) -> None:
    """`edml up`, `status` and `down` say what runs, in words and as JSON, and exit accordingly."""
    runner = CliRunner(env={"EDML_HOME": str(home), "EDML_JARS": str(jars)})
    nothing = runner.invoke(status_command, [])
    started = runner.invoke(up_command, ["--port", "0", "--registry-port", "0", "--json"])
    facts = json.loads(started.stdout)
    words = runner.invoke(status_command, [])
    stopped = runner.invoke(down_command, [])
    again = runner.invoke(down_command, [])

    assert (nothing.exit_code, "Nothing runs" in nothing.stdout) == (1, True)
    assert started.exit_code == 0
    assert facts["ready"]
    assert facts["registry_url"].endswith("/apis/ccompat/v7")
    assert facts["broker"]["pid"] != facts["registry"]["pid"]
    assert (words.exit_code, facts["bootstrap_servers"] in words.stdout) == (0, True)
    assert stopped.stdout == "stopped the schema registry and Kafka\n"
    assert again.stdout == f"nothing was running under {home}\n"
