"""What the demo does with which trips: every figure that one might want to turn is here."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from edml.demo.home import Home

APPLICATION: Final = "taxi"


@dataclass(frozen=True, slots=True)
class Training:
    """The days that a version learns from, ``[start, end)``, and how often it sees them."""

    start: date
    end: date
    epochs: int

    def __str__(self) -> str:
        """As a person is told: ``the trips of 2019-10-01 … 2019-10-31``."""
        return f"the trips of {self.start} … {self.end - timedelta(days=1)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One demo.

    ``data`` is a directory of trip records, None simulates them. The first version learns little,
    the second one more, while the first serves. From ``replay_from`` on, ``rate_per_s`` events a
    second are replayed, until the second version has had ``after_swap`` of its answers scored.
    """

    data: Path | None
    first: Training
    second: Training
    replay_from: date
    replay_to: date
    rate_per_s: int
    before_retrain: int
    after_swap: int

    @property
    def shown_data(self) -> str:
        """Where the trips are from, as a person is told."""
        return "simulated" if self.data is None else str(self.data)

    def simulate(self, home: Home) -> list[str]:
        """The command that makes the trips that there are no data for."""
        return [
            *("data", "simulate", "--app", APPLICATION),
            *("--from", str(self.second.start), "--to", str(self.replay_to)),
            *("--output", str(home.trips)),
        ]

    def train(self, home: Home, number: int) -> list[str]:
        """The command that trains the first or the second version."""
        training = self.first if number == 1 else self.second
        return [
            *("train", "--app", APPLICATION, "--data", str(self._data(home))),
            *("--from", str(training.start), "--to", str(training.end)),
            *("--epochs", str(training.epochs), "--output-dir", str(home.model(number))),
        ]

    def publish(self, home: Home, number: int) -> list[str]:
        """The command that publishes it."""
        return ["publish", str(home.model(number)), "--app", APPLICATION]

    def replay(self, home: Home) -> list[str]:
        """The command that lets past trips happen again."""
        return [
            *("replay", "--app", APPLICATION, "--data", str(self._data(home))),
            *("--from", str(self.replay_from), "--to", str(self.replay_to)),
            *("--rate", str(self.rate_per_s)),
        ]

    def _data(self, home: Home) -> Path:
        return home.trips if self.data is None else self.data


USUAL: Final = Plan(
    data=None,
    first=Training(date(2019, 10, 1), date(2019, 11, 1), epochs=4),
    second=Training(date(2019, 1, 1), date(2019, 11, 1), epochs=4),
    replay_from=date(2019, 11, 1),
    replay_to=date(2020, 3, 1),
    rate_per_s=250,
    before_retrain=1000,
    after_swap=5000,
)


def quick(plan: Plan) -> Plan:
    """The same with less of everything: to see that all parts work, not how well."""
    return replace(
        plan,
        first=replace(plan.first, epochs=1),
        second=replace(plan.second, start=date(2019, 9, 1), epochs=1),
        before_retrain=200,
        after_swap=500,
    )
