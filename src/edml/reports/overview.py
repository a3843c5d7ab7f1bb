"""The page of an application: how good its models are, what drifted, what was decided."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from edml.application import Application
from edml.backtesting.comparing import fitting
from edml.models.records import Model, Release, Roles
from edml.reports.bars import bars
from edml.reports.happenings import marks, reigns, told
from edml.reports.heat import Cell, heat
from edml.reports.lines import Line, Mark, Point, lines, style
from edml.reports.page import render
from edml.reports.ranks import Part, ranks
from edml.reports.shapes import Figure, Table
from edml.reports.shift import CHANCE, COUNT, DISTANCE, FEATURE, WEEK
from edml.reports.spans import Reign, spans
from edml.reports.words import Tile, minute, number, short_names, signed
from edml.scoring.reading import summary
from edml.scoring.records import WINDOW
from edml.serving import records as served

LATEST: Final = 60
"""So many of the last releases are shown at once."""

_INSTANT: Final = pl.Datetime("us", "UTC")
_RECENT: Final = timedelta(days=7)
_WEEK: Final = timedelta(days=7)
_TRUNCATED: Final = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}
_FAR: Final = 0.5
"""A distance between distributions that has the strongest colour."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a report is made of.

    ``windows`` are those of `edml.scoring.reading.windows`; ``shifts`` those of
    `edml.reports.shift.shifts`; ``pairs`` hold, by what is compared, the blocks of
    `edml.monitoring.blocks.paired`. ``releases`` and ``models`` are oldest first.
    """

    windows: pl.DataFrame
    shifts: pl.DataFrame
    pairs: Mapping[tuple[str, str], pl.DataFrame]
    releases: Sequence[Release]
    models: Sequence[Model]
    roles: Roles


def overview_page(application: Application, known: Known, now: datetime) -> str:
    """The page, whole in itself."""
    versions = [each.version for each in known.models]
    seen = known.windows[served.VERSION].unique().sort().to_list()
    names = short_names(dict.fromkeys([*versions, *seen]))
    reigned = reigns(known.windows)
    happened = marks(known.releases, reigned, names)
    releases = told(known.releases)
    return render(
        "overview.html.j2",
        application=application.name,
        lead=_lead(application, known),
        tiles=list(_tiles(application, known)),
        error_figures=list(_error_figures(application, known, names, happened)),
        pair_figures=list(_pair_figures(application, known, names)),
        drift_figures=list(_drift_figures(known)),
        reign_figures=list(_reign_figures(reigned, names, happened)),
        models=_models(known),
        unit=application.outcome.unit,
        latest=releases[:LATEST],
        older=releases[LATEST:],
        footer=f"Made by edml report on {minute(now)} UTC. Times are those of the events, in UTC; "
        "those of releases are when they were written.",
    )


def _lead(application: Application, known: Known) -> str:
    span = _span(known.windows)
    if span is None:
        return "Nothing is scored yet."
    first, last = span
    return (
        f"Errors of {application.outcome.label} in {application.outcome.unit}, "
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d}."
    )


def _span(windows: pl.DataFrame) -> tuple[datetime, datetime] | None:
    """The starts of the first and the last window; None when there is none."""
    if windows.is_empty():
        return None
    first, last = windows.select(first=pl.col(WINDOW).min(), last=pl.col(WINDOW).max()).row(0)
    return first, last


def _tiles(application: Application, known: Known) -> Iterator[Tile]:
    champion = known.roles.champion
    if champion is None:
        yield Tile("champion", "none yet", "publish a model with edml publish")
        return
    yield Tile("champion", short_names([champion])[champion], champion)
    recent = _recent(known.windows, champion)
    model = next((each for each in known.models if each.version == champion), None)
    expected = None if model is None else model.metadata.metrics.get("rmse")
    about = "" if expected is None else f"{number(expected)} on the hold-out"
    if recent is not None:
        rmse, bias = recent
        yield Tile("RMSE, last week", f"{number(rmse)}", about)
        yield Tile("bias, last week", signed(bias), application.outcome.unit)
    challenger = known.roles.challenger
    if challenger is not None:
        yield Tile("challenger", short_names([challenger])[challenger], "served in the shadow")
    counts = {
        kind: sum(each.kind == kind for each in known.releases)
        for kind in ("alarmed", "promoted", "rolled_back")
    }
    yield Tile(
        "alarms",
        f"{counts['alarmed']:,}",
        f"{counts['promoted']:,} promotions, {counts['rolled_back']:,} roll-backs"
        + (", frozen" if known.roles.frozen else ""),
    )


def _recent(windows: pl.DataFrame, version: str) -> tuple[float, float] | None:
    """RMSE and bias of a version in the last week of its complete windows."""
    complete = windows.filter(pl.col("complete"), pl.col(served.VERSION) == version)
    span = _span(complete)
    if span is None:
        return None
    found = summary(complete.filter(pl.col(WINDOW) > span[1] - _RECENT), served.VERSION)
    rmse, bias = found.select("rmse", "bias").row(0)
    return None if rmse is None else (rmse, bias)


def _error_figures(
    application: Application, known: Known, names: Mapping[str, str], happened: Sequence[Mark]
) -> Iterator[Figure]:
    span = _span(known.windows)
    if span is None:
        return
    every = fitting(*span)
    by_time = _by_time(known.windows, _TRUNCATED[every])
    for what, title in (("rmse", "RMSE"), ("bias", "Bias")):
        yield lines(
            f"{title} of each version, by {every}",
            "In whichever role it served. Windows in which outcomes are awaited hold short waits "
            "only: their errors are biased, and drawn dashed.",
            application.outcome.unit,
            [
                Line(
                    names[version],
                    tuple(
                        Point(row[WINDOW], row[what], row["count"], row["complete"])
                        for row in group.iter_rows(named=True)
                        if row[what] is not None
                    ),
                    _style(known, str(version)),
                )
                for (version,), group in by_time.group_by(served.VERSION, maintain_order=True)
            ],
            happened,
            from_zero=what == "rmse",
        )
    yield from _segments(application, known, names)


def _style(known: Known, version: str) -> str:
    """A version looks the same in all figures."""
    order = known.windows.sort(WINDOW)[served.VERSION].unique(maintain_order=True).to_list()
    return style(order.index(version) if version in order else len(order))


def _by_time(windows: pl.DataFrame, every: str) -> pl.DataFrame:
    """The windows added up to wider ones; such a one is complete when all of it is."""
    wider = windows.with_columns(pl.col(WINDOW).dt.truncate(every))
    complete = wider.group_by(served.VERSION, WINDOW).agg(pl.col("complete").all())
    summed = summary(wider, served.VERSION, WINDOW, complete_only=False)
    return summed.join(complete, on=[served.VERSION, WINDOW]).sort(WINDOW, served.VERSION)


def _segments(application: Application, known: Known, names: Mapping[str, str]) -> Iterator[Figure]:
    """Each model that serves, in each segment, on complete windows alone."""
    serving = [each for each in known.roles.served().values() if each in names]
    found = summary(known.windows, served.VERSION, served.SEGMENT).filter(
        pl.col(served.VERSION).is_in(serving), pl.col("count") > 0
    )
    parts = [
        Part(
            str(segment),
            int(group["count"].max() or 0),  # type: ignore[arg-type]
            {
                names[row[served.VERSION]]: row["rmse"]
                for row in sorted(
                    group.iter_rows(named=True), key=lambda row: serving.index(row[served.VERSION])
                )
            },
        )
        for (segment,), group in found.group_by(served.SEGMENT, maintain_order=True)
    ]
    if parts:
        yield ranks(
            "RMSE by segment",
            "Of the models that serve now, on complete windows. Versions that have not served "
            "equally long are not measured on the same events.",
            application.outcome.unit,
            sorted(parts, key=lambda part: -part.count),
            {names[each]: _style(known, each) for each in serving},
        )


def _pair_figures(
    application: Application, known: Known, names: Mapping[str, str]
) -> Iterator[Figure]:
    for (tried, against), blocks in known.pairs.items():
        if blocks.is_empty():
            continue
        better = (pl.col("against_squared") - pl.col("tried_squared")) / pl.col("count")
        points = tuple(
            Point(row["start"], row["better"], row["count"])
            for row in blocks.with_columns(better=better).iter_rows(named=True)
        )
        yield bars(
            f"{names.get(tried, tried)} against {names.get(against, against)}",
            "By block, on the same events: by how much its squared error is the lesser. Errors "
            f"count as {application.clip:g} {application.outcome.unit} at the most, as for the "
            "judge; blocks are complete.",
            f"squared {application.outcome.unit}",
            Line("better by", points, style(0)),
            application.policy.block,
        )


def _drift_figures(known: Known) -> Iterator[Figure]:
    shown = _whole_weeks(known)
    if shown.is_empty():
        return
    yield heat(
        "Distance from the features in training, by week",
        "The share of events that would have to be other ones; what chance alone gives is taken "
        "off the colour. What goes with the calendar, such as a day of the year, is always far.",
        [
            Cell(
                row[FEATURE],
                row[WEEK],
                min(1.0, max(0.0, (row[DISTANCE] - row[CHANCE]) / _FAR)),
                f"{row[DISTANCE]:.3f} of {row[COUNT]:,} events (by chance {row[CHANCE]:.3f})",
            )
            for row in shown.iter_rows(named=True)
        ],
        _WEEK,
    )


def _whole_weeks(known: Known) -> pl.DataFrame:
    """The weeks of which all days are there, if there is one: a part has other days of the week."""
    span = _span(known.windows)
    if span is None:
        return known.shifts
    first, last = span
    whole = known.shifts.filter(
        pl.col(WEEK) >= pl.lit(first, _INSTANT), pl.col(WEEK) + _WEEK <= pl.lit(last, _INSTANT)
    )
    return known.shifts if whole.is_empty() else whole


def _reign_figures(
    reigned: Sequence[Reign], names: Mapping[str, str], happened: Sequence[Mark]
) -> Iterator[Figure]:
    if reigned:
        named = [Reign(names[each.version], each.role, each.first, each.last) for each in reigned]
        yield spans(
            "Who served when",
            "By the events that each version has predicted, in each role.",
            named,
            happened,
        )


def _models(known: Known) -> Table:
    live = {
        row[served.VERSION]: row
        for row in summary(known.windows, served.VERSION).iter_rows(named=True)
    }
    roles = {version: role for role, version in known.roles.served().items()}
    rows = []
    for each in reversed(known.models):
        about, found = each.metadata, live.get(each.version, {})
        rows.append(
            (
                each.version,
                roles.get(each.version, ""),
                minute(about.trained_at),
                f"{about.data_from:%Y-%m-%d} – {about.data_to:%Y-%m-%d}",
                f"{about.rows:,}",
                number(about.metrics.get("rmse")),
                number(found.get("rmse")),
                signed(found.get("bias")),
                f"{found.get('count', 0):,}",
            )
        )
    heads = ("version", "role", "trained", "data", "rows", "hold-out", "live", "bias", "scored")
    return Table(heads, tuple(rows), frozenset({"rows", "hold-out", "live", "bias", "scored"}))
