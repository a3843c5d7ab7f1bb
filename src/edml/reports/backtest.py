"""The page of a backtest."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from edml.backtesting.document import LIVE_SERIES
from edml.backtesting.playing import CANDIDATE
from edml.reports.lines import GROUND, Line, Point, lines, style
from edml.reports.page import render
from edml.reports.ranks import Part, ranks
from edml.reports.shapes import Figure, Table
from edml.reports.words import Tile, minute, number, short_names, signed

_RIGHT: Final = frozenset({"scored", "RMSE", "MAE", "bias", "shared", "candidate"})


def backtest_page(document: Mapping[str, Any], now: datetime) -> str:
    """The page of a document as `edml.backtesting.document.document` makes it."""
    names = short_names({each["version"] for each in document["models"]})
    return render(
        "backtest.html.j2",
        application=document["application"],
        lead=f"{document['events']:,} events from {minute(document['first'])} to "
        f"{minute(document['last'])} UTC; errors of {document['label']} in {document['unit']}.",
        tiles=list(_tiles(document)),
        again=_again(document["as_of_live"], names),
        models=_models(document["models"]),
        models_about="Shared are the events that the candidate has predicted, too; next to them "
        "stands its RMSE on these.",
        figures=list(_figures(document, names)) if document["models"] else [],
        left_out=_left_out(document),
        footer=f"Made by edml backtest on {minute(now)} UTC.",
    )


def _tiles(document: Mapping[str, Any]) -> Iterator[Tile]:
    candidates = [each for each in document["models"] if each["role"] == CANDIDATE]
    for each in candidates:
        yield Tile("candidate", number(each["rmse"]), f"RMSE of {each['version']}")
        yield Tile("bias", signed(each["bias"]), "prediction – outcome, on average")
    live = [each for each in document["models"] if each["role"] == "champion"]
    count = sum(each["count"] for each in live)
    if count:
        squares = sum(each["count"] * each["rmse"] ** 2 for each in live)
        about = f"RMSE of {len(live)} champion{'s' if len(live) > 1 else ''}, as recorded"
        yield Tile("live", number((squares / count) ** 0.5), about)
    told = document["predictions"]
    yield Tile("scored", f"{told['scored']:,}", f"{told['without_outcome']:,} without an outcome")


def _again(found: Mapping[str, Any] | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    if found is None:
        return None
    largest = found["largest"]
    told = "" if largest is None else f"; the largest difference is {largest:.2g}"
    return {
        "bad": found["differing"] > 0,
        "sentence": f"{found['compared']:,} recorded predictions of {len(found['versions'])} "
        f"versions were predicted again: {found['differing']:,} differ by more than "
        f"{found['tolerance']:g}{told}.",
        "table": Table(
            ("key", "version", "recorded", "now"),
            tuple(
                (
                    each["uuid"],
                    names.get(each["version"], each["version"]),
                    number(each["recorded"], 6),
                    number(each["again"], 6),
                )
                for each in found["worst"]
            ),
            frozenset({"recorded", "now"}),
        ),
    }


def _models(models: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        ("role", "version", "scored", "RMSE", "MAE", "bias", "shared", "candidate"),
        tuple(
            (
                each["role"],
                each["version"],
                f"{each['count']:,}",
                number(each["rmse"]),
                number(each["mae"]),
                signed(each["bias"]),
                "" if each["shared"] is None else f"{each['shared']:,}",
                "" if each["candidate_rmse"] is None else number(each["candidate_rmse"]),
            )
            for each in models
        ),
        _RIGHT,
    )


def _left_out(document: Mapping[str, Any]) -> Table:
    causes = {
        **document["left_out"],
        **{f"cannot be decoded, of {topic}": n for topic, n in document["undecodable"].items()},
    }
    rows = tuple((cause, f"{count:,}") for cause, count in causes.items())
    return Table(("cause", "records"), rows, frozenset({"records"}))


def _figures(document: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Figure]:
    unit, every = document["unit"], document["every"]
    labels = {**names, LIVE_SERIES: "live"}
    there = {each["series"] for each in document["windows"]}
    order = [
        *dict.fromkeys(each["version"] for each in document["models"] if each["version"] in there),
        *([LIVE_SERIES] if LIVE_SERIES in there else []),
    ]
    styles = {labels[each]: style(number) for number, each in enumerate(order)}
    styles["live"] = GROUND
    for what, title in (("rmse", "RMSE"), ("bias", "Bias")):
        yield lines(
            f"{title} by {every}",
            "By the time of the event, in UTC."
            + (" Live is whichever version was champion." if LIVE_SERIES in there else ""),
            unit,
            [
                Line(
                    labels[each],
                    _points(document["windows"], each, what),
                    styles[labels[each]],
                )
                for each in order
            ],
            from_zero=what == "rmse",
        )
    segments = dict.fromkeys(each["segment"] for each in document["segments"])
    yield ranks(
        "RMSE by segment",
        "Of the events with an outcome that counts.",
        unit,
        [_part(segment, document["segments"], order, labels) for segment in segments],
        styles,
    )


def _points(windows: Sequence[Mapping[str, Any]], series: str, what: str) -> tuple[Point, ...]:
    return tuple(
        Point(each["window_start"], each[what], each["count"], each["complete"])
        for each in windows
        if each["series"] == series
    )


def _part(
    segment: str,
    rows: Sequence[Mapping[str, Any]],
    order: Sequence[str],
    labels: Mapping[str, str],
) -> Part:
    ours = {each["series"]: each for each in rows if each["segment"] == segment}
    return Part(
        segment,
        max(each["count"] for each in ours.values()),
        {labels[each]: ours[each]["rmse"] for each in order if each in ours},
    )
