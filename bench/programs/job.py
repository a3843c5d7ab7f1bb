"""What a program is told on its command line: ``name=value``, as the Java programs are told it."""

import signal
import sys
from collections.abc import Mapping
from threading import Event


def job() -> Mapping[str, str]:
    """The names and values of the command line."""
    return dict(argument.split("=", 1) for argument in sys.argv[1:])


def stopped() -> Event:
    """Set when this process is asked to end."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
