"""Figures that say what a test has them say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from edml.application import Policy
from edml.models.evidence import About, Alarm
from edml.monitoring.situation import Finding, Outcome
from edml.testing.driver import START

DAY: Final = timedelta(days=1)
POLICY: Final = Policy(rest=7 * DAY, trial=(4 * DAY, 28 * DAY))


@dataclass
class Script:
    """Statistics by hand.

    ``drifts`` names versions and what drifts about them: there is an alarm at the end of each day
    from then on. ``outcomes`` tells how a version does beside another from a day on.
    """

    watermark: datetime = START
    drifts: dict[tuple[str, About], datetime] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    started: dict[tuple[str, str], datetime] = field(default_factory=dict)
    change: float = 0.1
    doubts: str = ""

    def drift(self, version: str, about: About = "performance") -> None:
        """Have a version drift from now on."""
        self.drifts[version, about] = self.watermark

    def settle(self, tried: str, against: str, outcome: Outcome) -> None:
        """Say how a version does beside another."""
        self.outcomes[tried, against] = outcome
        self.started.setdefault((tried, against), self.watermark)

    def trained_to(self, version: str) -> datetime | None:
        """All of them were trained until the start."""
        del version
        return START

    def alarms(self, version: str) -> Sequence[Alarm]:
        """One a day of each drift."""
        found = [
            Alarm(
                version=version,
                about=about,
                start=since,
                end=since + day * DAY,
                statistic=2.0,
                threshold=1.0,
            )
            for (drifting, about), since in self.drifts.items()
            if drifting == version
            for day in range(1, (self.watermark - since) // DAY + 1)
        ]
        return sorted(found, key=lambda alarm: alarm.end)

    def trial(
        self, tried: str, against: str, since: datetime | None, *, renews: bool = False
    ) -> Finding | None:
        """What was settled, if there are blocks since then; the threshold of a renewal is 0."""
        outcome = self.outcomes.get((tried, against))
        start = max(since or START, self.started.get((tried, against), START))
        blocks = (self.watermark - start) // DAY
        if outcome is None or blocks < 1:
            return None
        return Finding(
            outcome=outcome,
            start=start,
            end=start + blocks * DAY,
            blocks=blocks,
            statistic=1.0,
            threshold=0.0 if renews else 1.0,
            cause="as scripted",
            change=self.change,
        )

    def doubt(self, version: str) -> str:
        """What was said to be doubtful."""
        del version
        return self.doubts
