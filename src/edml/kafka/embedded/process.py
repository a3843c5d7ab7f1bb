"""Child processes that outlive us, and how to find exactly them again.

A process id alone is no identity: the system gives it to another process some day. A process is
ours if it was started at the time that we noted and still runs the command that we gave it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

# The start time is counted from the boot, which the system's clock may move by a little.
START_TIME_TOLERANCE_S = 2.0
STDIN, STDOUT, STDERR = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Process:
    """A child process: ``started_at`` (seconds since the epoch) with ``marker`` in its command."""

    pid: int
    started_at: float
    marker: str

    @property
    def running(self) -> bool:
        """Whether the very process that we started still runs (or is stopped by a signal)."""
        return self._found() is not None

    @property
    def memory_bytes(self) -> int:
        """How much memory the process holds; 0 when it does not run."""
        found = self._found()
        return 0 if found is None else int(found.memory_info().rss)

    def ask_to_stop(self) -> None:
        """Ask the process to end in good order (SIGTERM)."""
        found = self._found()
        if found is not None:
            found.terminate()
            found.resume()  # a frozen process does not hear that it shall end

    def stop(self, *, patience_s: float) -> None:
        """Ask the process to end, and end it when it has not within ``patience_s`` seconds."""
        found = self._found()
        if found is None:
            return
        self.ask_to_stop()
        try:
            found.wait(patience_s)
        except psutil.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once (SIGKILL)."""
        found = self._found()
        if found is None:
            return
        for process in (*found.children(recursive=True), found):
            process.kill()
        found.wait()

    def suspend(self) -> None:
        """Freeze the process (SIGSTOP)."""
        found = self._found()
        if found is not None:
            found.suspend()

    def resume(self) -> None:
        """Let the frozen process go on (SIGCONT)."""
        found = self._found()
        if found is not None:
            found.resume()

    def _found(self) -> psutil.Process | None:
        try:
            found = psutil.Process(self.pid)
            ours = (
                abs(found.create_time() - self.started_at) < START_TIME_TOLERANCE_S
                and found.status() != psutil.STATUS_ZOMBIE
                # Java's launcher executes itself once more; meanwhile there is no command to read.
                and self.marker in (found.cmdline() or [self.marker])
            )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None  # a process that we may not even look at is not ours
        return found if ours else None


def start(command: list[str], *, marker: str, output: Path) -> Process:
    """Start ``command`` in a session of its own, so that Ctrl-C in our terminal does not reach it.

    What it prints goes to the file ``output``. ``marker`` has to be one of its arguments.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, STDIN, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, STDOUT, str(output), write, 0o644),
            (os.POSIX_SPAWN_DUP2, STDOUT, STDERR),
        ],
        setsid=True,
    )
    return Process(pid, psutil.Process(pid).create_time(), marker)
