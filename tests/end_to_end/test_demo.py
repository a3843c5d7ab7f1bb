"""The demo, as a person runs it: the real command, from its start to the last process's end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

LONG_S = 900
"""Some ten times what it takes on a machine that does nothing else."""


class Demo:
    """A demo that runs, with what it prints in a file, and a home of its own."""

    def __init__(self, home: Path, jars: Path, *options: str) -> None:
        self.home = home
        self.printed = home / "printed.txt"
        home.mkdir()
        self._ports: set[int] = set()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EDML_")}
        with self.printed.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edml", "demo", "--plain", "--quick", *options],
                env={**kept, "EDML_HOME": str(home), "EDML_JARS": str(jars)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def until(self, text: str) -> None:
        """Wait until it has printed a text."""
        deadline = time.monotonic() + LONG_S
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        self._ports |= self._listening()

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(LONG_S)

    def what_to_try_next(self) -> Mapping[str, str]:
        """The commands that it tells to try, each with what it prints."""
        lines = [line.strip() for line in self.said.splitlines()]
        (config,) = [line.split("EDML_CONFIG=")[1] for line in lines if "EDML_CONFIG=" in line]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EDML_")}
        return {
            line.split()[1]: subprocess.run(
                [sys.executable, "-m", *line.split("#")[0].split()],
                env={**kept, "EDML_CONFIG": config, "COLUMNS": "120"},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            for line in lines
            if line.startswith("edml ")
        }

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.printed.read_text()

    @property
    def running(self) -> Mapping[int, list[str]]:
        """Every process on this machine that has to do with this demo's home."""
        found = {}
        for each in psutil.process_iter():
            try:
                known = [*each.cmdline(), *each.environ().values()]
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
            if any(str(self.home) in text for text in known):
                found[each.pid] = each.cmdline()
        return found

    @property
    def open_ports(self) -> set[int]:
        """Those of its ports that still answer."""
        return {port for port in self._ports if _answers(port)}

    def _listening(self) -> set[int]:
        return {
            connection.laddr.port
            for pid in self.running
            for connection in psutil.Process(pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home; whatever a failed test has left running in it is ended."""
    home = tmp_path / "home"
    yield home
    for each in psutil.process_iter():
        try:
            if any(str(home) in text for text in (*each.cmdline(), *each.environ().values())):
                each.kill()
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue


@pytest.mark.timeout(LONG_S)
def test_the_demo_shows_two_versions_and_every_event_predicted_once(
    home: Path, jars: Path, tmp_path: Path
) -> None:
    """And ends with a report in JSON, a summary, and nothing left running."""
    document = tmp_path / "demo.json"
    demo = Demo(home, jars, "--json", str(document))
    demo.until("loaded")
    assert demo.end() == 0, demo.said
    written = json.loads(document.read_text())
    assert list(written) == [
        "events",
        "predictions",
        "scored",
        "dead_letters",
        "rate_per_s",
        "latency_ms",
        "versions",
        "data",
        "releases",
        "days",
    ]
    first, second = written["versions"]
    assert (first["role"], second["role"]) == ("previous", "champion")
    assert first["version"] < second["version"]
    assert written["dead_letters"] == 3
    assert written["events"] == written["predictions"] + written["dead_letters"]
    assert written["scored"] == first["count"] + second["count"] <= written["predictions"]
    assert second["count"] >= 500
    assert all(0 < each["mae"] < each["rmse"] < 12 for each in written["versions"])
    assert 0 < written["latency_ms"]["p50"] <= written["latency_ms"]["p99"]
    assert written["rate_per_s"] > 0
    assert written["data"] == "simulated"
    for line in ("done  swap", "What the demo wrote is still there", "Nothing is left running."):
        assert line in demo.said
    assert demo.running == {}
    assert demo.open_ports == set()
    tried = demo.what_to_try_next()
    assert list(tried) == ["up", "models", "scores", "dead-letters", "topics", "report", "down"]
    for version in (first["version"], second["version"]):
        assert version in tried["models"]
    assert "3 dead letters" in tried["dead-letters"]
    assert demo.running == {}


@pytest.mark.timeout(LONG_S)
@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("begin log", signal.SIGINT),
        ("begin train", signal.SIGHUP),
        ("begin publish", signal.SIGTERM),
        ("begin retrain", signal.SIGINT),
    ],
)
def test_whenever_it_is_stopped_nothing_is_left(
    home: Path, jars: Path, stage: str, number: signal.Signals
) -> None:
    """By Ctrl-C, `kill` or a closed terminal."""
    demo = Demo(home, jars)
    demo.until(stage)
    time.sleep(1)
    demo.process.send_signal(number)
    assert demo.end() == 128 + number, demo.said
    assert "Nothing is left running." in demo.said
    assert demo.running == {}
    assert demo.open_ports == set()


@pytest.mark.timeout(LONG_S)
def test_when_a_command_dies_the_demo_says_which_and_ends(home: Path, jars: Path) -> None:
    """With the file that holds the rest, and nothing left running."""
    demo = Demo(home, jars)
    demo.until("begin train")
    training = [pid for pid, command in demo.running.items() if "train" in command]
    while not training:
        time.sleep(0.1)
        training = [pid for pid, command in demo.running.items() if "train" in command]
    os.kill(training[0], signal.SIGKILL)
    assert demo.end() == 1, demo.said
    assert "`edml train` has ended: SIGKILL" in demo.said
    assert str(home / "demo" / "logs" / "train.log") in demo.said
    assert demo.running == {}
    assert demo.open_ports == set()
