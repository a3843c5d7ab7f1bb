import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from edml.kafka.embedded import EmbeddedLog

PARCELS = str(Path(__file__).parent.parent / "parcels.py") + ":parcels"
PATIENCE_S = 240.0


class Commands:
    """The commands, as somebody runs them who has declared an application in a file."""

    def __init__(self, log: EmbeddedLog, home: Path) -> None:
        self.home = home
        self._environment = {
            **os.environ,
            "EDML_APP": PARCELS,
            "EDML_HOME": str(home),
            "EDML_BOOTSTRAP_SERVERS": log.bootstrap_servers,
            "EDML_REGISTRY_URL": log.registry_url,
            "EDML_TOPIC_PREFIX": "e2e.",
        }

    def run(self, *arguments: str) -> str:
        """Run a command to its end, and give back what it prints."""
        done = subprocess.run(
            self._command(arguments),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[None]:
        """Run a command until the context ends, and see that it stops cleanly."""
        with (self.home / f"{arguments[0]}.log").open("w") as output:
            process = subprocess.Popen(
                self._command(arguments), env=self._environment, stdout=output, stderr=output
            )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=240)
        assert code == 0, (self.home / f"{arguments[0]}.log").read_text()

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "edml", *arguments]


@pytest.mark.timeout(900)
def test_an_application_of_a_user_runs_the_whole_loop(log: EmbeddedLog, tmp_path: Path) -> None:
    """Parcels, declared in one file: trained, published, served, scored, replaced while it runs."""
    edml = Commands(log, tmp_path)
    fast = ("--from", "2026-01-01", "--to", "2026-01-31", "--epochs", "1", "--no-lightgbm")
    for number, flavour in enumerate(("savedmodel", "onnx")):
        edml.run("train", *fast, "--output", str(tmp_path / flavour))
        if number == 0:
            edml.run("publish", str(tmp_path / flavour), "--flavour", flavour)
    with edml.running("serve"), edml.running("score"):
        edml.run("replay", "--from", "2026-01-01", "--to", "2026-01-20", "--speed", "max")
        eventually(lambda: counts(edml).get("champion", 0) >= 300)
        edml.run("publish", str(tmp_path / "onnx"), "--flavour", "onnx")
        eventually(lambda: len(loaded(edml)) == 2)
        edml.run("replay", "--from", "2026-01-21", "--to", "2026-01-31", "--speed", "max")
        eventually(lambda: total(edml) >= 31 * 24)
    assert total(edml) == 31 * 24


def scores(edml: Commands) -> list[dict[str, Any]]:
    """What `edml scores` says."""
    document = json.loads(edml.run("scores", "--json"))
    found: list[dict[str, Any]] = document["scores"] if isinstance(document, dict) else document
    return found


def counts(edml: Commands) -> dict[str, int]:
    """How many predictions are scored, by role."""
    return {each["role"]: each["count"] for each in scores(edml)}


def total(edml: Commands) -> int:
    """How many predictions of champions are scored."""
    return sum(each["count"] for each in scores(edml) if each["role"] == "champion")


def loaded(edml: Commands) -> set[str]:
    """The versions that were loaded where they are served."""
    history = json.loads(edml.run("models", "history", "--json"))
    return {each["version"] for each in history if each["kind"] == "loaded"}


def eventually(holds: Any) -> None:
    """Wait until it holds; fail when it does not come to hold."""
    until = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < until, "it never came to hold"
        sleep(0.5)
