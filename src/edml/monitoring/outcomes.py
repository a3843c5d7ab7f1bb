"""Whether outcomes are to be believed: enough of them have come, and they are not absurd.

Nothing is judged and nothing is trained by itself on outcomes that are in doubt, and their blocks
do not count. A model that has gone mad is no reason to doubt: outcomes are in doubt where *every*
version that is served is far off.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final

import polars as pl

from edml.application import Policy
from edml.monitoring.blocks import START

LEAST: Final = 20
"""A block with fewer predictions tells nothing about outcomes."""

USUAL_BLOCKS: Final = 28
"""How many blocks before tell how many outcomes are usual."""

MISSING: Final = 0.5
"""Outcomes are missing when fewer than this share of the usual number has come."""


@dataclass(frozen=True)
class Doubt:
    """Why the outcomes of a block are not to be believed."""

    cause: str
    statistic: float
    threshold: float
    figures: Mapping[str, float] = field(default_factory=dict)


def doubts(
    answers: pl.DataFrame, rmse: Mapping[str, float], policy: Policy
) -> dict[datetime, Doubt]:
    """The doubts about blocks, by the block's start, in order.

    Args:
        answers: One row for each ``version`` and ``start`` of a complete block: ``predictions``,
            ``answered`` (those with an outcome, valid or not), ``count`` (those that were scored),
            ``sum_error`` and ``sum_prediction``.
        rmse: What is expected of each version, in the unit of the outcome.
        policy: ``most_change`` is how far off outcomes may be on average, as a share of the mean
            prediction (or of the expected RMSE, where that is more), to be believed.
    """
    found: dict[datetime, Doubt] = {}
    usual: list[float] = []
    starts: list[datetime] = answers[START].unique().sort().to_list()
    for start in starts:
        block = answers.filter(pl.col(START) == start)
        doubt = next(_of_block(block, usual, rmse, policy), None)
        if doubt is not None:
            found[start] = doubt
        elif block["predictions"].sum() >= LEAST:
            usual = [*usual, _share(block)][-USUAL_BLOCKS:]
    return found


def _of_block(
    block: pl.DataFrame, usual: list[float], rmse: Mapping[str, float], policy: Policy
) -> Iterator[Doubt]:
    if block["predictions"].sum() < LEAST:
        return
    share, least = _share(block), MISSING * median(usual) if usual else 0.0
    if share < least or share == 0:
        yield Doubt(
            f"{share:.0%} of the predictions have an outcome",
            statistic=1 - share,
            threshold=1 - least,
            figures={"share": share, "predictions": float(block["predictions"].sum())},
        )
    off = [
        _off(row, rmse.get(row["version"], 0.0))
        for row in block.iter_rows(named=True)
        if row["count"] >= LEAST
    ]
    least_off = min(off, default=0.0)
    if least_off > policy.most_change:
        yield Doubt(
            f"every model is off by {least_off:.0%} or more on average",
            statistic=least_off,
            threshold=policy.most_change,
            figures={"off": least_off},
        )


def _share(block: pl.DataFrame) -> float:
    answered, predictions = block.select(pl.col("answered", "predictions").sum()).row(0)
    return float(answered / predictions)


def _off(row: Mapping[str, float], rmse: float) -> float:
    """How far the mean outcome is from the mean prediction, as a share of that."""
    scale = max(abs(row["sum_prediction"] / row["count"]), rmse)
    return abs(row["sum_error"] / row["count"]) / scale if scale else 0.0
