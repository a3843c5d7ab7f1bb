"""How far the features that a model is given now are from those that it learned from.

The distance of two distributions is their total variation: the share of the events that would have
to be other ones. Of a few events, that is above zero by chance alone; by how much is told beside
it. What it is good for is to look at: alarms are raised by `edml.monitoring`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import pi
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.application import EVENT_TIME, Application
from edml.models.records import Model
from edml.serving import records as served

FEATURE: Final = "feature"
BLOCK: Final = "block"
BIN: Final = "bin"
COUNT: Final = "count"

EVERY: Final = "1w"
"""Blocks are weeks: within a day, the day of the week is always another one than in training."""

_OTHER: Final = "other"
_ELSEWHERE: Final = 0.9

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """The distribution of one feature in training: ``shares`` of some bins.

    A category has a bin for each value, and one for all others; a number one up to each of
    ``edges``, and one above.
    """

    shares: Mapping[str, float]
    edges: tuple[float, ...] | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Reference":
        """Read what `edml.trainer.distributions` wrote of one feature."""
        if "quantiles" in told:
            return cls._of_quantiles(told["quantiles"])
        counts = {**told["counts"], _OTHER: told["other"]}
        total = sum(counts.values()) or 1
        return cls({value: count / total for value, count in counts.items()})

    @classmethod
    def _of_quantiles(cls, quantiles: list[float]) -> "Reference":
        """Values that stand at several quantiles are as frequent as these are apart."""
        reached = {value: number / (len(quantiles) - 1) for number, value in enumerate(quantiles)}
        shares = np.diff([0.0, *reached.values(), 1.0])
        return cls(
            {str(number): float(share) for number, share in enumerate(shares)}, tuple(reached)
        )

    def bins(self, values: pl.Series) -> pl.Series:
        """The bin of each value."""
        if self.edges is None:
            text = values.cast(pl.String)
            known = text.is_in([each for each in self.shares if each != _OTHER])
            return pl.select(pl.when(known).then(text).otherwise(pl.lit(_OTHER))).to_series()
        places = np.searchsorted(np.array(self.edges), values.to_numpy(), side="left")
        return pl.Series(places).cast(pl.String)

    def distance(self, counts: Mapping[str, int]) -> tuple[float, float]:
        """The total variation from counts by bin, and what it would be by chance."""
        events = sum(counts.values())
        names = list(dict.fromkeys([*self.shares, *counts]))
        shares: Numbers = np.array([self.shares.get(each, 0.0) for each in names])
        found: Numbers = np.array([counts.get(each, 0) / events for each in names])
        # The mean of |X| for X of a normal distribution is its deviation times √(2/π).
        chance = np.sqrt(2 * shares * (1 - shares) / (pi * events)).sum() / 2
        return float(np.abs(found - shares).sum() / 2), float(min(chance, 1.0))


def references(application: Application, model: Model) -> dict[str, Reference]:
    """The distributions that a model's record tells, by feature; none for what it does not tell."""
    told = json.loads(model.metadata.distributions or "{}")
    return {name: Reference.of(told[name]) for name in application.columns if name in told}


def tally(predictions: pl.DataFrame, known: Mapping[str, Reference]) -> pl.DataFrame:
    """How often each bin of each feature came in each `BLOCK`; to be added up over batches."""
    block = predictions[EVENT_TIME].dt.truncate(EVERY).alias(BLOCK)
    given = predictions[served.FEATURES].struct.unnest()
    parts = [
        pl.DataFrame([block, reference.bins(given[name]).alias(BIN)])
        .group_by(BLOCK, BIN)
        .agg(pl.len().cast(pl.Int64).alias(COUNT))
        .select(pl.lit(name).alias(FEATURE), BLOCK, BIN, COUNT)
        for name, reference in known.items()
    ]
    return pl.concat([_nothing(), *parts])


def added_up(tallies: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Several tallies as one."""
    return pl.concat([_nothing(), *tallies]).group_by(FEATURE, BLOCK, BIN).agg(pl.col(COUNT).sum())


def shifts(tallied: pl.DataFrame, known: Mapping[str, Reference]) -> pl.DataFrame:
    """One row a `FEATURE` and `BLOCK`: `COUNT` of events, ``distance``, and what ``chance`` gives.

    The features come in the order of how far they are, all blocks taken together; last come those
    that are always elsewhere, as what goes with the calendar is.
    """
    rows = []
    for (name, block), bins in tallied.group_by(FEATURE, BLOCK):
        counts = dict(bins.select(BIN, COUNT).iter_rows())
        distance, chance = known[str(name)].distance(counts)
        rows.append((name, block, sum(counts.values()), distance, chance))
    schema = pl.Schema(
        {
            FEATURE: pl.String(),
            BLOCK: pl.Datetime("us", "UTC"),
            COUNT: pl.Int64(),
            "distance": pl.Float64(),
            "chance": pl.Float64(),
        }
    )
    found = pl.DataFrame(rows, schema=schema, orient="row")
    beyond = (pl.col("distance") - pl.col("chance")).mean().over(FEATURE)
    always = (pl.col("distance").min() > _ELSEWHERE).over(FEATURE)
    return found.sort(always, beyond, FEATURE, BLOCK, descending=[False, True, False, False])


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            FEATURE: pl.String,
            BLOCK: pl.Datetime("us", "UTC"),
            BIN: pl.String,
            COUNT: pl.Int64,
        }
    )
