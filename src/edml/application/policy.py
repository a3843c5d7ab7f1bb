"""How an application is kept good: what counts as drift, and what a new model has to show."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from edml.errors import DeclarationError

_DAY: Final = timedelta(days=1)
_BOUNDED: Final = 8
"""Errors of more than this part of the outcome's range count as if they were that large."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the monitor, the trainer and the judge go by; all times are event time.

    Errors are compared by a ``block`` of time, which is a whole number of the application's
    windows. An error of more than ``clip`` (in the unit of the outcome) counts as one of ``clip``;
    by default, that is an eighth of the range of outcomes that count.

    An RMSE is no drift while it is at most ``tolerance`` (a share of it) above the normal one, nor
    is a bias of less than a quarter of that (in a segment, of all of it). Without drift, alarms are
    ``quiet_for`` or more apart on average, in the worst case.

    A challenger is in the shadow for no less and no more than ``trial``. One that is no better than
    the champion is promoted with a probability of ``promote_error`` at the most. A person has to
    decide about one whose mean prediction differs from the champion's by more than
    ``most_change``, as a share of it.

    Between two trainings is a ``rest``; it doubles with each training that brings nothing. With a
    ``schedule``, a model is trained so often without an alarm, too. A training is ended after
    ``training_s`` seconds, or when it takes more than ``training_mb`` MiB.

    What an alarm has made champion has seen little of the new. It is followed up for some weeks, a
    ``rest`` apart. With ``renew``, its own recipe is taken again, with all that has come since: the
    recipe has won its trial, so that what it makes now takes over once it has done no worse for the
    least time of a ``trial``. Without, what follows up has to win as any challenger does.
    """

    block: timedelta = _DAY
    clip: float | None = None
    tolerance: float = 0.1
    quiet_for: timedelta = 180 * _DAY
    trial: tuple[timedelta, timedelta] = (4 * _DAY, 28 * _DAY)
    promote_error: float = 0.01
    most_change: float = 0.5
    rest: timedelta = 7 * _DAY
    schedule: timedelta | None = None
    renew: bool = True
    training_s: float = 3600.0
    training_mb: int = 4096

    def __post_init__(self) -> None:
        for name in ("block", "quiet_for", "rest"):
            _check_span(name, getattr(self, name))
        if self.schedule is not None:
            _check_span("schedule", self.schedule)
        if self.quiet_for <= self.block:
            raise DeclarationError(
                f"policy.quiet_for is {self.quiet_for}: expected more than a block ({self.block})"
            )
        self._check_trial()
        if not isinstance(self.renew, bool):
            raise DeclarationError(f"policy.renew is {self.renew!r}: expected True or False")
        if self.clip is not None:
            _check_positive("clip", self.clip)
        for name in ("tolerance", "most_change", "training_s", "training_mb"):
            _check_positive(name, getattr(self, name))
        if not (_is_number(self.promote_error) and 0 < self.promote_error < 1):
            raise DeclarationError(
                f"policy.promote_error is {self.promote_error!r}: "
                "expected a probability between 0 and 1"
            )

    def clipped_at(self, valid: tuple[float, float]) -> float:
        """How large an error counts at the most, in the unit of the outcome.

        Raises `DeclarationError` when the outcome has no bounds that tell, and neither has this.

        >>> Policy().clipped_at((0.0, 72.0))
        9.0
        """
        if self.clip is not None:
            return self.clip
        low, high = valid
        if not math.isfinite(high - low):
            raise DeclarationError(
                f"policy.clip is None where outcome.valid is {valid!r}: "
                "expected the largest error that counts in full"
            )
        return (high - low) / _BOUNDED

    def _check_trial(self) -> None:
        match self.trial:
            case (timedelta() as least, timedelta() as longest) if self.block <= least <= longest:
                pass
            case _:
                raise DeclarationError(
                    f"policy.trial is {self.trial!r}: expected the least and the longest time of a "
                    f"challenger in the shadow, each of a block ({self.block}) or more"
                )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_span(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise DeclarationError(f"policy.{name} is {value!r}: expected a positive timedelta")


def _check_positive(name: str, value: float) -> None:
    if not (_is_number(value) and value > 0):
        raise DeclarationError(f"policy.{name} is {value!r}: expected a positive number")
