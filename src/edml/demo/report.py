"""What the demo came to: as a document, and as a text for a person."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edml.demo.figures import Errors, Figures


@dataclass(frozen=True, slots=True)
class VersionReport:
    """A version, its role at the end, and the errors of the answers that it gave as champion."""

    version: str
    role: str
    count: int
    rmse: float | None
    mae: float | None
    bias: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The document that ``--json`` writes.

    ``events`` are the records on the events' topic, good or bad; ``predictions`` and ``scored`` are
    the champion's answers, so ``events`` = ``predictions`` + ``dead_letters``. ``latency_ms`` is
    counted from an event's timestamp, its write, to the moment when a ``read_committed`` consumer
    outside had the answer. ``releases`` are what happened to models, each with how far event time
    was when it was seen; ``days`` are the answers' errors by day of the event, in UTC.
    """

    events: int
    predictions: int
    scored: int
    dead_letters: int
    rate_per_s: float
    latency_ms: Mapping[str, float | None]
    versions: tuple[VersionReport, ...]
    data: str
    releases: tuple[Mapping[str, str | None], ...] = ()
    days: tuple[Mapping[str, str | int | float | None], ...] = ()

    def write(self, path: Path) -> None:
        """Write the document to a file."""
        path.write_text(json.dumps(self.document, indent=2) + "\n", encoding="utf-8")

    @property
    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return asdict(self)


def report(figures: Figures, data: str) -> Report:
    """What the figures at the end come to."""
    latency = figures.latency
    return Report(
        events=figures.events,
        predictions=figures.predictions,
        scored=figures.scored,
        dead_letters=figures.dead_letters,
        rate_per_s=round(figures.mean_rate_per_s, 1),
        latency_ms={
            "p50": None if latency is None else round(latency.p50, 1),
            "p99": None if latency is None else round(latency.p99, 1),
        },
        versions=tuple(
            _version(each.version, _role(figures, each.version), each.errors)
            for each in figures.served
            if each.role == "champion"
        ),
        data=data,
        releases=tuple(
            {
                "kind": each.kind,
                "version": each.version,
                "cause": each.cause,
                "event_time": None if each.event_time is None else each.event_time.isoformat(),
            }
            for each in figures.told
        ),
        days=tuple(
            {"day": each.day.isoformat(), "count": each.errors.count, "rmse": each.errors.rmse}
            for each in figures.days
        ),
    )


def _version(version: str, role: str, errors: Errors) -> VersionReport:
    return VersionReport(version, role, errors.count, errors.rmse, errors.mae, errors.bias)


def _role(figures: Figures, version: str) -> str:
    return "champion" if version == figures.champion else "previous"
