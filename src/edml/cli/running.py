"""What the commands share that run until they are stopped."""

import gc
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

import click

from edml.cli.workers import end_with_the_command, worker

OBJECTS_BETWEEN_COLLECTIONS = 200_000
SWITCH_AFTER_S = 0.000_5


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once."""
    stop = Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not worker():
            click.echo("Stopping: finishing what is under way…", err=True)
        stop.set()

    end_with_the_command(stop)
    before = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def log_to_terminal(*, verbose: bool) -> None:
    """One line an event on standard error: time, level, which worker, what happened."""
    who = f"{worker()}: " if worker() else ""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format=f"%(asctime)s %(levelname)-7s {who}%(message)s",
        datefmt="%H:%M:%S",
    )
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def suit_large_batches() -> None:
    """Have Python look for garbage seldom, and part its threads soon.

    A batch is tens of thousands of objects without a cycle among them, freed as soon as it is
    committed; to walk over them again and again takes a third of the time that a record takes. So
    Python looks for cycles once in some large batches, not twenty times in each. What is there
    already (modules, models) is never walked over again.

    The thread that reads and predicts gives the interpreter's lock away with each call of the
    model, some fifteen times a batch, and has to get it back from the one that commits: after half
    a millisecond, not five.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    sys.setswitchinterval(SWITCH_AFTER_S)
