"""Drift of a model's errors: its performance, and its bias, as a whole and by segment.

Of each block, the clipped errors are compared with those of the same hours and weekdays of the
hold-out. Both their squares are watched (by the logarithm, so that days of dense traffic weigh no
more than others) and the errors themselves, to either side: what a model cannot know yet shows in
its bias first.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Policy
from edml.models.evidence import About, Alarm
from edml.monitoring import watch
from edml.monitoring.baseline import Baseline
from edml.monitoring.blocks import EXPECTED, START, SUMS, WHOLE
from edml.monitoring.watch import Raised, Watched

Numbers = NDArray[np.float64]

SHARES: Final = {"performance": 0.25, "bias": 0.45, "segments": 0.15, "inputs": 0.15}
"""How the false alarms that are allowed are shared out: the rates of all detectors add up.

The bias has the largest share: it is the first to show that the world has changed.
"""

_LEAST_RATIO: Final = 1e-6


def alarms(blocks: pl.DataFrame, baselines: Mapping[str, Baseline], policy: Policy) -> list[Alarm]:
    """The alarms of each version, in order of time; later blocks only add more at the end.

    While the errors of a version are normal, its alarms and those of `edml.monitoring.inputs` are
    ``policy.quiet_for`` or more apart on average. Normal is a mean within the tolerance of a level
    that is learnt and is itself within the tolerance of the hold-out. After an alarm, nothing
    counts for ``policy.rest``; then evidence is gathered anew.

    Args:
        blocks: See `edml.monitoring.blocks.blocks`; in any order. One whose sums are no numbers, or
            that is empty, is left out.
        baselines: What is expected of each version that is to be watched.
        policy: The tolerance and the rate of false alarms.
    """
    sound = blocks.filter(
        pl.col("count") > 0, *(pl.col(each).is_finite() for each in (*SUMS, *EXPECTED))
    )
    found = [
        alarm
        for version, baseline in baselines.items()
        for alarm in _alarms(sound.filter(pl.col("version") == version), version, baseline, policy)
    ]
    return sorted(found, key=lambda alarm: (alarm.end, alarm.id))


def _alarms(
    blocks: pl.DataFrame, version: str, baseline: Baseline, policy: Policy
) -> Iterator[Alarm]:
    if not blocks.height:
        return
    times = blocks.select(pl.col(START).unique().sort())
    starts: list[datetime] = times[START].to_list()
    parts = {
        segment: times.join(blocks.filter(pl.col("segment") == segment), on=START, how="left").sort(
            START
        )
        for segment in (WHOLE, *baseline.segments)
    }
    watched = list(_watched(baseline, policy))
    deviations, noises = zip(
        *(_deviations(parts[each.segment], each.about, baseline) for each in watched), strict=True
    )

    def figures(change: Raised) -> dict[str, float]:
        part = parts[watched[change.series].segment]
        return _figures(part[change.first : change.last + 1])

    yield from watch.alarms(
        version,
        starts,
        np.column_stack(deviations),
        np.column_stack(noises),
        watched,
        policy,
        figures,
    )


def _watched(baseline: Baseline, policy: Policy) -> Iterator[Watched]:
    """The errors to watch: of all events, and of each segment that the hold-out had."""
    share = SHARES["segments"] / (2 * max(1, len(baseline.segments)))
    for segment in (WHOLE, *baseline.segments):
        rise = 2 * float(np.log1p(policy.tolerance))
        yield Watched(
            "performance",
            segment,
            baseline.normal("squared", segment, rise),
            slack=rise,
            falls=False,
            share=share if segment else SHARES["performance"],
        )
        bias = policy.tolerance / (1 if segment else 4) * baseline.rmse(segment)
        yield Watched(
            "bias",
            segment,
            baseline.normal("error", segment, bias),
            slack=bias,
            falls=True,
            share=share if segment else SHARES["bias"],
        )


def _deviations(blocks: pl.DataFrame, about: About, baseline: Baseline) -> tuple[Numbers, Numbers]:
    """Of each block, the deviation from what is expected, and its variance given the count."""
    count, error, squared, expected_error, expected_squared = (
        blocks[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("count", *SUMS, *EXPECTED)
    )
    if about == "bias":
        return (error - expected_error) / count, expected_squared / count / count
    ratio = np.maximum(squared / expected_squared, _LEAST_RATIO)
    return np.log(ratio), baseline.noise / count


def _figures(blocks: pl.DataFrame) -> dict[str, float]:
    """What was found in the blocks of an alarm, and what was expected; errors are clipped."""
    sums = blocks.select(pl.col("count", *SUMS, *EXPECTED).sum()).row(0, named=True)
    count = sums["count"]
    return {
        "events": float(count),
        "rmse": float(np.sqrt(sums["sum_clipped_squared"] / count)),
        "expected_rmse": float(np.sqrt(sums["expected_squared"] / count)),
        "bias": sums["sum_clipped_error"] / count,
        "expected_bias": sums["expected_error"] / count,
    }
