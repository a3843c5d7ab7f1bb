"""What stands behind a release, as JSON that people read and types that programs read.

A release says what happened; its evidence says why, in figures:

========================================  ==============================
kind of release                           evidence
========================================  ==============================
alarmed                                   `Alarm`
requested                                 `Training`
training                                  `Lease`
retrained, rejected, failed               an object that has `Training`'s
promoted, dropped, rolled_back by edml    `Verdict`
========================================  ==============================

All times are event time, in UTC, but for a lease's ``until``, which is the machine's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self

from edml.errors import DataError

About = Literal["performance", "bias", "inputs", "predictions", "outcomes"]
"""What has drifted. ``outcomes``: they have stopped coming, or are not to be believed."""

Reason = Literal["alarm", "schedule", "follow_up", "person"]
"""Why a model is trained. ``follow_up``: after drift, as soon as there is more of the new."""

Judgement = Literal["promote", "drop", "roll_back"]

_RENAMED: Final = {"start": "from", "end": "to"}


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Drift of a version, in the blocks of event time from ``start`` up to before ``end``.

    ``statistic`` has come above ``threshold``; ``figures`` are for people: the RMSE that was
    expected and the one that was found, say, in the unit of the outcome.

    >>> noon = datetime(2020, 3, 18, tzinfo=UTC)
    >>> alarm = Alarm(
    ...     version="v1", about="bias", start=noon, end=noon, statistic=25.0, threshold=20.0
    ... )
    >>> alarm.id
    'v1/bias@2020-03-18T00:00:00+00:00'
    >>> Alarm.from_json(alarm.to_json(), version="v1") == alarm
    True
    """

    version: str
    about: About
    segment: str = ""
    start: datetime
    end: datetime
    statistic: float
    threshold: float
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Names the alarm: the version, what it is about, the segment, the end of its blocks."""
        where = [self.version, self.about, *([self.segment] if self.segment else [])]
        return f"{'/'.join(where)}@{self.end.isoformat()}"

    def __str__(self) -> str:
        """One line for people: what about, when, and the figures."""
        about = f"{self.about} {self.segment}".strip()
        since, until = (f"{each:%Y-%m-%d %H:%M}" for each in (self.start, self.end))
        figures = ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in self.figures.items()
        )
        return f"{about} from {since} to {until}: {figures}"

    def to_json(self) -> str:
        """The evidence of an ``alarmed`` release."""
        return _dumps({"alarm": self.id, **_fields(self, but=("version",))})

    @classmethod
    def from_json(cls, text: str, *, version: str) -> Self:
        """Read the evidence of an ``alarmed`` release of ``version``."""
        found = _loads(text)
        with _Reading(text):
            return cls(
                version=version,
                about=found["about"],
                segment=found["segment"],
                start=_instant(found["from"]),
                end=_instant(found["to"]),
                statistic=float(found["statistic"]),
                threshold=float(found["threshold"]),
                figures=found["figures"],
            )


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training that is asked for: of what was known at ``as_of``, and why.

    An alarm's training has the alarm's id; any other is named by its reason and ``as_of``. One that
    ``renews`` a version takes the recipe of that one, which has won its trial, and more of the new.
    """

    reason: Reason
    as_of: datetime
    alarm: str | None = None
    renews: str | None = None

    @property
    def id(self) -> str:
        """Names the training: two requests for the same one are one."""
        if self.reason == "alarm" and self.alarm is not None:
            return self.alarm
        return f"{self.reason}@{self.as_of.isoformat()}"

    def to_json(self, **more: Any) -> str:
        """The evidence of a release about this training, and ``more`` that is said about it."""
        return _dumps({"training": self.id, **_fields(self), **more})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read it from the evidence of any release about a training."""
        found = _loads(text)
        with _Reading(text):
            return cls(
                reason=found["reason"],
                as_of=_instant(found["as_of"]),
                alarm=found["alarm"],
                renews=found.get("renews"),
            )


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who trains, and until when nobody else does (the machine's clock)."""

    training: Training
    holder: str
    until: datetime

    def to_json(self) -> str:
        """The evidence of a ``training`` release."""
        return self.training.to_json(holder=self.holder, until=self.until)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the evidence of a ``training`` release."""
        found = _loads(text)
        with _Reading(text):
            return cls(
                training=Training.from_json(text),
                holder=found["holder"],
                until=_instant(found["until"]),
            )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a version tried against another, on the blocks from ``start`` to ``end``.

    ``tried`` is the version on trial (a challenger; after a promotion, the new champion), and
    ``against`` the other one. ``statistic`` has come above ``threshold``, unless ``cause`` tells
    another reason. ``as_of`` is the watermark at which it was decided.
    """

    judgement: Judgement
    tried: str
    against: str
    start: datetime
    end: datetime
    as_of: datetime
    blocks: int
    statistic: float
    threshold: float
    cause: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """The evidence of a ``promoted``, ``dropped`` or ``rolled_back`` release."""
        return _dumps(_fields(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the evidence of a ``promoted``, ``dropped`` or ``rolled_back`` release of edml's."""
        found = _loads(text)
        with _Reading(text):
            return cls(
                judgement=found["judgement"],
                tried=found["tried"],
                against=found["against"],
                start=_instant(found["from"]),
                end=_instant(found["to"]),
                as_of=_instant(found["as_of"]),
                blocks=int(found["blocks"]),
                statistic=float(found["statistic"]),
                threshold=float(found["threshold"]),
                cause=found["cause"],
                figures=found["figures"],
            )


class _Reading:
    """Says what is wrong with evidence that lacks a field, or has another type in it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError):
            raise DataError(
                f"not the evidence that is expected here: {type(error).__name__}: {error}",
                where=self._text[:200],
            ) from error


def _fields(record: Any, but: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        _RENAMED.get(name, name): value for name, value in vars(record).items() if name not in but
    }


def _dumps(document: Mapping[str, Any]) -> str:
    return json.dumps(document, default=_told)


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else dict(value)


def _loads(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"evidence is no JSON: {error}", where=text[:200]) from error
    if not isinstance(found, dict):
        raise DataError("evidence is no JSON object", where=text[:200])
    return found


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
