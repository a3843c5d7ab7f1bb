import numpy as np
import pytest

from edml.trainer.wide import Terms, solve, unseen


def test_it_is_ridge_regression() -> None:
    """Backfitting predicts what the normal equations of ridge regression do."""
    random = np.random.default_rng(1)
    first, second = random.integers(3, size=200), random.integers(4, size=200)
    labels = first * 2.0 - second + random.normal(size=200)
    terms = Terms(np.stack([first, second], axis=1), (3, 4))
    wide = solve(terms, labels, ridge=5.0)
    hot = np.concatenate([np.eye(3)[first], np.eye(4)[second]], axis=1)
    centred = labels - labels.mean()
    exact = np.linalg.solve(hot.T @ hot + 5.0 * np.eye(7), hot.T @ centred)
    assert wide.effects(terms).sum(axis=1) == pytest.approx(hot @ exact, abs=5e-3)
    assert wide.intercept == pytest.approx(labels.mean())


def test_few_rows_say_little() -> None:
    """A weight is drawn to zero by as much as its rows are few; a value never seen has none."""
    places = np.array([[0]] * 100 + [[1]])
    labels = np.array([-0.01] * 100 + [1.0])
    wide = solve(Terms(places, (3,)), labels - labels.mean(), ridge=9.0)
    assert wide.weights[0][1] == pytest.approx((1.0 - labels.mean()) / 10)
    assert wide.weights[0][2] == 0
    assert wide.rows[0].tolist() == [100, 1, 0]
    assert wide.evidence(Terms(np.array([[2], [1]]), (3,)))[:, 0] == pytest.approx([0, np.log(2)])


def test_a_row_that_counts_twice_is_two_rows() -> None:
    """Counts stand for repetitions, and for rows that are worth less than a whole one."""
    random = np.random.default_rng(3)
    places, labels = random.integers(4, size=(60, 1)), random.normal(size=60)
    counts = random.integers(1, 4, size=60)
    counted = solve(Terms(places, (4,)), labels, ridge=2.0, counts=counts.astype(float))
    repeated = Terms(np.repeat(places, counts, axis=0), (4,))
    expected = solve(repeated, np.repeat(labels, counts), ridge=2.0)
    assert counted.intercept == pytest.approx(expected.intercept)
    assert counted.weights[0] == pytest.approx(expected.weights[0])
    assert counted.rows[0].tolist() == expected.rows[0].tolist()


def test_unseen_effects_know_nothing_of_their_own_label() -> None:
    """The effect on a row whose value stands there alone is zero, whatever its label."""
    places = np.arange(50)[:, np.newaxis]
    effects, evidence = unseen(
        Terms(places, (50,)),
        np.linspace(-9, 9, 50),
        folds=5,
        ridge=1.0,
        random=np.random.default_rng(1),
    )
    assert not effects.any()
    assert not evidence.any()


def test_without_terms_there_is_only_the_mean() -> None:
    """A model without a wide part."""
    wide = solve(Terms(np.empty((2, 0), np.int64), ()), np.array([1.0, 3.0]), ridge=1.0)
    assert wide.intercept == 2.0
    assert wide.weights == ()
