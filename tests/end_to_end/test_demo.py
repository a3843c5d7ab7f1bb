"""The demo, as a person runs it: the real command, from its start to the last process's end."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.end_to_end.demo import LONG_S, Demo


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
        pytest.param("begin publish", signal.SIGTERM, marks=pytest.mark.long),
        ("begin retrain", signal.SIGTERM),
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
