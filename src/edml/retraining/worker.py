"""The worker: takes the training that is due, has a candidate made, and tells what came of it.

All that it must remember is on the log, or in the folder of the training: it may be killed at any
point. Whoever takes the same training on again goes on with it, and its outcome is told once.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from edml import __version__
from edml.application import Application, Policy
from edml.errors import EdmlError, LogError, RegistryUnavailableError, TrainingError
from edml.models.artefact import Artefact
from edml.models.evidence import Lease, Training
from edml.models.records import Model, Release, ReleaseKind, Roles
from edml.models.version import Version, current_commit
from edml.monitoring.governor import Decision, seat
from edml.monitoring.history import History
from edml.retraining import lease
from edml.retraining.assignment import CORRECTS, Assignment, Result, Workplace
from edml.retraining.bounded import Bounds, InterruptedTrainingError, Tell
from edml.runtime.clock import Clock

logger = logging.getLogger(__name__)

MOST_ATTEMPTS: Final = 3
"""So often is a training begun; if none of them came to an end, it has failed."""

Decides = Callable[[Roles, Sequence[Release]], Decision]

Trains = Callable[[Workplace, Bounds, Callable[[], bool], Tell], None]
"""Makes the candidate of a folder, within bounds, while it is asked whether it may go on."""


class TrainingLog(Protocol):
    """What a worker needs of the log."""

    def releases(self) -> Sequence[Release]:
        """All that happened to the application's models, oldest first."""
        ...

    def act(self, decides: Decides, model: Model | None = None) -> Decision:
        """Do what is decided under the governor's fence."""
        ...

    def champion(self) -> Model | None:
        """The model that answers now."""
        ...

    def model(self, version: str) -> Model | None:
        """A published model; None where there is none of this version."""
        ...

    def versions(self) -> Sequence[str]:
        """The published versions."""
        ...

    def watermark(self) -> datetime | None:
        """Up to which event time scoring has come; None before it has begun."""
        ...

    def copy_scored(self, folder: Path, known_to: datetime) -> None:
        """Copy the champion's scored predictions that were known then into files of a folder."""
        ...

    def pack(self, artefact: Artefact, flavour: str) -> Model:
        """The artefact as a model that may be published; it is in the store if it is large."""
        ...

    def unpack(self, model: Model, folder: Path) -> None:
        """Fetch a model's artefact into a folder."""
        ...


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a worker trains with: where the application is declared, history, where it works."""

    declared: str
    home: Path
    train: Trains
    data: Path | None = None
    threads: int = 2
    time_s: float | None = None
    """How long a training may take; None stands for the policy's ``training_s``."""

    def time_of(self, policy: Policy) -> float:
        """How long a training may take, in seconds."""
        return policy.training_s if self.time_s is None else self.time_s


@dataclass(frozen=True)
class Outcome:
    """What came of a training, as its release tells it."""

    training: Training
    kind: ReleaseKind
    version: str
    cause: str | None
    result: Result | None = None


@dataclass(frozen=True)
class Busy:
    """Another worker trains."""

    lease: Lease


class BusyError(EdmlError):
    """Another worker trains."""

    def __init__(self, busy: Busy | None) -> None:
        if busy is None:
            super().__init__(
                "the training was interrupted", todo="run `edml retrain` again: it goes on"
            )
            return
        lease = busy.lease
        super().__init__(
            f"{lease.holder} trains, until {lease.until:%H:%M:%S} UTC at least",
            where=lease.training.id,
            todo="wait for its outcome (`edml models history`); one training at a time is done",
        )


class Worker:
    """Trains what is due, one training at a time."""

    def __init__(
        self, name: str, application: Application, log: TrainingLog, clock: Clock, means: Means
    ) -> None:
        """``name`` is that of this worker alone: nobody else has it at the same time."""
        self._name = name
        self._application = application
        self._log = log
        self._clock = clock
        self._means = means

    def turn(self, stopped: Callable[[], bool], tell: Tell) -> Outcome | Busy | None:
        """Do the training that is due; None when there is none, or it went to somebody else."""
        releases = self._log.releases()
        self._sweep(releases)
        training = lease.due(releases)
        if training is None:
            return None
        mine = self._take(training)
        if mine is None:
            other = lease.held(self._log.releases())
            return None if other is None else Busy(other)
        logger.info("Training %s begins", training.id)
        workplace = Workplace.of(self._means.home, training)
        holding = _Holding(self._take, mine, self._clock, stopped)
        try:
            outcome, model = self._outcome(training, workplace, holding, tell)
        except InterruptedTrainingError:
            workplace.count(workplace.attempts() - 1)  # it had no time to come to an end
            logger.info("Training %s is interrupted: it can go on", training.id)
            return None
        if not self._tell(outcome, model):
            return None
        workplace.clear()
        return outcome

    def once(
        self, request: Callable[[], object], stopped: Callable[[], bool], tell: Tell
    ) -> Outcome:
        """Do the training that is due, or else request one and do that.

        Raises:
            BusyError: another worker trains, or has taken this training on.
        """
        if lease.due(self._log.releases()) is None:
            request()
        done = self.turn(stopped, tell)
        if isinstance(done, Outcome):
            return done
        raise BusyError(done)

    def next(self, stopped: Callable[[], bool]) -> Outcome | None:
        """Do the training that is due, if any; an outage of the log is waited out."""
        try:
            done = self.turn(stopped, _quiet)
        except (LogError, RegistryUnavailableError) as error:
            logger.warning("Trainings wait for the log. %s", error)
            return None
        if isinstance(done, Outcome):
            logger.info("Training %s: %s %s", done.training.id, done.kind, done.cause or "")
            return done
        return None

    def _sweep(self, releases: Sequence[Release]) -> None:
        """Take away what is left of trainings that have an outcome."""
        for each in lease.over(releases):
            Workplace.named(self._means.home, each).clear()

    def _take(self, training: Training) -> Lease | None:
        """Begin, go on, or renew; None when somebody else holds the lease, or all is over."""
        now = self._clock.now()
        wanted = Lease(training=training, holder=self._name, until=now + lease.TERM)

        def decide(roles: Roles, releases: Sequence[Release]) -> Decision:
            if not lease.may_take(releases, training, self._name, now):
                return Decision(roles, ())
            champion = roles.champion or ""
            return Decision(roles, (self._release("training", champion, now, wanted.to_json()),))

        return wanted if self._log.act(decide).releases else None

    def _outcome(
        self, training: Training, workplace: Workplace, holding: "_Holding", tell: Tell
    ) -> tuple[Outcome, Model | None]:
        """Have the candidate made, or say why that failed."""
        try:
            if workplace.result() is None:
                assignment = self._assigned(training, workplace, tell)
                policy = self._application.policy
                bounds = Bounds(assignment.time_s, policy.training_mb)
                self._means.train(workplace, bounds, holding.goes_on, tell)
            return self._made(training, workplace)
        except (LogError, RegistryUnavailableError):  # says nothing of the training
            raise
        except EdmlError as error:
            logger.warning("Training %s failed: %s", training.id, error)
            champion = self._log.champion()
            version = "" if champion is None else champion.version
            return Outcome(training, "failed", version, error.what), None

    def _assigned(self, training: Training, workplace: Workplace, tell: Tell) -> Assignment:
        """What is to be done: as it was told before, if this goes on with an attempt."""
        workplace.folder.mkdir(parents=True, exist_ok=True)
        attempts = workplace.attempts()
        workplace.count(attempts + 1)
        if attempts >= MOST_ATTEMPTS:
            raise TrainingError(
                f"the training was begun {MOST_ATTEMPTS} times, and never came to an end"
            )
        before = workplace.assignment()
        if before is not None:
            return before
        champion = self._log.champion()
        if champion is None:
            raise TrainingError(
                "there is no champion that a candidate could be compared with: "
                "`edml train` and `edml publish` make the first one"
            )
        if training.renews not in {None, champion.version}:
            raise TrainingError(
                f"{training.renews} was to be renewed, and is not champion any more"
            )
        tell("reading the log", 0)
        known_to = min(training.as_of, self._log.watermark() or training.as_of)
        self._log.unpack(champion, workplace.champion)
        if training.renews is not None:
            base = self._log.model(champion.metadata.parameters.get(CORRECTS, ""))
            if base is not None:
                self._log.unpack(base, workplace.base)
        self._log.copy_scored(workplace.scored, known_to)
        version = Version.following(
            self._log.versions(),
            package=__version__,
            trained_at=self._clock.now(),
            commit=current_commit(Path.cwd()),
        )
        assignment = Assignment(
            application=self._means.declared,
            training=training,
            known_to=known_to,
            data=self._means.data,
            version=str(version),
            champion=champion.version,
            flavour=champion.flavour,
            time_s=self._means.time_of(self._application.policy),
            threads=self._means.threads,
            changed=self._changed(training),
        )
        workplace.assign(assignment)
        return assignment

    def _changed(self, training: Training) -> datetime | None:
        """Since when the drift has been that is behind the training, as its alarm tells."""
        alarm = History.of(self._log.releases()).alarm(training.alarm)
        return None if alarm is None else alarm.start

    def _made(self, training: Training, workplace: Workplace) -> tuple[Outcome, Model | None]:
        """The outcome of a candidate that is whole, and the model if it was admitted."""
        result, assignment = workplace.result(), workplace.assignment()
        if result is None or assignment is None:
            raise TrainingError("the training came to an end without a result")
        version = assignment.version
        if not result.admitted:
            return Outcome(training, "rejected", version, result.cause, result), None
        model = self._log.pack(Artefact.read(workplace.candidate), assignment.flavour)
        return Outcome(training, "retrained", version, None, result), model

    def _tell(self, outcome: Outcome, model: Model | None) -> bool:
        """Write the outcome, and publish the candidate with it: once, and only as the holder."""
        training, result = outcome.training, outcome.result
        more = {} if result is None else {name: getattr(result, name) for name in _TOLD}
        release = self._release(
            outcome.kind,
            outcome.version,
            self._clock.now(),
            training.to_json(**more),
            outcome.cause,
        )

        def decide(roles: Roles, releases: Sequence[Release]) -> Decision:
            if not lease.holds(releases, training, self._name):
                return Decision(roles, ())
            return Decision(roles, (release,)) if model is None else seat(roles, release)

        done = self._log.act(decide, model).releases
        return bool(done) or release in self._log.releases()

    def _release(
        self,
        kind: ReleaseKind,
        version: str,
        at: datetime,
        evidence: str,
        cause: str | None = None,
    ) -> Release:
        return Release(
            application=self._application.name,
            kind=kind,
            version=version,
            at=at,
            by=self._name,
            cause=cause,
            evidence=evidence,
        )


def _quiet(what: str, done: float) -> None:
    logger.debug("%s (%.0f%%)", what, done * 100)


_TOLD: Final = ("tried", "chosen", "admission")
_AGAIN: Final = timedelta(seconds=5)


class _Holding:
    """Renews the lease while the training goes on, and says when it must not."""

    def __init__(
        self,
        take: Callable[[Training], Lease | None],
        mine: Lease,
        clock: Clock,
        stopped: Callable[[], bool],
    ) -> None:
        self._take = take
        self._mine = mine
        self._clock = clock
        self._stopped = stopped
        self._renew_at = clock.now() + lease.TERM / 2

    def goes_on(self) -> bool:
        """Whether the training is still ours, and nobody wants us to stop."""
        if self._stopped():
            return False
        now = self._clock.now()
        if now >= self._renew_at:
            self._renew_at = now + _AGAIN
            try:
                renewed = self._take(self._mine.training)
            except (LogError, RegistryUnavailableError) as error:
                # It may be back before the lease is over.
                logger.warning("The lease of the training is not renewed: %s", error)
            else:
                if renewed is None:
                    return False
                self._mine = renewed
                self._renew_at = now + lease.TERM / 2
        return now < lease.trusted_until(self._mine)
