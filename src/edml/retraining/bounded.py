"""Runs a training in a process of its own, with bounds on its time and memory.

What a training does with its memory is beyond Python, and so is how it ends: whatever happens to
that process, the worker lives on and can say what happened.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from signal import Signals
from threading import Thread
from time import monotonic, sleep
from typing import IO, Final

import psutil

from edml.errors import TrainingError
from edml.retraining.assignment import Workplace

Tell = Callable[[str, float], None]
"""Told what is being done, in a few words, and which share of that is done."""

CHILD: Final = "edml.retraining.child"
_POLL_S: Final = 0.1
_MEBIBYTE: Final = 1 << 20
_LEAST_WORDS: Final = 300


class InterruptedTrainingError(Exception):
    """The training was ended because the worker has to stop, or is not the holder any more."""


@dataclass(frozen=True)
class Bounds:
    """What a training may take: seconds, and MiB of memory."""

    time_s: float
    memory_mb: int


def run(
    workplace: Workplace,
    bounds: Bounds,
    goes_on: Callable[[], bool],
    tell: Tell,
    module: str = CHILD,
) -> None:
    """Run the training of a folder until its result is there; ``goes_on`` is asked all the time.

    Raises:
        TrainingError: it failed, took too long or too much memory, or ended otherwise.
        InterruptedTrainingError: ``goes_on`` said no.
    """
    workplace.failure.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, str(workplace.folder), str(bounds.memory_mb)]
    with workplace.output.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
        )
        listener = Thread(target=_listen, args=(child.stdout, tell), daemon=True)
        listener.start()
        try:
            code = _waited(child, bounds, goes_on)
        finally:
            child.kill()
            child.wait()
            listener.join()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
    if workplace.failure.is_file():
        raise TrainingError(workplace.failure.read_text("utf-8"))
    if code != 0 or workplace.result() is None:
        raise TrainingError(f"the training's process ended: {_ending(code, workplace)}")


def _waited(child: "subprocess.Popen[bytes]", bounds: Bounds, goes_on: Callable[[], bool]) -> int:
    end = monotonic() + bounds.time_s
    while (code := child.poll()) is None:
        if not goes_on():
            raise InterruptedTrainingError
        if monotonic() > end:
            raise TrainingError(
                f"the training took more than {bounds.time_s:g} s",
                todo="raise the application's policy.training_s, or give it less history",
            )
        if _memory_mb(child.pid) > bounds.memory_mb:
            raise out_of_memory(bounds.memory_mb)
        sleep(_POLL_S)
    return code


def out_of_memory(memory_mb: int) -> TrainingError:
    """The error of a training that needs more memory than it may have."""
    return TrainingError(
        f"the training took more than {memory_mb} MiB of memory",
        todo="raise the application's policy.training_mb, or give it less history",
    )


def _memory_mb(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MEBIBYTE
    except psutil.Error:  # it has ended meanwhile
        return 0.0


def _listen(told: IO[bytes] | None, tell: Tell) -> None:
    """Pass on what the child tells, a JSON line each."""
    for line in told or ():
        try:
            what, done = json.loads(line)
        except ValueError:  # a library prints something of its own
            continue
        tell(what, done)


def _ending(code: int, workplace: Workplace) -> str:
    how = Signals(-code).name if code < 0 else f"exit code {code}"
    words = workplace.output.read_text("utf-8", errors="replace").strip()[-_LEAST_WORDS:]
    return f"{how}: …{words}" if words else how
