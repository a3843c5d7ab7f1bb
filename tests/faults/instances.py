"""The real commands as child processes: they are killed, frozen, woken and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.broker.city import City

CRASHING = Path(__file__).with_name("crashing.py")
PATIENCE_S = 60.0


@dataclass
class Instance:
    """A child that runs ``edml serve`` or ``edml score``; what it says goes to ``log``."""

    command: str
    process: "subprocess.Popen[bytes]"
    log: Path
    started_s: float

    @property
    def said(self) -> str:
        """What it has said."""
        return self.log.read_text(encoding="utf-8")

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Take the processor away from it."""
        self.process.send_signal(signal.SIGSTOP)

    def wait_until_frozen(self) -> None:
        """Wait until it has frozen itself."""
        child = psutil.Process(self.process.pid)
        until = time.monotonic() + PATIENCE_S
        while child.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < until, f"{self.log.name} does not freeze:\n{self.said}"
            time.sleep(0.02)

    def wake(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        return self.process.wait(PATIENCE_S)

    def stop(self, by: int = signal.SIGTERM) -> float:
        """Ask it to end; the seconds that this took. Raises when it does not end well."""
        before = time.monotonic()
        self.process.send_signal(by)
        code = self.ended()
        assert code == 0, f"{self.log.name} ended with code {code}:\n{self.said}"
        return time.monotonic() - before


def start(
    city: City,
    command: str,
    log: Path,
    *,
    crash: str | None = None,
    setting: Mapping[str, object] | None = None,
) -> Instance:
    """Start ``edml <command>`` for the city's application.

    ``crash`` names a moment of `tests.faults.crashing` at which it dies. ``setting`` holds settings
    of its own, by the names that they have in ``edml.toml``.
    """
    settings = city.cluster.settings
    program = ["-m", "edml"] if crash is None else [str(CRASHING), crash]
    environment = {
        **os.environ,
        "EDML_HOME": str(settings.home),
        "EDML_BOOTSTRAP_SERVERS": str(settings.bootstrap_servers),
        "EDML_REGISTRY_URL": settings.registry.url,
        "EDML_TOPIC_PREFIX": settings.topic_prefix,
        **{f"EDML_{k.replace('.', '_').upper()}": str(v) for k, v in (setting or {}).items()},
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *program, command, "--app", "taxi"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Instance(command, process, log, time.monotonic())
