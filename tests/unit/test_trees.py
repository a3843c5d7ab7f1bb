from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from edml.errors import TrainingError
from edml.trainer import dataset
from edml.trainer.dataset import Examples
from edml.trainer.evaluation import score
from edml.trainer.span import Span
from edml.trainer.trees import Corrected, TreesLearner
from tests.parcels import parcels

LEARNER = TreesLearner(application=parcels)


@pytest.fixture(scope="module")
def past() -> Examples:
    """A history in which each kilogram takes an hour."""
    return dataset.read(parcels, None, Span(date(2026, 1, 1), date(2026, 3, 1))).examples


def test_trees_learn_from_nothing(past: Examples) -> None:
    """They find what the history shows."""
    learned, tested = past.split(0.2)
    model = LEARNER.fit(learned, np.ones(learned.rows), None)
    assert score(tested.labels, model(tested)).rmse < 0.3


def test_a_correction_learns_what_has_become_wrong(past: Examples) -> None:
    """From few rows: everything takes half as long now."""
    learned, tested = past.split(0.2)
    champion = LEARNER.fit(learned, np.ones(learned.rows), None)
    halved = replace(tested, labels=tested.labels / 2)
    few, rest = halved[:100], halved[100:]
    corrected = LEARNER.fit(few, np.ones(few.rows), champion)
    alone = LEARNER.fit(few, np.ones(few.rows), None)
    error = score(rest.labels, corrected(rest)).rmse
    assert error < score(rest.labels, champion(rest)).rmse / 3
    assert error < score(rest.labels, alone(rest)).rmse


def test_corrections_do_not_pile_up(past: Examples) -> None:
    """What was corrected is corrected anew, from where the first correction began."""
    champion = LEARNER.fit(past, np.ones(past.rows), None)
    once = LEARNER.fit(past, np.ones(past.rows), champion)
    twice = LEARNER.fit(past, np.ones(past.rows), once)
    assert isinstance(twice, Corrected)
    assert twice.model is champion


def test_a_label_below_zero_is_corrected_by_adding_alone(past: Examples) -> None:
    """It has no logarithm."""
    lower = replace(past, labels=past.labels - 20)
    champion = LEARNER.fit(past, np.ones(past.rows), None)
    corrected = LEARNER.fit(lower, np.ones(past.rows), champion)
    assert score(lower.labels, corrected(lower)).rmse < 0.5


def test_rows_count_for_their_weight(past: Examples) -> None:
    """The half that counts for next to nothing is not heeded."""
    half = past.rows // 2
    mixed = replace(past, labels=np.concatenate([past.labels[:half], 3 * past.labels[half:]]))
    weights = np.where(np.arange(past.rows) < half, 1.0, 1e-6)
    model = LEARNER.fit(mixed, weights, None)
    assert score(past.labels, model(past)).rmse < 0.5


def test_no_rows_teach_nothing(past: Examples) -> None:
    """What LightGBM says is told."""
    with pytest.raises(TrainingError, match="LightGBM cannot learn"):
        LEARNER.fit(past[:0], np.ones(0), None)
