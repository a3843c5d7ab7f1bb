"""The arithmetic of the study: what became of alarms, how much was recovered, how soon. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from bench.study.past import Numbers, Past, rmse
from bench.study.plan import Plan, midnight
from edml.models.evidence import Alarm
from edml.models.records import Release
from edml.monitoring.history import History
from edml.monitoring.rests import MENDED_BY_TRAINING
from edml.trainer.span import Span

STATIC, EDML, ORACLE = "static", "edml", "oracle"
YEAR, MONTH = "calendar_12", "calendar_1"
RIVALS: Final = (STATIC, YEAR, MONTH)

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Alarms:
    """The alarms of a span that ask for a training, by what became of that.

    ``useful`` are those whose candidate became champion, ``false`` all others.
    """

    useful: int
    false: int


def monthly(past: Past, plan: Plan, predictions: Mapping[str, Numbers]) -> list[dict[str, Any]]:
    """The RMSE of each in each month."""
    return [
        {
            "month": f"{month.start:%Y-%m}",
            **{name: of(past, month, each) for name, each in predictions.items()},
        }
        for month in plan.months()
    ]


def of(past: Past, span: Span, predictions: Numbers) -> float:
    """The RMSE of all trips of some days."""
    rows = past.of(span)
    return rmse(predictions[rows], past.examples.labels[rows])


def recovered(static: float, found: float, oracle: float) -> float:
    """The share of what the oracle has over the static champion that somebody has, too.

    >>> recovered(static=9.0, found=6.0, oracle=5.0)
    0.75
    """
    return (static - found) / (static - oracle)


def shares(
    past: Past, span: Span, predictions: Mapping[str, Numbers], name: str
) -> dict[str, float]:
    """How much somebody has recovered in a span, in three ways.

    ``pooled`` takes the RMSE of all trips of the span; ``weeks`` is the mean of the shares of its
    weeks, counted from the first day, each weighted by its days; ``months`` that of the shares of
    its calendar months.
    """
    return {
        "pooled": _share(past, span, predictions, name),
        "weeks": _mean_share(past, weeks(span), predictions, name),
        "months": _mean_share(past, _months(span), predictions, name),
    }


def detection_delay_days(releases: Sequence[Release], changed: datetime) -> float | None:
    """From a change to the end of the block at which the first alarm about it was raised.

    It is told once that block is complete: after the longest wait for an outcome. None without any.
    """
    ends = [
        alarm.end
        for alarm in map(_alarm, (each for each in releases if each.kind == "alarmed"))
        if alarm.end > changed and _asks(alarm)
    ]
    return (min(ends) - changed) / _DAY if ends else None


def alarms_in(releases: Sequence[Release], span: Span) -> Alarms:
    """What became of the alarms of some days."""
    start, end = midnight(span.start), midnight(span.end)
    courses = History.of(releases).courses
    found = [
        each
        for each in map(_alarm, (one for one in releases if one.kind == "alarmed"))
        if start <= each.end < end and _asks(each)
    ]
    won = [
        each for each in found if each.id in courses and _won(courses[each.id].version, releases)
    ]
    return Alarms(useful=len(won), false=len(found) - len(won))


def counted(releases: Sequence[Release]) -> dict[str, int]:
    """How often the loop trained, and what it did with the roles."""
    kinds = [each.kind for each in releases]
    return {
        "alarms": kinds.count("alarmed"),
        "retrainings": kinds.count("requested"),
        "rejections": kinds.count("rejected"),
        "drops": kinds.count("dropped"),
        "promotions": kinds.count("promoted"),
        "rollbacks": kinds.count("rolled_back"),
    }


def figures(
    past: Past, plan: Plan, predictions: Mapping[str, Numbers], releases: Sequence[Release]
) -> dict[str, Any]:
    """Everything there is to say."""
    alarms = alarms_in(releases, plan.normal)
    normal = {name: of(past, plan.normal, each) for name, each in predictions.items()}
    found: dict[str, Any] = {
        "months": monthly(past, plan, predictions),
        "normal_months_rmse": normal,
        "normal_months_ratio": normal[EDML] / min(normal[name] for name in RIVALS),
        "false_alarms": alarms.false,
        "useful_alarms": alarms.useful,
        **counted(releases),
    }
    if plan.recovered is not None and plan.changed is not None:
        told = {
            name: shares(past, plan.recovered, predictions, name) for name in (EDML, YEAR, MONTH)
        }
        found["recovered_share"] = told[EDML]["pooled"]
        found["recovered_shares"] = told
        found["recovered_rmse"] = {
            name: of(past, plan.recovered, each) for name, each in predictions.items()
        }
        found["detection_delay_days"] = detection_delay_days(releases, midnight(plan.changed))
    return found


def _share(past: Past, span: Span, predictions: Mapping[str, Numbers], name: str) -> float:
    errors = {each: of(past, span, predictions[each]) for each in {STATIC, name, ORACLE}}
    return recovered(errors[STATIC], errors[name], errors[ORACLE])


def _mean_share(
    past: Past, spans: Sequence[Span], predictions: Mapping[str, Numbers], name: str
) -> float:
    found = [_share(past, each, predictions, name) for each in spans]
    return float(np.average(found, weights=[(each.end - each.start) / _DAY for each in spans]))


def weeks(span: Span) -> list[Span]:
    """The weeks of some days, counted from the first one; the last may be part of one."""
    starts = [
        span.start + number * _WEEK for number in range((span.end - span.start).days // 7 + 1)
    ]
    return [Span(each, min(each + _WEEK, span.end)) for each in starts if each < span.end]


def _months(span: Span) -> list[Span]:
    before = Span(span.start - _DAY, span.start)
    return list(Plan(first=before, end=span.end, normal=span).months())


def _alarm(release: Release) -> Alarm:
    return Alarm.from_json(release.evidence, version=release.version)


def _asks(alarm: Alarm) -> bool:
    return alarm.about in MENDED_BY_TRAINING


def _won(version: str | None, releases: Sequence[Release]) -> bool:
    return any(each.kind == "promoted" and each.version == version for each in releases)
