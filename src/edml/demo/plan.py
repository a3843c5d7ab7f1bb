"""What the demo does with which trips: every figure that one might want to turn is here."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edml.demo.home import Home

APPLICATION: Final = "taxi"
STREAMS: Final = 2
"""An event and its outcome are two records."""


@dataclass(frozen=True, slots=True)
class Months:
    """From a month to a month, both included, written as ``2019-10``."""

    first: str
    last: str

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} … {self.last}"

    @property
    def options(self) -> tuple[str, ...]:
        """As commands take them."""
        return "--from", self.first, "--to", self.last


@dataclass(frozen=True, slots=True)
class Plan:
    """One demo.

    ``data`` is a directory of trip records, None simulates them. The first version learns from the
    months ``little``, the second one from ``more``, while the first serves. ``rate_per_s`` events a
    second are replayed out of ``live``; the second training begins when ``before_retrain`` answers
    have been scored, and the demo ends when ``after_swap`` of the second version's have.
    """

    data: Path | None
    little: Months
    more: Months
    live: Months
    epochs: int
    rate_per_s: int
    before_retrain: int
    after_swap: int

    @property
    def shown_data(self) -> str:
        """Where the trips are from, as a person is told."""
        return "simulated" if self.data is None else str(self.data)

    def learnt(self, number: int) -> Months:
        """What the first or the second version learns from."""
        return self.little if number == 1 else self.more

    def simulate(self, home: Home) -> list[str]:
        """The command that makes the trips that there are no data for."""
        return [
            *("data", "simulate", "--app", APPLICATION),
            *Months(self.more.first, self.live.last).options,
            *("--output", str(home.trips)),
        ]

    def train(self, home: Home, number: int) -> list[str]:
        """The command that trains the first or the second version."""
        return [
            *("train", "--app", APPLICATION, "--data", str(self._data(home))),
            *self.learnt(number).options,
            *("--epochs", str(self.epochs), "--no-lightgbm"),
            *("--output", str(home.model(number))),
        ]

    def publish(self, home: Home, number: int) -> list[str]:
        """The command that publishes it."""
        return ["publish", str(home.model(number)), "--app", APPLICATION]

    def replay(self, home: Home) -> list[str]:
        """The command that lets past trips happen again."""
        return [
            *("replay", "--app", APPLICATION, "--data", str(self._data(home))),
            *self.live.options,
            *("--rate", str(self.rate_per_s * STREAMS)),
        ]

    def _data(self, home: Home) -> Path:
        return home.trips if self.data is None else self.data


USUAL: Final = Plan(
    data=None,
    little=Months("2019-10", "2019-10"),
    more=Months("2019-01", "2019-10"),
    live=Months("2019-11", "2020-02"),
    epochs=4,
    rate_per_s=250,
    before_retrain=1000,
    after_swap=5000,
)


def quick(plan: Plan) -> Plan:
    """The same with less of everything: to see that all parts work, not how well."""
    return replace(
        plan,
        more=Months("2019-09", "2019-10"),
        epochs=1,
        before_retrain=200,
        after_swap=500,
    )
