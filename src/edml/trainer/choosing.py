"""How a retraining chooses how much of the past to use: by looking.

After a change, the last days may teach more than all the years before them; in quiet times, less.
Nobody knows beforehand, so some recipes are tried. The most recent time is cut into blocks, which
take turns: candidates *learn* from some, and from all the time before; others *choose* between
them; and half of them *admit* the recipe that was chosen, of which no choice has seen anything.
There, what the recipe makes of all other rows has to be better than the champion, by more than
chance. It then is fitted once more on everything: what was admitted is the recipe, and what goes on
trial beside the champion is made by it from all that is known.

Nothing here knows what a model is: see `Learner`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application
from edml.errors import TrainingError
from edml.trainer.advantage import LEAST_BLOCKS, Advantage, advantage, clipped_squares
from edml.trainer.dataset import Examples, known
from edml.trainer.recipes import RECIPES, Recipe

Numbers = NDArray[np.float64]

LONGEST_LOOK: Final = timedelta(days=28)
"""What lies further back does not judge: it would say how good a model was once."""

LEAST_ROWS: Final = 100
"""From fewer rows nothing is learnt."""

LEAST_JUDGES: Final = 50
"""By fewer rows nothing is chosen, and none is admitted."""

LEAST_CHANCE: Final = 0.05
"""The winner is admitted when chance alone gives as much less often than that."""

_TURNS: Final = ("admit", "choose", "admit", "learn")
"""What blocks are for, from the newest back, over and over. As four and seven have no common
divisor, every day of the week gets every turn."""

_TESTED_BLOCKS: Final = 12
"""The admitting rows are tested in so many blocks or more, each of the policy's block or less."""

_DAY: Final = timedelta(days=1)


class Model(Protocol):
    """What has been learnt."""

    def __call__(self, examples: Examples) -> Numbers:
        """The predictions for some rows, ``[rows]``."""
        ...


M = TypeVar("M", bound=Model)

Tell = Callable[[str, float], None]
"""Told what is being done, in a few words, and which share of it is done."""


def _silent(what: str, done: float) -> None:
    del what, done


class Learner(Protocol[M]):
    """Makes models: wide & deep in production, trees in the study, a stub in tests."""

    def fit(self, examples: Examples, weights: Numbers, start: M | None) -> M:
        """Learn from rows, each of which counts for its weight (above 0; ``[rows]``).

        With ``start``, learning starts from that model, and is short: there may be few rows.

        Raises:
            TrainingError: nothing can be learnt from these rows.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A recipe that was tried, on so many rows, and its RMSE on those that choose.

    RMSE is that of clipped errors; ``cause`` says why there is none.
    """

    recipe: Recipe
    rows: int
    rmse: float | None = None
    cause: str = ""

    @property
    def loss(self) -> float:
        """What is to be least: the RMSE, infinite where there is none."""
        return inf if self.rmse is None else self.rmse

    def figures(self) -> dict[str, Any]:
        """Ready for JSON."""
        cause = {"cause": self.cause} if self.cause else {}
        return {**self.recipe.figures(), "rows": self.rows, "rmse": self.rmse, **cause}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was tried, what was chosen, whether it is better than the champion, or why it is not.

    ``champion_rmse`` is the champion's where candidates were chosen.
    """

    as_of: datetime
    judged_from: datetime
    tried: Sequence[Candidate]
    champion_rmse: float | None = None
    chosen: Candidate | None = None
    admission: Advantage | None = None
    cause: str = ""

    @property
    def admitted(self) -> bool:
        """Whether the chosen one may go on trial."""
        return self.chosen is not None and not self.cause

    def figures(self) -> dict[str, Any]:
        """The evidence of a release, ready for JSON: ``tried``, ``chosen`` and ``admission``."""
        return {
            "tried": [each.figures() for each in self.tried],
            "chosen": None if self.chosen is None else self.chosen.figures(),
            "admission": {
                "admitted": self.admitted,
                "cause": self.cause,
                "judged_from": self.judged_from.isoformat(),
                "champion_rmse_where_chosen": self.champion_rmse,
                **({} if self.admission is None else self.admission.figures()),
            },
        }


@dataclass(frozen=True)
class Chosen(Generic[M]):
    """The choice, and the model that was fitted by it on everything; None when none is admitted.

    ``held_back`` are the rows that admitted, and ``predictions`` what the recipe has predicted for
    them, which had not seen them: the hold-out of whoever is admitted.
    """

    choice: Choice
    model: M | None = None
    held_back: Examples | None = None
    predictions: Numbers | None = None


@dataclass(frozen=True)
class Parts:
    """What each row is for: truth values ``[rows]``. A row has one use, or none of them."""

    learn: NDArray[np.bool_]
    choose: NDArray[np.bool_]
    admit: NDArray[np.bool_]


def judged_from(as_of: datetime, changed: datetime | None, trained_to: datetime | None) -> datetime:
    """From when on rows judge: since the change and what the champion has learnt from.

    On what it has learnt from, the champion looks better than it is. Nor is it more than
    `LONGEST_LOOK`.
    """
    starts = (as_of - LONGEST_LOOK, changed, trained_to)
    return max(each for each in starts if each is not None)


@dataclass(frozen=True, kw_only=True)
class Choosing(Generic[M]):
    """One choice that is to be made: for what, by whom, against whom, and when.

    Only what is known at ``as_of`` is used. Rows from ``since`` on judge (see `judged_from`).
    Corrections are tried when there is a ``start``: the champion, where the learner can start from
    it. ``tell`` is told what is being done, and which share is.

    What ``renews`` the champion is made by its own recipe, which is known to be right: it is
    admitted unless it is worse than the champion, by more than chance.
    """

    application: Application
    learner: Learner[M]
    champion: Model
    start: M | None = None
    as_of: datetime
    since: datetime
    recipes: Sequence[Recipe] = RECIPES
    renews: bool = False
    tell: Tell = _silent

    def choose(self, examples: Examples) -> Chosen[M]:
        """Try the recipes, compare the best with the champion, and fit it on everything if better.

        Raises:
            TrainingError: the recipe that was admitted makes no model of all rows.
        """
        examples, ages_days, turns = self._parted(examples)
        choice = self._tried(examples, ages_days, turns)
        if choice.chosen is None:
            return Chosen(choice)
        recipe = choice.chosen.recipe
        held_back = examples.where(pl.Series(turns.admit))
        others = ~turns.admit
        self.tell(f"comparing {recipe} with the champion", 1.0)
        try:
            tried = self._fit(recipe, examples.where(pl.Series(others)), ages_days[others])
        except TrainingError as error:
            return Chosen(replace(choice, cause=error.what))
        predictions = tried(held_back)
        blocks = blocks_of_test(ages_days[turns.admit], self._block_days)
        choice = self._compared(choice, held_back, predictions, blocks)
        if not choice.admitted:
            return Chosen(choice)
        self.tell(f"learning from {recipe}", 1.0)
        return Chosen(choice, self._fit(recipe, examples, ages_days), held_back, predictions)

    def look(self, examples: Examples) -> Choice:
        """Only try the recipes: nothing is compared with the champion, or fitted on everything."""
        return self._tried(*self._parted(examples))

    def _parted(self, examples: Examples) -> tuple[Examples, Numbers, Parts]:
        """What is known, how old it is, and what it is for."""
        examples = examples.where(self._column(examples, known(self.application, self.as_of)))
        ages_days = self._ages_days(examples)
        return examples, ages_days, parts(ages_days, self._looked_days, self._block_days)

    def _tried(self, examples: Examples, ages_days: Numbers, turns: Parts) -> Choice:
        """Try all recipes on the rows to learn from; the best is the one with the least loss."""
        choosing = examples.where(pl.Series(turns.choose))
        choice = Choice(as_of=self.as_of, judged_from=self.since, tried=())
        if min(choosing.rows, int(np.count_nonzero(turns.admit))) < LEAST_JUDGES:
            return replace(choice, cause=f"too few rows since {self.since} to judge by")
        learned, learned_days = examples.where(pl.Series(turns.learn)), ages_days[turns.learn]
        recipes = [each for each in self.recipes if self.start is not None or not each.correction]
        tried: list[Candidate] = []
        for number, recipe in enumerate(recipes):
            self.tell(f"trying {recipe}", number / len(recipes))
            tried.append(self._try(recipe, learned, learned_days, choosing))
        choice = replace(choice, tried=tried, champion_rmse=self._rmse(self.champion, choosing))
        made = [each for each in tried if each.rmse is not None]
        if not made:
            return replace(choice, cause="no recipe made a model")
        return replace(choice, chosen=min(made, key=attrgetter("loss")))

    def _try(
        self, recipe: Recipe, learned: Examples, ages_days: Numbers, choosing: Examples
    ) -> Candidate:
        rows = int(np.count_nonzero(recipe.weights(ages_days)))
        candidate = Candidate(recipe=recipe, rows=rows)
        if rows < LEAST_ROWS:
            return replace(candidate, cause=f"fewer than {LEAST_ROWS} rows to learn from")
        try:
            predictions = self._fit(recipe, learned, ages_days)(choosing)
        except TrainingError as error:
            return replace(candidate, cause=error.what)
        if not np.isfinite(predictions).all():
            return replace(candidate, cause="predictions that are no numbers")
        return replace(candidate, rmse=self._rmse(lambda _: predictions, choosing))

    def _fit(self, recipe: Recipe, examples: Examples, ages_days: Numbers) -> M:
        weights = recipe.weights(ages_days)
        used = weights > 0
        return self.learner.fit(
            examples.where(pl.Series(used)),
            weights[used],
            self.start if recipe.correction else None,
        )

    def _compared(
        self, choice: Choice, rows: Examples, predictions: Numbers, blocks: NDArray[np.int64]
    ) -> Choice:
        """Compare the recipe's predictions with the champion's, for rows that have not chosen."""
        losses, against = self._losses(predictions, rows), self._losses(self.champion(rows), rows)
        found = advantage(losses, against, blocks)
        cause = ""
        if not np.isfinite(predictions).all():
            cause = "predictions that are no numbers"
        elif found.blocks < LEAST_BLOCKS:
            cause = f"{found.blocks} blocks are too few to tell"
        elif self.renews:
            if advantage(against, losses, blocks).chance < LEAST_CHANCE:
                cause = "it is worse than the champion, by more than chance"
        elif found.chance >= LEAST_CHANCE:
            cause = "it is not better than the champion, by more than chance"
        return replace(choice, admission=found, cause=cause)

    def _losses(self, predictions: Numbers, examples: Examples) -> Numbers:
        return clipped_squares(examples.labels, predictions, self.application.clip)

    def _rmse(self, model: Model, examples: Examples) -> float:
        return float(np.sqrt(self._losses(model(examples), examples).mean()))

    @property
    def _block_days(self) -> float:
        """A policy's block, or shorter ones when there are few: each turn comes twice or more."""
        return min(self.application.policy.block / _DAY, self._looked_days / (2 * len(_TURNS)))

    @property
    def _looked_days(self) -> float:
        return (self.as_of - self.application.outcome.wait - self.since) / _DAY

    def _ages_days(self, examples: Examples) -> Numbers:
        """How long before ``as_of`` the outcome of an event was waited for at the longest."""
        newest = self.as_of - self.application.outcome.wait
        age = pl.lit(newest) - pl.col(self.application.event.time)
        return self._column(examples, age.dt.total_microseconds() / 86_400e6).to_numpy()

    def _column(self, examples: Examples, expression: pl.Expr) -> pl.Series:
        return examples.events.select(expression).to_series()


def parts(ages_days: Numbers, looked_days: float, block_days: float) -> Parts:
    """What rows are for, by their age: those older than ``looked_days`` are learnt from.

    The others are in whole blocks, from the newest back, whose turns it is over and over.

    >>> found = parts(np.array([6.5, 3.5, 2.5, 1.5, 0.5]), looked_days=4.0, block_days=1.0)
    >>> np.flatnonzero(found.learn), np.flatnonzero(found.choose), np.flatnonzero(found.admit)
    (array([0, 1]), array([3]), array([2, 4]))
    """
    turns = np.array(_TURNS)[np.floor(ages_days / block_days).astype(np.int64) % len(_TURNS)]
    looked = ages_days < looked_days
    return Parts(
        learn=~looked | (turns == "learn"),
        choose=looked & (turns == "choose"),
        admit=looked & (turns == "admit"),
    )


def blocks_of_test(ages_days: Numbers, block_days: float) -> NDArray[np.int64]:
    """The number of the block in which each row is tested; blocks are short where there are few.

    >>> blocks_of_test(np.array([0.0, 0.49, 0.5, 4.3]), block_days=1.0).tolist()
    [0, 2, 3, 25]
    """
    whole = len(np.unique(np.floor(ages_days / block_days)))
    pieces = -(-_TESTED_BLOCKS // max(whole, 1))
    return np.floor(ages_days / block_days * pieces).astype(np.int64)
