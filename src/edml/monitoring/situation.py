"""What a decision is made of: the roles, what has happened, and what the figures say.

There is no clock in it: "now" is the watermark, up to which every outcome is in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, Self

from edml.application.policy import Policy
from edml.models.evidence import Alarm
from edml.models.records import Release, Roles
from edml.monitoring.governor import Decision
from edml.monitoring.history import History

Outcome = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the sequential test says of one version beside another, on the same events.

    ``worse`` stands for a trial that is to end: the version is worse, or not better enough to show
    in the longest trial. ``change`` is how far its mean prediction is from the other's, as a share
    of it. ``start`` and ``end`` enclose the blocks that were compared; ``latest`` is the end of the
    last block that could have been, if there are more by now.
    """

    outcome: Outcome
    start: datetime
    end: datetime
    blocks: int
    statistic: float
    threshold: float
    cause: str = ""
    change: float = 0.0
    latest: datetime | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def is_stale(self, after: timedelta) -> bool:
        """Whether so much has been seen since that it may be otherwise by now."""
        return self.latest is not None and self.latest > self.end + after

    @classmethod
    def none(cls, now: datetime, cause: str) -> Self:
        """The end of a trial in which nothing was compared."""
        return cls(
            outcome="worse", start=now, end=now, blocks=0, statistic=0.0, threshold=0.0, cause=cause
        )


class Statistics(Protocol):
    """What the tables say; pure functions of complete windows alone."""

    @property
    def watermark(self) -> datetime:
        """Up to where in event time everything is in."""
        ...

    def trained_to(self, version: str) -> datetime | None:
        """The end of the data that a version was trained on, if that is known."""
        ...

    def alarms(self, version: str) -> Sequence[Alarm]:
        """Each time that drift of a version was found, the earliest first."""
        ...

    def trial(
        self, tried: str, against: str, since: datetime | None, *, renews: bool = False
    ) -> Finding | None:
        """How a version does beside another in the blocks from ``since`` on; None without any.

        One that ``renews`` the other is ``better`` when it has done no worse.
        """
        ...

    def doubt(self, version: str) -> str:
        """Why the newest outcomes of a version's predictions are not to be believed, or ''."""
        ...


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision depends on. ``at`` is the time that its releases bear."""

    application: str
    policy: Policy
    roles: Roles
    releases: Sequence[Release]
    statistics: Statistics
    at: datetime
    history: History = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "history", History.of(self.releases))

    @property
    def now(self) -> datetime:
        """The watermark."""
        return self.statistics.watermark


Rule = Callable[[Situation], Decision | None]
"""One kind of decision; None when there is nothing of it to decide."""
