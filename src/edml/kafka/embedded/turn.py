"""One command at a time: two that start or stop the same log take turns."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edml.errors import EmbeddedLogError
from edml.kafka.embedded.progress import Progress


@contextmanager
def turn(home: Path, progress: Progress) -> Iterator[None]:
    """Wait until no other command starts or stops the log of ``home``; then it is ours alone."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock_file = (home / "turn.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise EmbeddedLogError(
            f"nothing can be written to {home}: {error.strerror}",
            where=str(home.absolute()),
            todo="set EDML_HOME to a directory that you may write",
        ) from error
    with lock_file:
        _take(lock_file, progress)
        yield


def _take(lock_file: TextIO, progress: Progress) -> None:
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock_file.seek(0)
        progress.step(f"waiting for process {lock_file.read()}, which starts or stops this log")
        fcntl.flock(lock_file, fcntl.LOCK_EX)
    lock_file.truncate(0)
    lock_file.write(str(os.getpid()))
    lock_file.flush()
