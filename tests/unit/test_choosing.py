from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from edml.application import OUTCOME_TIME
from edml.errors import TrainingError
from edml.trainer.advantage import advantage
from edml.trainer.choosing import LONGEST_LOOK, Choosing, Numbers, judged_from, parts
from edml.trainer.dataset import Examples
from edml.trainer.recipes import RECIPES, Recipe, recipe_of
from tests.parcels import MORNING, parcels

DAY = timedelta(days=1)
AS_OF = MORNING + 60 * DAY
CHANGED = AS_OF - 8 * DAY


@dataclass(frozen=True)
class Constant:
    """Predicts the same for every row."""

    value: float

    def __call__(self, examples: Examples) -> Numbers:
        """The number, over and over."""
        return np.full(examples.rows, self.value)


@dataclass
class MeanLearner:
    """Learns the weighted mean, or most of the way to it from its start; keeps what it saw."""

    seen: list[Examples] = field(default_factory=list)

    def fit(self, examples: Examples, weights: Numbers, start: Constant | None) -> Constant:
        """The mean; most of the way to it with a start."""
        self.seen.append(examples)
        mean = float(np.average(examples.labels, weights=weights))
        return Constant(mean if start is None else start.value * 0.1 + mean * 0.9)


class BrokenLearner(MeanLearner):
    """Predicts what is no number, unless it learns from all days: then it cannot learn."""

    def fit(self, examples: Examples, weights: Numbers, start: Constant | None) -> Constant:
        """No number; nothing at all from all days."""
        if (AS_OF - examples.events["handed_over_at"][0]) > 50 * DAY:
            raise TrainingError("the loss is not a number")
        return replace(super().fit(examples, weights, start), value=np.nan)


def examples(*, change: float, days: int = 60, a_day: int = 200) -> Examples:
    """Parcels that take 20 hours with some noise, and ``change`` more since the change."""
    rows = days * a_day
    at = [AS_OF - DAY * (days - row / a_day) for row in range(rows)]
    noise = np.random.default_rng(1).normal(0, 2, rows)
    labels = 20 + noise + np.array([change * (each >= CHANGED) for each in at])
    events = pl.DataFrame({"handed_over_at": at}).with_columns(
        (pl.col("handed_over_at") + pl.Series(labels) * pl.duration(hours=1)).alias(OUTCOME_TIME)
    )
    return Examples(events, pl.DataFrame({"none": np.zeros(rows)}), labels)


def choosing(
    learner: MeanLearner,
    champion: float = 20.0,
    *,
    since: datetime = CHANGED,
    recipes: Sequence[Recipe] = RECIPES,
    renews: bool = False,
) -> Choosing[Constant]:
    """A choice that is to be made against a champion that predicts one number."""
    start = Constant(champion)
    return Choosing(
        application=parcels,
        learner=learner,
        champion=start,
        start=start,
        as_of=AS_OF,
        since=since,
        recipes=recipes,
        renews=renews,
    )


def test_after_a_change_the_newest_days_are_chosen() -> None:
    """All days would drown the change, and the champion does not know it."""
    found = choosing(MeanLearner()).choose(examples(change=10))
    assert found.choice.admitted
    assert found.choice.chosen is not None
    assert found.choice.chosen.recipe.reach is not None
    assert found.choice.chosen.recipe.reach <= 8 * DAY
    assert found.model is not None
    assert found.model.value == pytest.approx(30, abs=1.5)


def test_to_look_is_to_try_and_nothing_more() -> None:
    """The same is chosen; nothing is admitted, and the fits for that are spared."""
    looking, choosing_too = MeanLearner(), MeanLearner()
    found = choosing(looking).look(examples(change=10))
    chosen = choosing(choosing_too).choose(examples(change=10)).choice
    assert (found.tried, found.chosen) == (chosen.tried, chosen.chosen)
    assert found.admission is None
    assert len(looking.seen) == len(choosing_too.seen) - 2


def test_without_a_change_nobody_is_admitted() -> None:
    """Who is as good as the champion is not better: it stops there, and the figures say so."""
    found = choosing(MeanLearner()).choose(examples(change=0))
    assert found.model is None
    assert found.choice.chosen is not None
    assert found.choice.cause == "it is not better than the champion, by more than chance"
    figures = found.choice.figures()
    assert figures["admission"]["admitted"] is False
    assert figures["admission"]["chance"] > 0.05
    assert len(figures["tried"]) == len(RECIPES)


def test_a_worse_candidate_is_rejected() -> None:
    """The best of the bad is chosen, and is no match for the champion."""
    only = [Recipe()]
    found = choosing(MeanLearner(), 30.0, recipes=only).choose(examples(change=10))
    assert found.model is None
    assert found.choice.admission is not None
    assert found.choice.admission.rmse > found.choice.admission.rmse_against
    assert found.choice.admission.chance == pytest.approx(1, abs=0.01)


def test_a_renewal_need_not_be_better() -> None:
    """As good as the champion, it goes on trial; worse by more than chance, it does not."""
    only = [Recipe()]
    equal = choosing(MeanLearner(), recipes=only, renews=True).choose(examples(change=0))
    assert equal.choice.admitted
    assert equal.choice.admission is not None
    assert equal.choice.admission.chance > 0.05
    worse = choosing(MeanLearner(), 30.0, recipes=only, renews=True).choose(examples(change=10))
    assert worse.model is None
    assert worse.choice.cause == "it is worse than the champion, by more than chance"


def test_a_recipe_is_renewed_with_all_that_has_come_since() -> None:
    """A window reaches back to the change once that is further; what has no window stays."""
    short, halved = Recipe(window=3 * DAY, correction=True), Recipe(half_life=7 * DAY)
    assert short.renewed(AS_OF, CHANGED) == Recipe(window=8 * DAY, correction=True)
    assert short.renewed(CHANGED + DAY, CHANGED) == short
    for recipe in RECIPES:
        assert recipe.renewed(AS_OF, None) == recipe
        assert recipe_of(recipe.figures()) == recipe
    assert halved.renewed(AS_OF, CHANGED) == halved


def test_nothing_of_the_future_is_learnt_or_judges() -> None:
    """A row is used once its outcome was waited for at ``as_of``, however soon that came."""
    learner = MeanLearner()
    every = examples(change=10)
    poisoned = np.where(
        every.events["handed_over_at"].to_numpy()
        > np.datetime64((AS_OF - parcels.outcome.wait).replace(tzinfo=None)),
        1e6,
        every.labels,
    )
    found = choosing(learner).choose(replace(every, labels=poisoned))
    latest = max(each.events["handed_over_at"].max() for each in learner.seen)  # type: ignore[type-var]
    assert isinstance(latest, datetime)
    assert latest <= AS_OF - parcels.outcome.wait
    assert found.model is not None
    assert found.model.value < 100


def test_the_winner_is_fitted_again_on_everything_that_its_recipe_uses() -> None:
    """Held back or not: the last fit sees the rows that chose and admitted, too."""
    learner = MeanLearner()
    only = [Recipe(window=7 * DAY)]
    choosing(learner, recipes=only).choose(examples(change=10))
    *tried, last = learner.seen
    assert all(each.rows < last.rows for each in tried)
    assert last.rows == pytest.approx(7 * 200, abs=1)


def test_the_hold_out_is_what_admitted() -> None:
    """No choice has seen it; nor has the model that predicts it, which has learnt all others."""
    learner = MeanLearner()
    found = choosing(learner, recipes=[Recipe(window=7 * DAY)]).choose(examples(change=10))
    assert found.held_back is not None
    assert found.predictions is not None
    assert found.held_back.rows == len(found.predictions) == pytest.approx(500, abs=1)
    held_back = set(found.held_back.events["handed_over_at"])
    tried, compared, last = (set(each.events["handed_over_at"]) for each in learner.seen)
    assert tried < compared < last
    assert last - compared == held_back


def test_each_row_has_one_use() -> None:
    """The rows that choose and those that admit are disjoint, and neither is learnt from."""
    ages = np.arange(0, 40, 0.01)
    found = parts(ages, looked_days=28, block_days=1)
    uses = np.stack([found.learn, found.choose, found.admit]).sum(axis=0)
    assert set(uses.tolist()) == {1}
    assert found.admit.sum() == pytest.approx(1400, abs=1)
    assert found.choose.sum() == pytest.approx(700, abs=1)
    assert found.learn[ages >= 28].all()


def test_predictions_that_are_no_numbers_are_no_candidates() -> None:
    """Nor is a recipe by which nothing can be learnt; each says why."""
    found = choosing(BrokenLearner(), recipes=[Recipe(), Recipe(window=7 * DAY)]).choose(
        examples(change=10)
    )
    assert found.model is None
    assert found.choice.cause == "no recipe made a model"
    assert [each.cause for each in found.choice.tried] == [
        "the loss is not a number",
        "predictions that are no numbers",
    ]


@pytest.mark.parametrize("a_day", [1, 10])
def test_too_few_rows_choose_nothing(a_day: int) -> None:
    """By so few, anything could seem better."""
    learner = MeanLearner()
    found = choosing(learner, since=AS_OF - 4 * DAY).choose(examples(change=10, a_day=a_day))
    assert found.model is None
    assert found.choice.cause.startswith("too few rows since")
    assert not learner.seen


def test_without_a_start_no_correction_is_tried() -> None:
    """Some champions cannot be started from."""
    found = replace(choosing(MeanLearner()), start=None).choose(examples(change=10))
    assert found.choice.admitted
    assert not any(each.recipe.correction for each in found.choice.tried)


def test_rows_judge_since_the_change_and_what_the_champion_has_learnt_from() -> None:
    """Whatever is latest; without either, the last weeks do."""
    assert judged_from(AS_OF, None, None) == AS_OF - LONGEST_LOOK
    assert judged_from(AS_OF, CHANGED, None) == CHANGED
    assert judged_from(AS_OF, CHANGED, AS_OF - 3 * DAY) == AS_OF - 3 * DAY
    assert judged_from(AS_OF, AS_OF - 90 * DAY, AS_OF - 90 * DAY) == AS_OF - LONGEST_LOOK


def test_noise_seldom_seems_an_advantage() -> None:
    """Of two models that are equally good, one seems better in about 5% of all comparisons.

    The losses of a block go together, and their tails are heavy.
    """
    random = np.random.default_rng(7)
    blocks = np.repeat(np.arange(12), 50)
    seemed = 0
    for _ in range(300):
        shared = random.standard_t(3, 12)[blocks]
        losses = random.standard_t(3, (2, 600)) ** 2
        seemed += advantage(losses[0] + shared, losses[1] - shared, blocks).chance < 0.05
    assert 3 <= seemed <= 27


def test_few_blocks_tell_nothing() -> None:
    """However great the difference is."""
    found = advantage(np.zeros(500), np.ones(500), np.arange(500) % 5)
    assert (found.blocks, found.chance) == (5, 1.0)
    assert (found.rmse, found.rmse_against) == (0.0, 1.0)
