"""The wide part: a linear model over categories and their crosses, solved in closed form.

Each value of a category, and each pair of values of a cross, has one weight. Ridge regression
(Hoerl and Kennard, 1970) draws it to zero by as much as its rows are few; backfitting (Friedman and
Stuetzle, 1981) solves one term after the other on what the others leave. There is no learning rate
and no epoch, and a cross of 70,000 pairs takes a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SWEEPS: Final = 8


@dataclass(frozen=True)
class Terms:
    """Some rows as the linear model sees them: the place of each in the table of each term.

    ``places`` has the shape ``[rows, terms]``; ``sizes`` are those of the terms' tables.
    """

    places: NDArray[np.int64]
    sizes: tuple[int, ...]

    def __getitem__(self, rows: NDArray[np.bool_]) -> "Terms":
        return Terms(self.places[rows], self.sizes)


@dataclass(frozen=True)
class Wide:
    """The solved linear model: by term, a weight for each place, and the rows that it rests on.

    A row that counts for less than others rests on so much less.
    """

    intercept: float
    weights: tuple[Floats, ...]
    rows: tuple[Floats, ...]

    def effects(self, terms: Terms) -> Floats:
        """What each term adds: shape ``[rows, terms]``."""
        return _gather(self.weights, terms)

    def evidence(self, terms: Terms) -> Floats:
        """How many rows each term's weight rests on, as a logarithm: shape ``[rows, terms]``."""
        return _gather([np.log1p(rows) for rows in self.rows], terms)


def solve(terms: Terms, labels: Floats, *, ridge: float, counts: Floats | None = None) -> Wide:
    """Fit the linear model to the labels.

    ``ridge`` is how many rows of a value weigh as much as knowing nothing of it. ``counts`` says
    how many rows each row counts for.
    """
    counted = np.ones(len(labels)) if counts is None else counts
    intercept = float(np.average(labels, weights=counted))
    residual = labels - intercept
    columns = list(zip(terms.places.T, terms.sizes, strict=True))
    rows: list[Floats] = [
        np.bincount(places, counted, minlength=size).astype(np.float64) for places, size in columns
    ]
    weights = [np.zeros(size) for size in terms.sizes]
    for _ in range(_SWEEPS):
        for at, (places, size) in enumerate(columns):
            residual += weights[at][places]
            sums = np.bincount(places, residual * counted, minlength=size)
            weights[at] = sums / (rows[at] + ridge)
            residual -= weights[at][places]
    return Wide(intercept, tuple(weights), tuple(rows))


def unseen(  # noqa: PLR0913  as many as `solve` takes, and how rows are cut up
    terms: Terms,
    labels: Floats,
    *,
    folds: int,
    ridge: float,
    random: np.random.Generator,
    counts: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Effects and evidence of each row, by a linear model that has not seen that row.

    The deep part learns on these: weights that had seen the row's own label would look better than
    they are on new rows.
    """
    counted = np.ones(len(labels)) if counts is None else counts
    effects = np.empty(terms.places.shape)
    evidence = np.empty(terms.places.shape)
    fold = random.integers(folds, size=len(labels))
    for left_out in range(folds):
        own = fold == left_out
        wide = solve(terms[~own], labels[~own], ridge=ridge, counts=counted[~own])
        effects[own] = wide.effects(terms[own])
        evidence[own] = wide.evidence(terms[own])
    return effects, evidence


def _gather(tables: Sequence[NDArray[np.generic]], terms: Terms) -> Floats:
    gathered = np.empty(terms.places.shape)
    for at, table in enumerate(tables):
        gathered[:, at] = table[terms.places[:, at]]
    return gathered
