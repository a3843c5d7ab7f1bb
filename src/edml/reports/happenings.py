"""What happened to the models: marks on plots, who served when, and a list to read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from edml.errors import DataError
from edml.models.evidence import Alarm, Training, Verdict
from edml.models.records import Release
from edml.reports.lines import Mark
from edml.reports.spans import Reign
from edml.reports.words import minute, number
from edml.scoring.records import WINDOW
from edml.serving import records as served

UNTOLD: Final = frozenset({"loaded", "training"})
"""Releases of single instances, which would hide the others."""

ROLES: Final = ("champion", "challenger", "previous")


@dataclass(frozen=True)
class Happening:
    """One release, in words."""

    kind: str
    title: str
    at: datetime
    by: str
    about: str


def reigns(windows: pl.DataFrame) -> list[Reign]:
    """Which version had which role from when to when, by the events that it predicted.

    ``windows`` are those of `edml.scoring.reading.windows`. Where a version follows another within
    a window, the one with more events there has it.
    """
    found = []
    for role in ROLES:
        held = (
            windows.filter(pl.col(served.ROLE) == role)
            .group_by(WINDOW, served.VERSION)
            .agg(pl.col("predictions").sum())
            .sort(WINDOW, "predictions", descending=[False, True])
            .unique(WINDOW, keep="first", maintain_order=True)
            .with_columns(reign=pl.col(served.VERSION).rle_id())
            .group_by("reign", served.VERSION, maintain_order=True)
            .agg(first=pl.col(WINDOW).min(), last=pl.col(WINDOW).max())
        )
        found += [Reign(version, role, first, last) for _, version, first, last in held.iter_rows()]
    return sorted(found, key=lambda each: each.first)


def marks(
    releases: Sequence[Release], reigned: Sequence[Reign], names: Mapping[str, str]
) -> list[Mark]:
    """Alarms, promotions and roll-backs in event time, but for the promotion of the first champion.

    What the loop decides says when, by the events. A person's decision is placed where the version
    first answered as champion: a replay of the past runs by another clock.
    """
    found: list[Mark] = []
    champion = None
    for each in releases:
        name = names.get(each.version, each.version)
        if each.kind == "alarmed":
            alarm = _alarm(each)
            about = "" if alarm is None else f" of {alarm.segment or alarm.about}"
            found.append(Mark(each.at if alarm is None else alarm.end, "alarm", f"alarm{about}"))
        elif each.kind in {"promoted", "rolled_back"}:
            kind = "promotion" if each.kind == "promoted" else "roll_back"
            at = _decided(each, reigned)
            if champion not in {None, each.version}:
                found.append(Mark(at, kind, f"{each.kind.replace('_', ' ')}: {name}"))
            champion = each.version
    return sorted(found, key=lambda each: each.at)


def _decided(release: Release, reigned: Sequence[Reign]) -> datetime:
    try:
        return Verdict.from_json(release.evidence).as_of
    except DataError:
        began = [
            each.first
            for each in reigned
            if (each.version, each.role) == (release.version, "champion")
        ]
        return began[-1 if release.kind == "rolled_back" else 0] if began else release.at


def told(releases: Sequence[Release]) -> list[Happening]:
    """The releases that are worth reading, newest first."""
    return [
        Happening(
            kind=each.kind,
            title=f"{each.kind.replace('_', ' ')} {each.version}".strip(),
            at=each.at,
            by=each.by,
            about="; ".join(_about(each)),
        )
        for each in reversed(releases)
        if each.kind not in UNTOLD
    ]


def _about(release: Release) -> Iterator[str]:
    if release.cause:
        yield release.cause
    if not release.evidence:
        return
    try:
        yield from _evidence(release)
    except DataError:
        yield release.evidence


def _evidence(release: Release) -> Iterator[str]:
    """What the evidence says, in words."""
    match release.kind:
        case "alarmed":
            alarm = Alarm.from_json(release.evidence, version=release.version)
            where = f" of {alarm.segment}" if alarm.segment else ""
            yield f"{alarm.about}{where}, from {minute(alarm.start)} to {minute(alarm.end)}"
            yield f"statistic {number(alarm.statistic, 2)} above {number(alarm.threshold, 2)}"
            yield from _figures(alarm.figures)
        case "promoted" | "dropped" | "rolled_back":
            verdict = Verdict.from_json(release.evidence)
            if release.cause != verdict.cause:
                yield verdict.cause
            yield f"against {verdict.against}"
            yield f"{verdict.blocks} blocks from {minute(verdict.start)} to {minute(verdict.end)}"
            yield from _figures(verdict.figures)
        case _:
            training = Training.from_json(release.evidence)
            yield f"because of {training.reason.replace('_', ' ')}, as of {minute(training.as_of)}"
            if training.alarm is not None:
                yield f"alarm {training.alarm}"
            if training.renews is not None:
                yield f"renews {training.renews}, by the same recipe"
            yield from _training(json.loads(release.evidence))


def _training(evidence: Mapping[str, Any]) -> Iterator[str]:
    """What came of a training: the figures of what was chosen, and of its admission."""
    for part in ("chosen", "admission"):
        told = evidence.get(part)
        if isinstance(told, dict):
            numbers = {name: each for name, each in told.items() if isinstance(each, int | float)}
            yield f"{part}: {', '.join(_figures(numbers))}"


def _figures(figures: Mapping[str, float]) -> Iterator[str]:
    for name, value in figures.items():
        yield f"{name.replace('_', ' ')} {value:,.3g}"


def _alarm(release: Release) -> Alarm | None:
    try:
        return Alarm.from_json(release.evidence, version=release.version)
    except DataError:
        return None
