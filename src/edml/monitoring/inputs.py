"""Drift that shows before outcomes arrive: of the inputs, feature by feature, and of predictions.

A block's distribution of a feature is compared with that of the same weekday two to five weeks
before: so neither weekends nor the seasons, which move distributions a little each month, are news.
What is watched is by how much it differs from one block to the next in normal times: a change is a
block that is further from its past than blocks usually are. (A slow drift of the inputs is
therefore none here: if it does harm, it shows in the errors.)

Distances are Hellinger's, without what the counts alone would make of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import EVENT_TIME, Application, Category, Policy
from edml.models.evidence import Alarm
from edml.monitoring import watch
from edml.monitoring.blocks import START, block_of
from edml.monitoring.drift import SHARES
from edml.monitoring.quiet import Normal
from edml.monitoring.watch import LEARNT_AFTER, Raised, Watched
from edml.serving import records as served

Numbers = NDArray[np.float64]

PREDICTION: Final = ""
"""Stands where a feature's name would: no feature has this one."""

TALLY: Final = pl.Schema(
    {
        "version": pl.String(),
        START: pl.Datetime("us", "UTC"),
        "feature": pl.String(),
        "bin": pl.String(),
        "value": pl.Float64(),
    }
)
"""How often each bin of each feature was seen in a block; of predictions, their ``sum``, ``count``
and ``squares``. Tallies of parts of a stream add up to that of the whole.
"""

_OTHER: Final = "other"
_LEAST_SHARE: Final = 0.01
"""Values of a category that are rarer in the training rows are counted together."""
_WEEK: Final = timedelta(days=7)
_WEEKS: Final = range(2, 6)
"""The weeks that a block is compared with: not the last one, which may be part of a change."""
_FEWEST_WEEKS: Final = 2
_FEWEST_BLOCKS: Final = 14
"""So many blocks' distances are known before one is told from them."""
_UNLIKE: Final = 0.6
_REMEMBERED: Final = 56
_SLACK: Final = 0.01
_USUAL: Final = Normal(spread=0.05, correlation=0.3, blocks=7.0, band=0.0, least=0.005)
"""Of distances (0 to 1), and of the logarithm of the mean prediction."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Into which bins the values of each feature fall: from the distributions of a model.

    ``known`` are the categories' values that are frequent enough, ``edges`` the inner bounds of the
    numbers' bins. ``shares`` is how much of the training rows each bin had.
    """

    known: Mapping[str, tuple[str, ...]]
    edges: Mapping[str, tuple[float, ...]]
    shares: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, distributions: str, application: Application) -> "Bins":
        """From ``distributions`` of a model's metadata; a feature that has none is left out."""
        found: dict[str, Any] = json.loads(distributions) if distributions else {}
        known: dict[str, tuple[str, ...]] = {}
        edges: dict[str, tuple[float, ...]] = {}
        shares: dict[str, Mapping[str, float]] = {}
        for name, column in application.columns.items():
            seen = found.get(name, {})
            if isinstance(column, Category) and "counts" in seen:
                frequent = _frequent(seen["counts"], seen.get("other", 0))
                known[name] = tuple(frequent)
                shares[name] = {**frequent, _OTHER: 1 - sum(frequent.values())}
            elif not isinstance(column, Category) and "quantiles" in seen:
                levels = [float(each) for each in seen["quantiles"]]
                edges[name] = tuple(sorted(set(levels[1:-1])))
                shares[name] = _between(levels, edges[name])
        return cls(known, edges, shares)

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are watched."""
        return (*self.known, *self.edges)

    def placed(self, feature: str) -> pl.Expr:
        """The bin of a feature's value."""
        value = pl.col(served.FEATURES).struct.field(feature)
        if feature in self.known:
            text = value.cast(pl.String)
            return (
                pl.when(text.is_in(list(self.known[feature]))).then(text).otherwise(pl.lit(_OTHER))
            )
        number = value.cast(pl.Float64)
        place = pl.lit(0)
        for edge in self.edges[feature]:
            place = place + (number > edge).cast(pl.Int32)
        return pl.when(number.is_finite()).then(place.cast(pl.String)).otherwise(pl.lit(_OTHER))


def tally(
    predictions: pl.DataFrame, bins: Mapping[str, Bins], application: Application
) -> pl.DataFrame:
    """Count predictions (`edml.serving.records`) of versions, by block, feature and bin.

    Returns: see `TALLY`. Versions that have no bins are left out.
    """
    parts = [pl.DataFrame(schema=TALLY)]
    timed = predictions.with_columns(block_of(application, EVENT_TIME).alias(START))
    for version, of in bins.items():
        ours = timed.filter(pl.col(served.VERSION) == version)
        for feature in of.features:
            counted = ours.group_by(START, of.placed(feature).alias("bin")).agg(value=pl.len())
            parts.append(_rows(counted, version, feature))
        value = ours.filter(pl.col(served.PREDICTION).is_finite()).group_by(START)
        sums = {
            "sum": pl.col(served.PREDICTION).sum(),
            "count": pl.len(),
            "squares": (pl.col(served.PREDICTION) ** 2).sum(),
        }
        for name, total in sums.items():
            counted = value.agg(pl.lit(name).alias("bin"), value=total)
            parts.append(_rows(counted, version, PREDICTION))
    return added_up(*parts)


def added_up(*tallies: pl.DataFrame) -> pl.DataFrame:
    """One tally of several parts of a stream."""
    keys = ("version", START, "feature", "bin")
    return pl.concat(tallies).group_by(keys).agg(pl.col("value").sum()).sort(keys)


def alarms(counted: pl.DataFrame, bins: Mapping[str, Bins], policy: Policy) -> list[Alarm]:
    """The alarms of each version about its inputs (the segment is the feature) and predictions.

    A feature that tells the time (the day of the year) has another distribution in each block than
    in the training rows, and is not watched.

    Args:
        counted: See `TALLY`; whole blocks only.
        bins: Those in which each version was counted.
        policy: The rate of false alarms, of which these detectors have a share.
    """
    sound = counted.filter(pl.col("value").is_finite())
    found = [
        alarm
        for version, of in bins.items()
        for alarm in _alarms(sound.filter(pl.col("version") == version), version, of, policy)
    ]
    return sorted(found, key=lambda alarm: (alarm.end, alarm.id))


def _alarms(tallied: pl.DataFrame, version: str, bins: Bins, policy: Policy) -> Iterator[Alarm]:
    if not tallied.height:
        return
    starts: list[datetime] = tallied[START].unique().sort().to_list()
    past = _Past(starts, policy.block)
    series = [
        _series(tallied.filter(pl.col("feature") == feature), feature, bins, past, policy)
        for feature in (PREDICTION, *bins.features)
    ]
    share = SHARES["inputs"] / len(series)
    watched = [replace(each.watched, share=share) for each in series]
    deviations = np.column_stack([each.deviations for each in series])
    noises = np.column_stack([each.noises for each in series])

    def figures(change: Raised) -> dict[str, float]:
        return {"change": float(deviations[change.last, change.series])}

    yield from watch.alarms(version, starts, deviations, noises, watched, policy, figures)


class _Series(NamedTuple):
    watched: Watched
    deviations: Numbers
    noises: Numbers


def _series(
    tallied: pl.DataFrame, feature: str, bins: Bins, past: "_Past", policy: Policy
) -> _Series:
    """How much each block of a feature, or of the predictions, differs from its past."""

    def of(name: str) -> Numbers:
        return past.aligned(tallied.filter(pl.col("bin") == name))

    if feature == PREDICTION:
        watched = Watched(
            "predictions", "", _USUAL, slack=policy.tolerance / 2, falls=True, share=0.0
        )
        return _Series(watched, *past.risen(of("sum"), of("squares"), of("count")))
    watched = Watched("inputs", feature, _USUAL, slack=_SLACK, falls=False, share=0.0)
    shares = bins.shares[feature]
    counts = np.column_stack([of(name) for name in shares])
    deviations, noises = past.apart(counts)
    if _tells_time(counts, np.array(list(shares.values()))):
        deviations = np.full_like(deviations, np.nan)
    return _Series(watched, deviations, noises)


def _tells_time(counts: Numbers, shares: Numbers) -> bool:
    """Whether the first blocks have, each for itself, hardly any likeness to the training rows."""
    first = counts[:_FEWEST_BLOCKS]
    first = first[first.sum(axis=1) > 0]
    overlap = np.sqrt(first / first.sum(axis=1, keepdims=True) * shares).sum(axis=1)
    return bool(overlap.size and np.sqrt(1 - np.minimum(overlap, 1)).mean() > _UNLIKE)


class _Past:
    """Blocks, and for each of them those of the same weekday in the weeks before."""

    def __init__(self, starts: Sequence[datetime], block: timedelta) -> None:
        self._starts = pl.DataFrame({START: starts}, schema={START: TALLY[START]})
        number = {start: place for place, start in enumerate(starts)}
        week = -(_WEEK // -block) * block
        self._weeks = [
            [number[then] for weeks in _WEEKS if (then := start - weeks * week) in number]
            for start in starts
        ]

    def aligned(self, tallied: pl.DataFrame) -> Numbers:
        """The values of one bin, for each block; 0 where it was not seen."""
        joined = self._starts.join(tallied, on=START, how="left", maintain_order="left")
        return joined["value"].fill_null(0.0).to_numpy()

    def apart(self, counts: Numbers) -> tuple[Numbers, Numbers]:
        """By how much more than usual the distribution of a block is apart from its past's.

        ``counts`` has a row a block and a column a bin.
        """
        before = self._before(counts)
        rows, rows_before = counts.sum(axis=1), before.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            overlap = np.sqrt(counts / rows[:, None] * before / rows_before[:, None]).sum(axis=1)
            bins = np.count_nonzero(counts + before > 0, axis=1)
            by_chance = (bins - 1) / 8 * (1 / rows + 1 / rows_before)
            distance = np.sqrt(np.maximum(1 - overlap - by_chance, 0))
        distance[(rows == 0) | (rows_before == 0)] = np.nan
        return distance - _usual(distance), np.where(np.isnan(distance), np.nan, by_chance / 2)

    def risen(self, sums: Numbers, squares: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
        """The logarithm of a block's mean prediction over its past's, and its variance."""
        columns = np.column_stack([sums, counts])
        before = self._before(columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, mean_before = sums / counts, before[:, 0] / before[:, 1]
            risen = np.log(mean / mean_before)
            relative = squares / counts / mean**2 - 1
            noise = np.maximum(relative, 0) * (1 / counts + 1 / before[:, 1])
        fine = np.isfinite(risen) & np.isfinite(noise)
        return np.where(fine, risen, np.nan), np.where(fine, noise, np.nan)

    def _before(self, values: Numbers) -> Numbers:
        """The sums over the same weekday of the weeks before; NaN where there are too few."""
        none = np.full(values.shape[1], np.nan)
        return np.array(
            [
                values[weeks].sum(axis=0) if len(weeks) >= _FEWEST_WEEKS else none
                for weeks in self._weeks
            ]
        )


def _usual(distances: Numbers) -> Numbers:
    """What each block's distance would usually be: the mean of those before that were quiet."""
    usual = np.full(distances.size, np.nan)
    for place in range(distances.size):
        quiet = distances[max(0, place - _REMEMBERED) : max(0, place - LEARNT_AFTER)]
        quiet = quiet[~np.isnan(quiet)]
        if quiet.size >= _FEWEST_BLOCKS:
            usual[place] = quiet.mean()
    return usual


def _frequent(counts: Mapping[str, int], other: int) -> dict[str, float]:
    """The shares of the values that are frequent enough to be told apart."""
    rows = max(1, sum(counts.values()) + other)
    return {each: n / rows for each, n in counts.items() if n >= _LEAST_SHARE * rows}


def _between(quantiles: Sequence[float], edges: Sequence[float]) -> dict[str, float]:
    """The shares of the bins between edges, as evenly spaced quantiles tell; equal ones add up."""
    inner = np.searchsorted(edges, quantiles[1:], side="left")
    share = np.bincount(inner, minlength=len(edges) + 1) / (len(quantiles) - 1)
    return {**{str(number): float(each) for number, each in enumerate(share)}, _OTHER: 0.0}


def _rows(counted: pl.DataFrame, version: str, feature: str) -> pl.DataFrame:
    return counted.select(
        pl.lit(version).alias("version"),
        START,
        pl.lit(feature).alias("feature"),
        "bin",
        pl.col("value").cast(pl.Float64),
    )
