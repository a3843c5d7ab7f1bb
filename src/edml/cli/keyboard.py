"""Keys of a terminal, one by one, without Enter; a job in the background is left in peace."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

ReadKey: TypeAlias = Callable[[float], str | None]
"""Waits some seconds for a key, and gives it back; None if there was none."""


@contextmanager
def keys() -> Iterator[ReadKey | None]:
    """Read keys of standard input while the context lasts; None where it is no terminal."""
    if not sys.stdin.isatty():
        yield None
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def listen(number: int = 0, frame: FrameType | None = None) -> None:
        """Have keys come at once; again after the process was suspended, as the shell undoes it."""
        del number, frame
        if _in_foreground(terminal):
            tty.setcbreak(terminal)

    def read(seconds: float) -> str | None:
        ready = select.select([terminal], [], [], seconds)[0] and _in_foreground(terminal)
        return os.read(terminal, 1).decode(errors="replace") if ready else None

    continued = signal.signal(signal.SIGCONT, listen)
    listen()
    try:
        yield read
    finally:
        signal.signal(signal.SIGCONT, continued)
        if _in_foreground(terminal):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _in_foreground(terminal: int) -> bool:
    return os.tcgetpgrp(terminal) == os.getpgrp()
