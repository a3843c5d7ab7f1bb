"""Try the closed loop without a broker: roles and releases in memory, monitors that die on demand.

Figures are whatever has the questions of `edml.monitoring.situation.Statistics`; time is their
watermark. A monitor that is interrupted finds what the log has when it goes on, or when the next
one starts; whoever governs last has fenced the others, as on a broker.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import count
from typing import Final

from edml.application import Policy, Role
from edml.errors import OvertakenError
from edml.models.evidence import Training
from edml.models.records import Command, CommandKind, Release, ReleaseKind, Roles
from edml.monitoring.governor import CommandRefusedError, Decision, decide, seat
from edml.monitoring.history import History
from edml.monitoring.loop import take_step
from edml.monitoring.situation import Situation, Statistics
from edml.runtime.clock import ManualClock
from edml.testing.driver import START

AT_LAST: Final = 1_000
"""The number of steps after which a loop that still decides is taken to do so for ever."""


class Moment(Enum):
    """Where a monitor may die, or others may act while it stands still."""

    DECIDED = "after it decided, before it governs"
    GOVERNING = "after it has fenced the others and read anew, before it writes"
    WRITTEN = "after it has written"


Interrupt = Callable[[Moment], None]
"""Told of each moment that a monitor gets to; it may raise `edml.testing.crash.CrashedError`."""


@dataclass
class ModelsLog:
    """The topics of models and releases; only who governed last may write."""

    roles: Roles
    releases: list[Release] = field(default_factory=list)
    epoch: int = 0

    def fence(self) -> int:
        """Govern from now on."""
        self.epoch += 1
        return self.epoch

    def write(self, epoch: int, decision: Decision) -> None:
        """Write roles and releases in one transaction; raises `OvertakenError` when fenced."""
        if epoch != self.epoch:
            raise OvertakenError("the decision was not written: somebody else governs by now")
        self.roles = decision.roles
        self.releases += decision.releases


class LoopDriver:
    """Monitors, a trainer and people around one log.

    A person has published ``champion``, if it is one. Trained candidates are ``v2``, ``v3``…
    """

    def __init__(
        self,
        policy: Policy,
        statistics: Statistics,
        *,
        champion: str | None = "v1",
        clock: ManualClock | None = None,
    ) -> None:
        self.policy = policy
        self.statistics = statistics
        self.clock = clock or ManualClock(START)
        self.log = ModelsLog(Roles("driven", revision=0))
        self.published: set[str] = set()
        self._versions = count(2)
        if champion is not None:
            self.publish(champion)

    @property
    def roles(self) -> Roles:
        """Who has which role."""
        return self.log.roles

    @property
    def history(self) -> History:
        """What has happened so far, digested."""
        return History.of(self.log.releases)

    def kinds(self) -> Sequence[ReleaseKind]:
        """What has happened so far, in short."""
        return [each.kind for each in self.log.releases]

    def step(self, interrupt: Interrupt = lambda _: None) -> Decision | None:
        """Have a monitor take one step; None when there was nothing to do.

        Raises `OvertakenError` when it was fenced on the way: nothing was written.
        """
        governor = _Governor(self.log, interrupt)
        return take_step(governor.known, self.situation, governor.act)

    def run(self) -> None:
        """Have a monitor go on until there is nothing left to do."""
        for _ in range(AT_LAST):
            if self.step() is None:
                return
        raise AssertionError("the loop never comes to rest")

    def situation(self, roles: Roles, releases: Sequence[Release]) -> Situation:
        """What a monitor knows."""
        return Situation(
            application=roles.application,
            policy=self.policy,
            roles=roles,
            releases=releases,
            statistics=self.statistics,
            at=self.clock.now(),
        )

    def command(
        self, kind: CommandKind, version: str | None = None, role: Role | None = None
    ) -> bool:
        """Do what a person asks; False when it makes no sense as things are."""
        asked = Command(
            self.roles.application, kind, version, role, self.clock.now(), "person", "request"
        )
        try:
            decision = decide(self.roles, asked, self.published)
        except CommandRefusedError:
            return False
        self.log.write(self.log.fence(), decision)
        return True

    def publish(self, version: str, role: Role = "champion") -> None:
        """Have a person publish a model."""
        self.published.add(version)
        self.command("publish", version, role)

    def pending(self) -> Training | None:
        """The training that waits for a trainer."""
        waiting = [each.training for each in self.history.trainings if each.state == "pending"]
        return waiting[0] if waiting else None

    def train(self, kind: ReleaseKind = "retrained") -> str | None:
        """Have a trainer end the training that waits: ``retrained``, ``rejected`` or ``failed``.

        Gives back the candidate's version; None when no training was waiting.
        """
        training = self.pending()
        if training is None:
            return None
        version = f"v{next(self._versions)}"
        if kind == "failed":  # there is no candidate to name
            version = self.roles.champion or ""
        told = self._release(kind, version, training.to_json())
        if kind == "retrained":
            self.published.add(version)
            decision = seat(self.roles, told)
        else:
            decision = Decision(self.roles, (told,))
        self.log.write(self.log.fence(), decision)
        return version

    def refuse(self, version: str) -> None:
        """Have an instance that serves refuse a model; for that, nobody has to govern."""
        self.log.releases.append(self._release("refused", version, ""))

    def _release(self, kind: ReleaseKind, version: str, evidence: str) -> Release:
        at: datetime = self.clock.now()
        return Release(self.roles.application, kind, version, at, "driver", evidence=evidence)


class _Governor:
    """Governs as `edml.kafka.governor.Governor` does, and tells where it is."""

    def __init__(self, log: ModelsLog, interrupt: Interrupt) -> None:
        self._log = log
        self._interrupt = interrupt

    def known(self) -> tuple[Roles, Sequence[Release]]:
        return self._log.roles, tuple(self._log.releases)

    def act(self, decides: Callable[[Roles, Sequence[Release]], Decision]) -> Decision:
        self._interrupt(Moment.DECIDED)
        epoch = self._log.fence()
        decision = decides(*self.known())
        self._interrupt(Moment.GOVERNING)
        self._log.write(epoch, decision)
        self._interrupt(Moment.WRITTEN)
        return decision
