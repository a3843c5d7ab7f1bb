"""Ctrl-C, `kill` and a closed terminal end the demo alike: in good order, wherever it is."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(BaseException):
    """A signal asks us to end. Not an `Exception`, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal has ended."""
        return 128 + self.number


@contextmanager
def raised() -> Iterator[None]:
    """The first signal raises `StoppedError` where we are; those after it are not heard."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise StoppedError(number)

    before = {each: signal.signal(each, on_signal) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def ignore() -> None:
    """From now on no signal is heard: what is being ended is ended to the end."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
