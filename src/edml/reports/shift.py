"""How far the features that a model is given now are from those that it learned from, by week.

The distance of two distributions is their total variation: the share of the events that would have
to be other ones. Of a few events, that is above zero by chance alone; by how much is told beside
it. What it is good for is to look at: alarms are raised by `edml.monitoring.inputs`, whose bins and
counts these are.
"""

from collections.abc import Mapping
from math import pi
from typing import Final

import numpy as np
import polars as pl

from edml.monitoring.blocks import START
from edml.monitoring.inputs import PREDICTION, Bins

FEATURE: Final = "feature"
WEEK: Final = "week"
"""Within a day, the day of the week is always another one than in training."""

COUNT: Final = "count"
DISTANCE: Final = "distance"
CHANCE: Final = "chance"

SHIFTS: Final = pl.Schema(
    {
        FEATURE: pl.String(),
        WEEK: pl.Datetime("us", "UTC"),
        COUNT: pl.Int64(),
        DISTANCE: pl.Float64(),
        CHANCE: pl.Float64(),
    }
)

_ELSEWHERE: Final = 0.8


def shifts(tallied: pl.DataFrame, bins: Bins) -> pl.DataFrame:
    """How far each feature was in each week, as `SHIFTS` says.

    ``tallied`` is what `edml.monitoring.inputs.tally` counted in these ``bins``, of one version.
    The features come in the order of how far they are, all weeks taken together; last come those
    that are always elsewhere, as what goes with the calendar is.
    """
    counted = (
        tallied.filter(pl.col(FEATURE) != PREDICTION)
        .group_by(FEATURE, pl.col(START).dt.truncate("1w").alias(WEEK), "bin")
        .agg(pl.col("value").sum())
    )
    rows = []
    for (name, week), group in counted.group_by(FEATURE, WEEK):
        counts = {value: int(count) for value, count in group.select("bin", "value").iter_rows()}
        rows.append((name, week, sum(counts.values()), *distance(counts, bins.shares[str(name)])))
    beyond = (pl.col(DISTANCE) - pl.col(CHANCE)).mean().over(FEATURE)
    always = (pl.col(DISTANCE).min() > _ELSEWHERE).over(FEATURE)
    return pl.DataFrame(rows, schema=SHIFTS, orient="row").sort(
        always, beyond, FEATURE, WEEK, descending=[False, True, False, False]
    )


def distance(counts: Mapping[str, int], shares: Mapping[str, float]) -> tuple[float, float]:
    """The total variation of counts by bin from shares, and what it would be by chance.

    >>> distance({"a": 30, "b": 10}, {"a": 0.5, "b": 0.5})[0]
    0.25
    """
    events = sum(counts.values())
    names = list(dict.fromkeys([*shares, *counts]))
    expected = np.array([shares.get(each, 0.0) for each in names])
    found = np.array([counts.get(each, 0) / events for each in names])
    # The mean of |X| for X of a normal distribution is its deviation times √(2/π).
    chance = np.sqrt(2 * expected * (1 - expected) / (pi * events)).sum() / 2
    return float(np.abs(found - expected).sum() / 2), float(min(chance, 1.0))
