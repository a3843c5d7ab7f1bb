"""Child processes that are always ended, and what they take of processor and memory."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from edml.errors import EdmlError

PATIENCE_S = 30.0
LAST_BYTES = 4_000
POLL_S = 0.02


@dataclass(frozen=True)
class Command:
    """A program with its arguments, and what its environment says beside ours."""

    arguments: Sequence[str]
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Child:
    """A child that runs a ``command``; what it says goes to ``output``."""

    command: Command
    process: "subprocess.Popen[bytes]"
    output: Path
    started_s: float

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def check(self) -> None:
        """Raise with its last words when it has ended."""
        if self.process.poll() is not None:
            said = self.output.read_bytes()[-LAST_BYTES:].decode(errors="replace")
            raise EdmlError(
                f"{self.output.stem} has ended with code {self.process.returncode}:\n{said}",
                where=str(self.output),
                todo="mend what it says; the peers' programs are in bench/programs",
            )

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_until_it_says(self, word: str) -> str:
        """Wait for a line that begins with a word; gives back the rest of the line."""
        while True:
            for line in self.said.splitlines(keepends=True):
                if line.startswith(word) and line.endswith("\n"):  # else it still speaks
                    return line.removeprefix(word).strip()
            self.check()
            time.sleep(POLL_S)

    def ended_within(self, seconds: float) -> bool:
        """Whether it ends by itself in so many seconds."""
        try:
            self.process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Ask it to end; kill it when it has not in `PATIENCE_S`, or when we must not wait."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(command: Command, output: Path) -> Iterator[Child]:
    """A child, in a session of its own so that Ctrl-C reaches us alone; ended with the context."""
    output.parent.mkdir(parents=True, exist_ok=True)
    started_s = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            list(command.arguments),
            env={**os.environ, **(command.environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child = Child(command, process, output, started_s)
    try:
        yield child
    finally:
        if process.poll() is None:
            child.stop()


def cpu_s(pid: int) -> float:
    """The processor time that a process has taken, in seconds."""
    taken = psutil.Process(pid).cpu_times()
    return float(taken.user + taken.system)


def machine_cpu_s() -> float:
    """The processor time that everybody on this machine has taken, in seconds."""
    taken = psutil.cpu_times()
    return float(sum(taken) - taken.idle - getattr(taken, "iowait", 0.0))


def rss_mb(pid: int) -> float:
    """The memory that a process holds, in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
