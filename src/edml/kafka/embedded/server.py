"""One server of the log: a program of ours and the process that runs it."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from edml.errors import EmbeddedLogError
from edml.kafka.embedded.ports import HOST
from edml.kafka.embedded.process import Process, start

READY_TIMEOUT_S = 90.0
STOP_PATIENCE_S = 20.0
POLL_S = 0.05
CONNECT_TIMEOUT_S = 1.0
LAST_LINES = 8


class Program(Protocol):
    """What the broker and the registry have in common."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def port(self) -> int:
        """The port on which it listens."""

    @property
    def marker(self) -> str:
        """The argument of its command that nobody else's command has."""

    @property
    def log_file(self) -> Path:
        """Where it says what it does."""

    @property
    def output_file(self) -> Path:
        """Where it says why it could not even start."""

    def prepare(self) -> None:
        """Make what it needs on disk."""

    def command(self) -> list[str]:
        """Give back the command that runs it."""

    def answers(self) -> bool:
        """Whether it answers a request; asked only when its port is open."""


P = TypeVar("P", bound=Program)


@dataclass(slots=True)
class Server(Generic[P]):
    """A program, and the process that runs it, if any does."""

    program: P
    process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there, be it ready or not."""
        return self.process is not None and self.process.running

    @property
    def ready(self) -> bool:
        """Whether the server answers requests."""
        return self.running and _is_open(self.program.port) and self.program.answers()

    def start(self) -> None:
        """Start the process; it gets ready on its own."""
        self.program.prepare()
        self.process = start(
            self.program.command(), marker=self.program.marker, output=self.program.output_file
        )

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until the server answers. Raises ``EmbeddedLogError`` with what it wrote last."""
        deadline = time.monotonic() + timeout_s
        while not self.ready:
            if not self.running:
                raise self._not_ready(f"{self.program.name} ended while it was starting")
            if time.monotonic() > deadline:
                raise self._not_ready(f"{self.program.name} is not ready after {timeout_s:.0f} s")
            time.sleep(POLL_S)

    @property
    def running_process(self) -> Process:
        """The process. Raises ``EmbeddedLogError`` when none was started."""
        if self.process is None:
            raise EmbeddedLogError(f"{self.program.name} was not started", todo="run `edml up`")
        return self.process

    def ask_to_stop(self) -> None:
        """Let the server begin to end in good order; `stop` waits for it."""
        if self.process is not None:
            self.process.ask_to_stop()

    def stop(self, *, patience_s: float = STOP_PATIENCE_S) -> None:
        """Let the server end in good order; kill it when it has not within ``patience_s``."""
        if self.process is not None:
            self.process.stop(patience_s=patience_s)

    def kill(self) -> None:
        """End the server at once."""
        if self.process is not None:
            self.process.kill()

    def _not_ready(self, what: str) -> EmbeddedLogError:
        files = (self.program.output_file, self.program.log_file)
        written = [line for file in files if file.exists() for line in _last_lines(file)]
        return EmbeddedLogError(
            "\n".join([f"{what}; the last lines it wrote:", *(f"    {line}" for line in written)]),
            where=str(self.program.log_file),
            todo="mend what they say and run `edml up` again; is the disk full, or is there less"
            " than 1 GB of free memory?",
        )


def _is_open(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _last_lines(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    # Where in Java's code it happened helps nobody who reads this.
    return [line for line in lines if not line.startswith("\tat ")][-LAST_LINES:]
