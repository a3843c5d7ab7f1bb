"""The real commands as child processes: they are killed, frozen, woken and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.broker.city import City

PATIENCE_S = 120.0


@dataclass
class Instance:
    """A child that runs ``edml serve`` or ``edml score``; what it says goes to ``log``.

    Another child, the ``writer``, writes it there: what an instance says is kept, too, when it can
    write no file any more.
    """

    command: str
    process: "subprocess.Popen[bytes]"
    writer: "subprocess.Popen[bytes]"
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
        self.ended()

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
        code = self.process.wait(PATIENCE_S)
        self.writer.wait(PATIENCE_S)
        return code

    def stop(self, by: int = signal.SIGTERM) -> float:
        """Ask it to end; the seconds that this took. Raises when it does not end well."""
        before = time.monotonic()
        self.process.send_signal(by)
        code = self.ended()
        assert code == 0, f"{self.log.name} ended with code {code}:\n{self.said}"
        return time.monotonic() - before


def start(  # noqa: PLR0913  each has its name where it is called
    city: City,
    command: str,
    log: Path,
    *,
    options: Sequence[str] = (),
    program: Sequence[str] = (),
    setting: Mapping[str, object] | None = None,
) -> Instance:
    """Start ``edml <command> <options>`` for the city's application.

    ``program`` is one of the programs beside this module with its first arguments, where it is not
    ``edml`` itself. ``setting`` holds settings, by the names that they have in ``edml.toml``.
    """
    settings = city.cluster.settings
    environment = {
        **os.environ,
        "EDML_HOME": str(settings.home),
        "EDML_BOOTSTRAP_SERVERS": str(settings.bootstrap_servers),
        "EDML_REGISTRY_URL": settings.registry.url,
        "EDML_TOPIC_PREFIX": settings.topic_prefix,
        **{f"EDML_{k.replace('.', '_').upper()}": str(v) for k, v in (setting or {}).items()},
    }
    beside = [str(Path(__file__).with_name(name)) for name in program[:1]]
    arguments = [*beside, *program[1:]] if program else ["-m", "edml"]
    with log.open("ab") as file:
        writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file)
    assert writer.stdin is not None
    with writer.stdin as output:
        process = subprocess.Popen(
            [sys.executable, *arguments, command, "--app", "taxi", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Instance(command, process, writer, log, time.monotonic())
