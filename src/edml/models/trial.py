"""A model is tried in a process of its own before the one that serves loads it.

What a library of models does with a hostile or broken file is beyond Python: it may end the process
(a fault, `os._exit`), take all memory, or never come back. So a version that this machine has never
admitted is first unpacked, loaded and asked in a child with little priority, bounded memory and
bounded time. Only what comes out of there whole is loaded where events are waiting.

`Trials` remembers, by artefact and by the versions of the libraries, what was admitted here: that
needs no trial again. It also remembers what is being loaded. What was begun and never finished is
tried once more, for a machine may lose its power at any time; what was begun so twice is refused,
so that a model that ends its process cannot do so for ever.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from signal import Signals
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Final

import polars as pl

from edml.errors import EdmlError, ModelRefusedError
from edml.models.records import Model

MOST_UNFINISHED: Final = 2
"""So often may a load end together with its process before the version is refused."""

ARTEFACT: Final = "artefact.zip"
ROWS: Final = "rows.arrow"
TASK: Final = "task.json"
REFUSAL: Final = "refusal.txt"
PASSED: Final = "passed"

_LIBRARIES: Final = ("edml", "numpy", "onnxruntime", "tensorflow")
_POLL_S: Final = 0.05
_MOST_TIMES: Final = 20
"""So many times its time may a trial take in all, however busy the machine is."""
_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a trial may take; ``memory_mb`` is what it allocates, beyond the libraries' code.

    Of ``time_s`` does not count how long it could have run while others did: a busy machine makes
    no model worse.
    """

    time_s: float = 120.0
    memory_mb: int = 8192


class Trials:
    """What was tried and admitted on this machine, by one instance among others.

    ``folder`` is shared by the instances of a machine, ``instance`` is the name of this one.
    """

    def __init__(self, folder: Path, instance: str, limits: Limits | None = None) -> None:
        self._folder = folder
        self._instance = instance
        self._limits = limits or Limits()
        self._stop = Event()
        self.passed = Event()
        """Set once a model has passed: it is loaded next, and that is known to go well."""

    def stop(self) -> None:
        """End the trial that is under way, if any, and begin no other."""
        self._stop.set()

    def run(self, model: Model, packed: bytes, rows: pl.DataFrame, sizes: Sequence[int]) -> None:
        """Try a model on some rows, unless it was admitted here before.

        Raises:
            ModelRefusedError: it failed, with the cause.
        """
        unfinished = self._unfinished(model)
        if unfinished >= MOST_UNFINISHED:
            raise ModelRefusedError(
                f"its load was begun {unfinished} times and never finished: "
                "the process ended each time",
                where=str(self._begun(model)),
                todo="publish a model that can be loaded; remove this file to have it tried again",
            )
        if unfinished or not self._admitted(model).exists():
            self._try(model, packed, rows, sizes)
        self.passed.set()

    @contextmanager
    def loading(self, model: Model) -> Iterator[None]:
        """Remember that a model is being loaded, until that ends; and that it was, if it went well.

        An error within is an end, too: only the end of the process leaves the mark.
        """
        begun = self._begun(model)
        begun.parent.mkdir(parents=True, exist_ok=True)
        _write(begun, str(self._unfinished(model) + 1))
        try:
            yield
            _write(self._admitted(model), model.version)
        finally:
            begun.unlink(missing_ok=True)

    def _try(self, model: Model, packed: bytes, rows: pl.DataFrame, sizes: Sequence[int]) -> None:
        with TemporaryDirectory(prefix="edml-trial-") as name:
            folder = Path(name)
            (folder / ARTEFACT).write_bytes(packed)
            rows.write_ipc(folder / ROWS)
            task = {
                "flavour": model.flavour,
                "sizes": list(sizes),
                "memory_bytes": self._limits.memory_mb * _MEBIBYTE,
                "time_s": self._limits.time_s,
            }
            (folder / TASK).write_text(json.dumps(task))
            self._in_child(folder)

    def _in_child(self, folder: Path) -> None:
        """Run the trial in a child, and say what came of it.

        It ends with us: it reads a pipe whose other end we hold.
        """
        with (folder / "output.txt").open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "edml.models.trial_child", str(folder)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
            try:
                code = self._waited(child)
            finally:
                child.kill()
                child.wait()
                if child.stdin is not None:
                    child.stdin.close()
        if (folder / REFUSAL).exists():
            raise ModelRefusedError((folder / REFUSAL).read_text(encoding="utf-8"))
        if code != 0 or not (folder / PASSED).exists():
            raise ModelRefusedError(f"to load it ends the process: {_ending(code)}, tried apart")

    def _waited(self, child: "subprocess.Popen[bytes]") -> int:
        begun, limit_s = monotonic(), self._limits.time_s
        while (code := child.poll()) is None:
            if self._stop.wait(_POLL_S):
                raise EdmlError("the trial of a model was stopped")
            took_s = monotonic() - begun
            if took_s > limit_s and (
                took_s > _MOST_TIMES * limit_s or took_s - kept_waiting_s(child.pid) > limit_s
            ):
                raise ModelRefusedError(
                    f"it is not loaded and warm within {self._limits.time_s:g} s",
                    todo="publish a smaller model, or raise EDML_TRIAL_S",
                )
        return code

    def _unfinished(self, model: Model) -> int:
        try:
            return int(self._begun(model).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _begun(self, model: Model) -> Path:
        return self._folder / f"{_key(model)}.{self._instance}.loading"

    def _admitted(self, model: Model) -> Path:
        return self._folder / f"{_key(model)}.admitted"


def kept_waiting_s(pid: int) -> float:
    """How long a process could have run, and others did: of its threads, the one that waited most.

    Zero where the system does not tell it
    (https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat).
    """
    waited_ns = 0
    for each in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread may end at any time
            waited_ns = max(waited_ns, int(each.read_text().split()[1]))
    return waited_ns / 1e9


def _write(path: Path, text: str) -> None:
    """Write a mark so that it outlives the process and the machine."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _key(model: Model) -> str:
    """What a trial's result depends on: the artefact, and what loads it."""
    facts = [model.sha256, model.flavour, sys.version, *map(_version, _LIBRARIES)]
    return sha256("\n".join(facts).encode()).hexdigest()[:32]


def _version(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return library


def _ending(code: int) -> str:
    if code < 0:
        return Signals(-code).name
    return f"exit code {code}"
