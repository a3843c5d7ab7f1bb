"""One command, several processes: as many instances of its group, which share the partitions.

Python's interpreter lock lets one process use little more than one processor. What every process
says goes to the same terminal, each line with the worker's number. They live and end together: when
one ends, the others are stopped and the command ends, for whoever runs it to start it again; and
they end by themselves when the command is killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import Final

import click

from edml.cli.options import Guarantee
from edml.errors import EdmlError

WORKER: Final = "_EDML_WORKER"
"""In the environment of a worker: its number, and the process that has started it."""

POLL_S: Final = 0.2

workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="So many processes, which share the partitions.",
)


class WorkerEndedError(EdmlError):
    """A worker has ended that nobody has stopped."""

    def __init__(self, number: int, code: int) -> None:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with {code}"
        super().__init__(
            f"worker {number} {how}, and the others were stopped",
            todo="see above what it said, and start the command again: nothing is lost",
        )


def worker() -> str:
    """The number of the worker that this process is; empty if it is none."""
    return os.environ.get(WORKER, "").partition(":")[0]


def end_with_the_command(stop: Event) -> None:
    """If this process is a worker, have ``stop`` set when the command was killed."""
    command = os.environ.get(WORKER, "").partition(":")[2]

    def watch() -> None:
        while os.getppid() == int(command):
            time.sleep(POLL_S)
        stop.set()

    if command:
        Thread(target=watch, name="end with the command", daemon=True).start()


def again(command: str, app: str | None, guarantee: Guarantee, *, verbose: bool) -> list[str]:
    """The arguments with which a worker does what the command was asked to."""
    told = [command, "--guarantee", guarantee]
    if app is not None:
        told += ["--app", app]
    return [*told, "--verbose"] if verbose else told


def supervise(count: int, arguments: Sequence[str], stop: Event) -> None:
    """Run ``edml`` with these arguments in so many processes, until ``stop`` is set.

    Raises `WorkerEndedError` when one has ended before.
    """
    workers: list[subprocess.Popen[bytes]] = []
    try:
        workers += (_started(number, arguments) for number in range(1, count + 1))
        while not stop.wait(POLL_S):
            if any(each.poll() is not None for each in workers):
                break
        codes = [each.poll() for each in workers]
        for each in workers:
            each.terminate()
        for each in workers:
            each.wait()
    except BaseException:  # a second Ctrl-C, among others: nobody is left behind
        for each in workers:
            each.kill()
        raise
    for number, code in enumerate(codes, start=1):
        if code is not None and not stop.is_set():
            raise WorkerEndedError(number, code)


def _started(number: int, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a worker. Ctrl-C does not reach it, but the command, which stops it."""
    return subprocess.Popen(
        [sys.executable, "-m", "edml", *arguments],
        env={**os.environ, WORKER: f"{number}:{os.getpid()}"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
