"""Which models serve: follows the log in a thread, and loads models off the record path.

A model that is refused leaves the one before in its role, and is told about as a release. What
serves is swapped as a whole: a batch begins and ends with the same models.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from edml.application import Role
from edml.errors import ModelRefusedError, RegistryUnavailableError
from edml.kafka.models_topic import ModelsTable
from edml.models.records import Model, Release, ReleaseKind, Roles
from edml.serving.served import Predicts, ServedModel

logger = logging.getLogger(__name__)

Admits = Callable[[Model], Predicts]
"""Checks, loads and warms a model; raises `ModelRefusedError` with the cause when it is no good."""

Tells = Callable[[Release], None]
"""Writes a release."""

POLL_S = 0.2


class ModelWatch:
    """The models that serve now, kept up to date in the background. Use it as a context."""

    def __init__(  # noqa: PLR0913  each has its name where it is called
        self,
        table: ModelsTable,
        admit: Admits,
        tell: Tells,
        *,
        by: str,
        cancel: Callable[[], None] = lambda: None,
        passed: threading.Event | None = None,
    ) -> None:
        """``passed`` is set when a model is about to be loaded of which no trouble is expected."""
        self._table = table
        self._admit = admit
        self._tell = tell
        self._by = by
        self._cancel = cancel
        self._passed = passed or threading.Event()
        self._current: tuple[ServedModel, ...] = ()
        self._refused: set[str] = set()
        self._untold: list[Release] = []
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._cancel()
        self._thread.join()
        self._table.close()

    def current(self) -> Sequence[ServedModel]:
        """What serves now: the champion first, then those in the shadow."""
        if self._failure is not None:
            raise self._failure
        return self._current

    def coming(self, stop: threading.Event) -> bool:
        """Wait until a first model is about to be loaded; False when ``stop`` was set before."""
        return self._wait(self._passed, stop)

    def wait(self, stop: threading.Event) -> bool:
        """Wait until there is a champion; False when ``stop`` was set before."""
        return self._wait(self._changed, stop)

    def _wait(self, until: threading.Event, stop: threading.Event) -> bool:
        while not (self.current() or until.wait(POLL_S)):
            if stop.is_set():
                return False
        return True

    def _run(self) -> None:
        try:
            due = False
            while not self._stop.is_set():
                try:
                    due = self._table.poll(POLL_S) or due
                    if due:
                        self._serve(self._table.roles)
                        due = False
                except RegistryUnavailableError as error:
                    logger.warning("Models wait for the schema registry. %s", error)
                    self._stop.wait(POLL_S)
        except Exception as failure:  # noqa: BLE001  raised again by `current`, where it is noticed
            if not self._stop.is_set():
                self._failure = failure

    def _serve(self, roles: Roles) -> None:
        """Load what the roles name and swap it in."""
        wanted = roles.served()
        now = {each.role: each for each in self._current}
        loaded = {each.version: each.model for each in self._current}
        served: list[ServedModel] = []
        for role, version in wanted.items():
            model = loaded.get(version) or self._load(version, role)
            if model is not None:
                served.append(ServedModel(role, version, model))
            elif role == "champion" and role in now:
                served.append(now[role])
        served = _answering(served)
        if served and served[0].role == "champion":
            self._current = tuple(served)
            self._changed.set()
        while self._untold:
            self._tell(self._untold[0])
            del self._untold[0]  # told once, whatever keeps the next one from being told

    def _load(self, version: str, role: Role) -> Predicts | None:
        """Admit a version; None when it is refused. What came of it is told after the swap."""
        if version in self._refused:
            return None
        try:
            model = self._admit(self._table.model(version))
        except ModelRefusedError as error:
            self._refused.add(version)
            logger.warning("Model %s is refused: %s", version, error)
            self._untold.append(self._release("refused", version, f"{role}: {error.what}"))
            return None
        logger.info("Model %s is loaded as %s", version, role)
        self._untold.append(self._release("loaded", version, role))
        return model

    def _release(self, kind: ReleaseKind, version: str, cause: str) -> Release:
        application = self._table.roles.application
        return Release(application, kind, version, datetime.now(UTC), self._by, cause)


def _answering(served: list[ServedModel]) -> list[ServedModel]:
    """What serves: the champion first, and no version twice.

    Where the champion is refused, the one before answers as if it had never ended: an instance that
    starts then serves what its neighbours serve.
    """
    by_role = {each.role: each for each in served}
    if "champion" not in by_role and "previous" in by_role:
        by_role = {"champion": replace(by_role.pop("previous"), role="champion"), **by_role}
    by_version: dict[str, ServedModel] = {}
    for each in by_role.values():
        by_version.setdefault(each.version, each)
    return list(by_version.values())
