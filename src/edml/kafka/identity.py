"""Who an instance is: a slot that only one process on this machine can hold.

The slot's name is the instance's ``transactional.id`` and ``group.instance.id``. A process that
takes over a slot after a crash is the same member to Kafka: it fences its predecessor's transaction
at once instead of waiting for it to time out (KIP-98, KIP-345).
"""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edml.errors import LogError

LAST_SLOT = 999


@contextmanager
def instance(home: Path, group: str) -> Iterator[str]:
    """Hold the first free slot of a consumer group under ``home``; gives back the instance's name.

    Raises `LogError` when the folder cannot be written.
    """
    name, lock = _first_free(home / "instances", group)
    with lock:
        yield name


def _first_free(folder: Path, group: str) -> tuple[str, TextIO]:
    """An instance's name, and the file whose lock is held while it is open."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        machine = _machine(folder)
        for slot in range(LAST_SLOT + 1):
            lock = (folder / f"{group}-{slot}.lock").open("a")
            if _locked(lock.fileno()):
                lock.truncate(0)
                lock.write(f"{os.getpid()}\n")
                lock.flush()
                return f"{group}-{machine}-{slot}", lock
            lock.close()
    except OSError as error:
        raise LogError(
            f"the instance's folder cannot be used: {error.strerror}",
            where=str(folder),
            todo="make it writable, or set EDML_HOME to a folder that is",
        ) from error
    raise LogError(f"{LAST_SLOT + 1} instances of {group} run here already", where=str(folder))


def _machine(folder: Path) -> str:
    """A name for this folder's machine: drawn once, then kept."""
    with (folder / "machine").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # one process draws; the others wait, and read
        file.seek(0)
        name = file.read().strip()
        if not name:  # a full disk keeps the file, but not what was to stand in it
            name = uuid.uuid4().hex[:8]
            file.write(name)
            file.flush()
        return name


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
