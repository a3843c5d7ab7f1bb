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

from edml.errors import LogError

LAST_SLOT = 999


@contextmanager
def instance(home: Path, group: str) -> Iterator[str]:
    """Hold the first free slot of a consumer group under ``home``; gives back the instance's name.

    Raises `LogError` when the folder cannot be written.
    """
    folder = home / "instances"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        machine = _machine(folder)
        for slot in range(LAST_SLOT + 1):
            with (folder / f"{group}-{slot}.lock").open("w") as lock:
                if _locked(lock.fileno()):
                    lock.write(f"{os.getpid()}\n")
                    lock.flush()
                    yield f"{group}-{machine}-{slot}"
                    return
    except OSError as error:
        raise LogError(
            f"the instance's folder cannot be used: {error.strerror}",
            where=str(folder),
            todo="make it writable, or set EDML_HOME to a folder that is",
        ) from error
    raise LogError(f"{LAST_SLOT + 1} instances of {group} run here already", where=str(folder))


def _machine(folder: Path) -> str:
    """A name for this folder's machine: drawn once, then kept."""
    path = folder / "machine"
    try:
        with path.open("x") as file:
            file.write(uuid.uuid4().hex[:8])
    except FileExistsError:
        pass
    return path.read_text().strip()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
