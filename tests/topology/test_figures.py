"""The closed loop with its real figures, from scores as scoring writes them."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from edml.apps.taxi import taxi
from edml.models.records import Metadata
from edml.monitoring.figures import Figures
from edml.monitoring.scores_table import ScoresTable
from edml.testing.loop import LoopDriver
from tests.score_records import DAY, START, frame, progress, score
from tests.script import Script

APP = replace(taxi, policy=replace(taxi.policy, trial=(4 * DAY, 28 * DAY), rest=7 * DAY))
RMSE = 5.0


@dataclass
class Days:
    """Days of trips, each scored by some versions; the loop looks after each."""

    driver: LoopDriver = field(default_factory=lambda: LoopDriver(APP.policy, Script()))
    table: ScoresTable = field(
        default_factory=lambda: ScoresTable(APP, partitions=1, kafka_partitions=1)
    )
    now: datetime = START
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    def go_by(self, number: int, **versions: tuple[float, float]) -> None:
        """Let days go by; of each version, the mean error and the RMSE."""
        for _ in range(number):
            self.day(
                {name: {"bias": bias, "rmse": rmse} for name, (bias, rmse) in versions.items()}
            )

    def day(self, versions: dict[str, dict[str, Any]]) -> None:
        """Let one day go by, each version as it is told."""
        self.now += DAY
        seen = self.now + taxi.outcome.wait
        hard = self.random.lognormal(0, 0.1)
        rows = [
            score(
                APP,
                version,
                self.now - DAY + timedelta(hours=hour),
                watermark=seen,
                bias=each.get("bias", 0.0) + self.random.normal(0, 0.1),
                squared=each.get("rmse", RMSE) ** 2 * hard,
                predictions=100,
                count=each.get("count", 100),
            )
            for version, each in versions.items()
            for hour in (2, 8, 14, 20)
        ]
        self.table.take(frame([*rows, progress(APP, seen)]), 0)
        self.driver.statistics = self.figures(seen)
        self.driver.clock.advance(DAY)
        self.driver.run()

    def figures(self, watermark: datetime) -> Figures:
        """What the monitor would know."""
        about = Metadata(
            START, "1a2b3c4", "made up", START, START, 1000, {"rmse": RMSE, "bias": 0.0}
        )
        models = dict.fromkeys(self.driver.published, about)
        return Figures(APP, watermark, self.table.windows(), self.table.answers(), models)


def drifted() -> tuple[Days, str]:
    """After two quiet months and some days of drift: the candidate is on trial."""
    days = Days()
    days.go_by(60, v1=(0.0, RMSE))
    assert days.driver.kinds() == ["promoted"]
    days.go_by(6, v1=(3.0, 8.0))
    assert days.driver.kinds() == ["promoted", "alarmed", "requested"]
    candidate = days.driver.train()
    assert candidate == "v2"
    return days, candidate


def test_drift_is_noticed_and_mended() -> None:
    """No alarm in quiet months; within six days of drift there is one; then a better champion."""
    days, candidate = drifted()
    days.go_by(8, v1=(3.0, 8.0), v2=(0.0, 5.2))
    assert days.driver.roles.champion == candidate
    assert days.driver.roles.previous == "v1"


def test_a_candidate_that_is_no_better_goes() -> None:
    """It is as bad as the champion: at the latest after the longest trial it is dropped."""
    days, _ = drifted()
    days.go_by(29, v1=(3.0, 8.0), v2=(3.0, 8.1))
    assert days.driver.roles.champion == "v1"
    assert "dropped" in days.driver.kinds()


def test_a_champion_that_turns_out_worse_is_rolled_back() -> None:
    """All was back to normal the day after: the one before is better again."""
    days, candidate = drifted()
    while days.driver.roles.champion != candidate:
        days.go_by(1, v1=(3.0, 8.0), v2=(0.0, 5.2))
    days.go_by(8, v1=(0.0, 5.0), v2=(-3.0, 8.0))
    assert days.driver.roles.served() == {"champion": "v1", "previous": candidate}
    assert days.driver.kinds()[-1] == "rolled_back"


def test_what_was_better_before_a_long_freeze_is_tried_again() -> None:
    """By the time a person thaws, the regime is over: the candidate is not promoted."""
    days, candidate = drifted()
    days.driver.command("freeze")
    days.go_by(12, v1=(3.0, 8.0), v2=(0.0, 5.2))
    days.go_by(12, v1=(0.0, 5.0), v2=(-3.0, 8.0))
    assert days.driver.roles.challenger == candidate
    days.driver.command("thaw")
    days.go_by(1, v1=(0.0, 5.0), v2=(-3.0, 8.0))
    assert days.driver.roles.champion == "v1"
    days.go_by(20, v1=(0.0, 5.0), v2=(-3.0, 8.0))
    assert days.driver.roles.served() == {"champion": "v1"}


def test_outcomes_that_stop_are_told_and_decide_nothing() -> None:
    """Predictions go on, outcomes do not: an alarm about them, and none about the model."""
    days = Days()
    days.go_by(30, v1=(0.0, RMSE))
    for _ in range(5):
        days.day({"v1": {"count": 0}})
    assert days.driver.kinds() == ["promoted", "alarmed"]
    assert days.driver.history.alarms[0].about == "outcomes"


def test_poisoned_outcomes_are_not_followed() -> None:
    """Every outcome is an hour too long: no training, no promotion, but a person is told."""
    days = Days()
    days.go_by(30, v1=(0.0, RMSE))
    days.go_by(20, v1=(-60.0, 60.0))
    assert set(days.driver.kinds()) == {"promoted", "alarmed"}
    assert {each.about for each in days.driver.history.alarms} == {"outcomes"}
    days.go_by(20, v1=(0.0, RMSE))
    assert {each.about for each in days.driver.history.alarms} == {"outcomes"}
