"""How much of the past a training may use, and how: the recipes among which one is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FORGOTTEN: Final = 7
"""After so many half-lives a row counts for less than a hundredth, and is left out."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which rows are learnt from, what each counts for, and where learning starts.

    Only rows of the last ``window`` are used, all without one. What a row counts for halves with
    each ``half_life`` of its age. A ``correction`` starts from the champion, and learns what has
    become wrong with it; any other recipe starts from nothing.

    >>> str(Recipe(window=timedelta(days=28)))
    'the last 28 days'
    >>> str(Recipe(half_life=timedelta(days=7), correction=True))
    'a correction of the champion by all days, halved every 7 days'
    """

    window: timedelta | None = None
    half_life: timedelta | None = None
    correction: bool = False

    def __str__(self) -> str:
        days = "all days" if self.window is None else f"the last {self.window / _DAY:g} days"
        halved = f", halved every {self.half_life / _DAY:g} days" if self.half_life else ""
        return f"{'a correction of the champion by ' if self.correction else ''}{days}{halved}"

    @property
    def reach(self) -> timedelta | None:
        """The age from which on rows are not used; None when all are."""
        ends = [self.window, None if self.half_life is None else FORGOTTEN * self.half_life]
        return min((each for each in ends if each is not None), default=None)

    def weights(self, ages_days: Numbers) -> Numbers:
        """What rows of these ages count for, of which 0 is not at all."""
        reach_days = np.inf if self.reach is None else self.reach / _DAY
        weights = np.ones(len(ages_days))
        if self.half_life is not None:
            weights = 0.5 ** (ages_days / (self.half_life / _DAY))
        return np.where(ages_days <= reach_days, weights, 0.0)

    def renewed(self, as_of: datetime, changed: datetime | None) -> Self:
        """The same, of what is known at ``as_of``: a window reaches back to the change, or further.

        >>> noon = datetime.fromisoformat("2020-04-01T12:00:00+00:00")
        >>> fortnight = Recipe(window=timedelta(days=14), correction=True)
        >>> str(fortnight.renewed(noon + timedelta(days=30), changed=noon))
        'a correction of the champion by the last 30 days'
        """
        if self.window is None or changed is None:
            return self
        return replace(self, window=max(self.window, as_of - changed))

    def figures(self) -> dict[str, Any]:
        """What it is, ready for JSON: in words, and in days."""
        return {
            "recipe": str(self),
            "window_days": None if self.window is None else self.window / _DAY,
            "half_life_days": None if self.half_life is None else self.half_life / _DAY,
            "correction": self.correction,
        }


def recipe_of(figures: Mapping[str, Any]) -> Recipe:
    """The recipe of these `Recipe.figures`.

    >>> recipe_of(RECIPES[-1].figures()) == RECIPES[-1]
    True
    """
    window, half_life = (figures[name] for name in ("window_days", "half_life_days"))
    return Recipe(
        window=None if window is None else window * _DAY,
        half_life=None if half_life is None else half_life * _DAY,
        correction=figures["correction"],
    )


def _days(number: int) -> timedelta:
    return number * _DAY


RECIPES: Final = (
    *(Recipe(window=_days(number)) for number in (7, 14, 28, 84, 365)),
    Recipe(),
    *(Recipe(half_life=_days(number)) for number in (7, 28)),
    *(Recipe(window=_days(number), correction=True) for number in (3, 7, 14, 28, 84)),
)
"""What is tried by default."""
