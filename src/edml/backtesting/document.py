"""What a backtest has found, as a document: what is printed, drawn and written as JSON."""

from typing import Any, Final

import polars as pl

from edml.application import EVENT_TIME, Application
from edml.backtesting.comparing import (
    COMPLETE,
    WINDOW,
    differences,
    errors,
    fitting,
    paired,
    selected,
    windowed,
)
from edml.backtesting.playing import AGAIN, AGAINST, CANDIDATE, RECORDED
from edml.backtesting.run import LIVE, Result
from edml.events import OFFSET, PARTITION
from edml.serving import records as served

SERIES: Final = "series"
"""Whose errors they are: a version that was played, or `LIVE_SERIES`."""

LIVE_SERIES: Final = "live"
WORST: Final = 5


def document(
    application: Application, result: Result, tolerance: float, *, every: str | None = None
) -> dict[str, Any]:
    """The figures of a backtest, of plain values alone; times are instants.

    ``every`` is how wide windows are: by default, as wide as makes few enough of them.
    """
    series = _series(result.scored)
    return {
        "application": application.name,
        "label": application.outcome.label,
        "unit": application.outcome.unit,
        "events": result.events,
        "first": result.first,
        "last": result.last,
        "left_out": dict(result.left_out),
        "undecodable": dict(result.undecodable),
        "predictions": {
            "recorded": result.recorded.height,
            "scored": result.scored.height,
            "without_outcome": result.answered.missing,
            "late": result.answered.late,
            "invalid": result.answered.invalid,
        },
        "models": result.summary().to_dicts(),
        "every": every or _every(series),
        "windows": _windows(application, result, series, every or _every(series)),
        "segments": errors(series, SERIES, served.SEGMENT).to_dicts(),
        "paired_segments": _paired_segments(result),
        "as_of_live": None
        if result.compared is None
        else _as_of_live(result, result.compared, tolerance),
    }


def _series(scored: pl.DataFrame) -> pl.DataFrame:
    """The rows that are drawn: those of models that were played, and of whatever was champion."""
    shown = selected(scored, [CANDIDATE, AGAINST, LIVE])
    live = pl.when(pl.col(served.ROLE) == LIVE).then(pl.lit(LIVE_SERIES))
    return shown.with_columns(live.otherwise(served.VERSION).alias(SERIES))


def _every(series: pl.DataFrame) -> str:
    if series.is_empty():
        return "day"
    first, last = series.select(first=pl.col(EVENT_TIME).min(), last=pl.col(EVENT_TIME).max()).row(
        0
    )
    return fitting(first, last)


def _windows(
    application: Application, result: Result, series: pl.DataFrame, every: str
) -> list[dict[str, Any]]:
    placed = windowed(series, every, reached=result.reached, wait=application.outcome.wait)
    return errors(placed, SERIES, WINDOW, COMPLETE).to_dicts()


def _paired_segments(result: Result) -> list[dict[str, Any]]:
    """The candidate beside what was live, by segment, on the events that both have predicted."""
    live = selected(result.scored, [LIVE])
    return paired(result.candidate(), live, served.SEGMENT).to_dicts()


def _as_of_live(result: Result, compared: pl.DataFrame, tolerance: float) -> dict[str, Any]:
    """How far what is recorded is from what the same models give now."""
    found = differences(compared, tolerance)
    differing = found.filter("differs")
    worst = differing.sort("difference", descending=True, nulls_last=False).head(WORST)
    shown = worst.select(served.KEY, served.VERSION, PARTITION, OFFSET, RECORDED, AGAIN)
    return {
        "tolerance": tolerance,
        "compared": found.height,
        "unanswered": result.events - found.n_unique([PARTITION, OFFSET]),
        "without_event": selected(result.recorded, [LIVE]).height - found.height,
        "differing": differing.height,
        "largest": found["difference"].max(),
        "versions": dict(found[served.VERSION].value_counts(sort=True).iter_rows()),
        "worst": shown.rename({PARTITION: "partition", OFFSET: "offset"}).to_dicts(),
    }
