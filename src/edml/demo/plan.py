"""How much the demo does: every figure that one might want to turn is here."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edml.demo.months import Months

APPLICATION: Final = "taxi"


@dataclass(frozen=True, slots=True)
class Plan:
    """One demo.

    ``data`` is a folder of trip records, None simulates some, ``per_day`` of them. ``rate_per_s``
    events a second are replayed. The second training begins when ``before_retrain`` answers have
    been scored; when ``pause_at`` events have come before it is done, the replay waits for it. The
    demo ends when ``after_swap`` answers of the second version have been scored.

    With ``drift``, nobody trains a second version: the city changes while trips flow, and the loop
    itself has to see to it. The trips of ``live`` happen again then, from a day to a day; simulated
    ones are of another regime from ``regime_change`` on.
    """

    data: Path | None = None
    per_day: int = 330
    epochs: int = 4
    rate_per_s: int = 250
    before_retrain: int = 1000
    pause_at: int = 20_000
    after_swap: int = 5000
    drift: bool = False
    live: Months | None = None
    regime_change: str = "2020-03-22"
    training_s: int = 120

    @property
    def shown_data(self) -> str:
        """Where the trips are from, as a person is told."""
        return "simulated" if self.data is None else str(self.data)


def drifting(plan: Plan, live: Months | None) -> Plan:
    """The same with a city that changes while its trips happen again."""
    return replace(
        plan,
        drift=True,
        live=live,
        epochs=2,
        rate_per_s=220,
        before_retrain=200,
        pause_at=16_000,
        after_swap=3000,
    )


def quick(plan: Plan) -> Plan:
    """The same with less of everything: to see that all parts work, not how well."""
    return replace(plan, epochs=1, before_retrain=200, pause_at=10_000, after_swap=500)
