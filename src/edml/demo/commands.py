"""The commands that the demo runs; a person could type them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edml.demo.home import Home
from edml.demo.months import Months, Split
from edml.demo.plan import APPLICATION, Plan

STREAMS: Final = 2
"""An event and its outcome are two records."""

FLAVOUR: Final = "onnx"
"""Loaded in a second; TensorFlow's SavedModel lies beside it, and is served as well."""

_APP: Final = ("--app", APPLICATION)

SERVE: Final = ("serve", *_APP)
SCORE: Final = ("score", *_APP)
MONITOR: Final = ("monitor", *_APP)


def simulate(plan: Plan, home: Home, months: Months) -> tuple[str, ...]:
    """Make trips where there are none."""
    per_day = ("--per-day", str(plan.per_day))
    change = ("--regime-change", plan.regime_change) if plan.drift else ()
    output = ("--output", str(home.trips))
    return "data", "simulate", *_APP, *months.options, *per_day, *change, *output


@dataclass(frozen=True, slots=True)
class Commands:
    """What is done with the trips in a folder."""

    plan: Plan
    home: Home
    trips: Path
    split: Split

    def train(self, number: int) -> tuple[str, ...]:
        """Train the first or the second version."""
        months = self.split.little if number == 1 else self.split.more
        return (
            *("train", *_APP, "--data", str(self.trips), *months.options),
            *("--epochs", str(self.plan.epochs), "--no-lightgbm"),
            *("--output", str(self.home.model(number))),
        )

    def publish(self, number: int) -> tuple[str, ...]:
        """Publish it."""
        return "publish", str(self.home.model(number)), *_APP, "--flavour", FLAVOUR

    def retrain(self) -> tuple[str, ...]:
        """Train whenever the monitor asks for it."""
        data, within = ("--data", str(self.trips)), ("--within", str(self.plan.training_s))
        return "retrain", *_APP, "--follow", *data, *within

    def replay(self) -> tuple[str, ...]:
        """Let trips happen again; begun again, it goes on where it stopped."""
        rate = str(self.plan.rate_per_s * STREAMS)
        return "replay", *_APP, "--data", str(self.trips), *self.split.live.options, "--rate", rate
