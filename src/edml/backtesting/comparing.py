"""The arithmetic of a backtest: errors of some trips, by part, and of two models on the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from edml.application import EVENT_TIME
from edml.backtesting.playing import AGAIN, RECORDED
from edml.scoring.records import ERROR
from edml.serving import records as served

WINDOW: Final = "window_start"
COMPLETE: Final = "complete"
MOST_WINDOWS: Final = 120
"""A plot with more points than that tells no more."""

WIDTHS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
"""How wide windows may be, beside the application's own."""

_TRUNCATED: Final = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}


def errors(scored: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Count, RMSE, MAE and bias of each part, in the unit of the outcome, sorted by the part.

    >>> errors(pl.DataFrame({"role": ["a", "a"], "error": [3.0, -4.0]}), "role").rows()
    [('a', 2, 3.5355339059327378, 3.5, -0.5)]
    """
    return scored.group_by(*by).agg(*_ERRORS).sort(by)


_ERRORS: Final = (
    pl.len().alias("count"),
    (pl.col(ERROR) ** 2).mean().sqrt().alias("rmse"),
    pl.col(ERROR).abs().mean().alias("mae"),
    pl.col(ERROR).mean().alias("bias"),
)


def paired(one: pl.DataFrame, other: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Two models on the events that both have predicted, by parts, sorted by these.

    Gives back ``count``, ``rmse`` and ``rmse_other``, and ``gain``: by how much the first has the
    lesser mean squared error, in squared units of the outcome.
    """
    both = one.join(other.select(served.KEY, pl.col(ERROR).alias("_other")), on=served.KEY)
    squared, squared_other = pl.col(ERROR) ** 2, pl.col("_other") ** 2
    figures = (
        pl.len().alias("count"),
        squared.mean().sqrt().alias("rmse"),
        squared_other.mean().sqrt().alias("rmse_other"),
        (squared_other - squared).mean().alias("gain"),
    )
    if not by:
        return both.select(*figures)
    return both.group_by(*by).agg(*figures).sort(by)


def fitting(first: datetime, last: datetime) -> str:
    """The narrowest of `WIDTHS` of which a span has few enough.

    >>> fitting(datetime(2019, 1, 1), datetime(2019, 1, 4))
    'hour'
    >>> fitting(datetime(2018, 1, 1), datetime(2020, 1, 1))
    'week'
    """
    span = last - first
    return next((name for name, width in WIDTHS.items() if span / width <= MOST_WINDOWS), "month")


def windowed(
    scored: pl.DataFrame, width: str, *, reached: datetime | None, wait: timedelta
) -> pl.DataFrame:
    """The rows with the `WINDOW` of their event, and whether it is `COMPLETE`.

    It is when ``reached``, the time up to which outcomes are known, has passed the window's end and
    the ``wait``. None stands for a past of which all is known.
    """
    every = _TRUNCATED[width]
    start = pl.col(EVENT_TIME).dt.truncate(every)
    end = pl.col(WINDOW).dt.offset_by(every)
    complete = pl.lit(value=True) if reached is None else end + wait <= reached
    return scored.with_columns(start.alias(WINDOW)).with_columns(complete.alias(COMPLETE))


def differences(compared: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """How far each prediction is from the recorded one, and whether that is more than it may be.

    A difference is relative to the prediction where that is more than 1: numbers of 32 bits are no
    finer. A prediction that is missing now differs.
    """
    recorded, again = pl.col(RECORDED), pl.col(AGAIN)
    difference = (again - recorded).abs() / recorded.abs().clip(lower_bound=1.0)
    return compared.with_columns(difference=difference).with_columns(
        differs=(pl.col("difference") > tolerance).fill_null(value=True)
    )


def selected(scored: pl.DataFrame, roles: Sequence[str]) -> pl.DataFrame:
    """The rows of some roles."""
    return scored.filter(pl.col(served.ROLE).is_in(list(roles)))
