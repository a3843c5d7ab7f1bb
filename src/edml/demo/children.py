"""The demo's child processes: commands of edml, each in a session of its own, none left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from edml.errors import EdmlError

PATIENCE_S: Final = 10.0
POLL_S: Final = 0.05
LAST_LINES: Final = 12
POLITE: Final = 10
"""The niceness of what runs in the background: it takes what the others leave."""


class ChildEndedError(EdmlError):
    """A command that the demo started has failed; its last lines are in the message."""


@dataclass(frozen=True, slots=True)
class Child:
    """A command of edml that runs, and the file that holds what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.process.poll() is not None

    @property
    def last_line(self) -> str:
        """What it said last."""
        lines = self.last_lines()
        return lines[-1] if lines else ""

    def last_lines(self, count: int = LAST_LINES) -> Sequence[str]:
        """What it said last, blank lines and overwritten progress bars left out."""
        text = self.log_file.read_bytes()[-20_000:].decode(errors="replace")
        said = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
        return [line for line in said if line][-count:]

    def check(self) -> None:
        """Raise `ChildEndedError` when it has failed."""
        code = self.process.poll()
        if code:
            raise self._ended(f"exit code {code}" if code > 0 else signal.Signals(-code).name)

    def check_runs(self) -> None:
        """Raise `ChildEndedError` when it runs no more, be it in good order."""
        self.check()
        if self.ended:
            raise self._ended("exit code 0, though it should still run")

    def _ended(self, how: str) -> ChildEndedError:
        said = "".join(f"\n    {line}" for line in self.last_lines())
        return ChildEndedError(
            f"`edml {self.name}` has ended: {how}; the last lines it wrote:{said}",
            where=str(self.log_file),
            todo="mend what they say, and run `edml demo` again",
        )


class Children:
    """Starts commands, and ends every one of them when the context is left."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = dict(environment)
        self.logs = logs
        self._running: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, name: str, arguments: Sequence[str], *, politely: bool = False) -> Child:
        """Start ``edml arguments``; what it says goes to a file called ``name``."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log_file = self.logs / f"{name}.log"
        with log_file.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "edml", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        child = Child(name, process, log_file)
        self._running.append(child)
        if politely:
            psutil.Process(process.pid).nice(POLITE)
        return child

    def stop(self, *children: Child) -> None:
        """Ask these, or all, to end; end those that have not within `PATIENCE_S`."""
        stopped = list(children or self._running)
        for child in stopped:
            if not child.ended:
                child.process.terminate()
        _wait(lambda: all(child.ended for child in stopped), PATIENCE_S)
        for child in stopped:
            _kill_group(child.process.pid)
            child.process.wait()
            if child in self._running:
                self._running.remove(child)


def descendants() -> Sequence[psutil.Process]:
    """Every process that we started, or that one of these started, and that still runs."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if runs(each)]


def end_descendants() -> Sequence[psutil.Process]:
    """End every process that we started and that still runs; gives back those that did not end."""
    for each in descendants():
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(descendants(), timeout=PATIENCE_S)
    return descendants()


def runs(process: psutil.Process) -> bool:
    """Whether a process has not ended."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kill_group(pid: int) -> None:
    """End what is left of a child's session: the child leads it, so the group has its number."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return


def _wait(until: Callable[[], bool], at_most_s: float) -> None:
    deadline = time.monotonic() + at_most_s
    while not until() and time.monotonic() < deadline:
        time.sleep(POLL_S)
