"""Where a model came from: data, commit, the alarm behind its training, and who promoted it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edml.errors import DataError
from edml.models.evidence import Alarm, Training, Verdict
from edml.models.records import Model, Release
from edml.monitoring.history import History

TRAINED: Final = ("retrained", "rejected")
NAMED: Final = ("promoted", "rolled_back")


@dataclass(frozen=True)
class Facts:
    """What a model's record says; ``rmse`` is that on the rows held out from its training."""

    flavour: str
    sha256: str
    size_bytes: int
    stored: str
    trained_at: datetime
    commit: str
    data_source: str
    data_from: datetime
    data_to: datetime
    rows: int
    rmse: float | None


@dataclass(frozen=True)
class Promotion:
    """What made the version champion: ``verdict`` is None when a person did."""

    kind: str
    at: datetime
    by: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Origin:
    """Where a version came from; each sentence of ``unknown`` says what could not be told."""

    version: str
    facts: Facts | None
    training: Training | None
    alarm: Alarm | None
    published: Release | None
    promotion: Promotion | None
    unknown: tuple[str, ...]


def origin(
    version: str, model: Model | None, releases: Sequence[Release], *, served_at: datetime
) -> Origin:
    """Where the version came from that served at that time; ``releases`` are oldest first."""
    ours = [each for each in releases if each.version == version]
    unknown: list[str] = []
    if model is None:
        unknown.append("its record is no longer on the log: hash, data and commit are not known")
    training = _training(model, ours, unknown)
    return Origin(
        version=version,
        facts=None if model is None else facts(model),
        training=training,
        alarm=_alarm(training, releases, unknown),
        published=next((each for each in ours if each.kind == "published"), None),
        promotion=_promotion(ours, served_at, unknown),
        unknown=tuple(unknown),
    )


def facts(model: Model) -> Facts:
    """What a model's record says."""
    about = model.metadata
    return Facts(
        flavour=model.flavour,
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        stored="in the record" if model.uri is None else model.uri,
        trained_at=about.trained_at,
        commit=about.commit,
        data_source=about.data_source,
        data_from=about.data_from,
        data_to=about.data_to,
        rows=about.rows,
        rmse=about.metrics.get("rmse"),
    )


def _training(model: Model | None, ours: Sequence[Release], unknown: list[str]) -> Training | None:
    """Why the version was trained: by the release that tells of it, or by its own record."""
    told = next((each.evidence for each in ours if each.kind in TRAINED), None)
    about = {} if model is None else model.metadata.parameters
    if told is None and "as_of" in about:
        told = json.dumps({"alarm": None, **about})
    if told is None:
        unknown.append(
            "no alarm is known to have caused its training: no release tells of a retraining"
        )
        return None
    try:
        return Training.from_json(told)
    except DataError as error:
        unknown.append(f"why it was trained cannot be read: {error.what}")
        return None


def _alarm(
    training: Training | None, releases: Sequence[Release], unknown: list[str]
) -> Alarm | None:
    """The alarm that caused a training, among the releases of all versions."""
    if training is None or training.alarm is None:
        return None
    alarm = History.of(releases).alarm(training.alarm)
    if alarm is None:
        unknown.append(f"the alarm {training.alarm} is not among the releases")
    return alarm


def _promotion(
    ours: Sequence[Release], served_at: datetime, unknown: list[str]
) -> Promotion | None:
    """The last promotion of the version before it served, or else its first."""
    named = [each for each in ours if each.kind in NAMED]
    before = [each for each in named if each.at <= served_at]
    if not named:
        unknown.append("it has not been promoted: it was served in the shadow alone")
        return None
    release = before[-1] if before else named[0]
    return Promotion(release.kind, release.at, release.by, _verdict(release, unknown))


def _verdict(release: Release, unknown: list[str]) -> Verdict | None:
    if not release.evidence:
        return None
    try:
        return Verdict.from_json(release.evidence)
    except DataError as error:
        unknown.append(f"the verdict behind its promotion cannot be read: {error.what}")
        return None
