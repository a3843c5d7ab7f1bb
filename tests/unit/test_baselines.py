from datetime import date

import numpy as np
import pytest

from edml.trainer import baselines, dataset
from edml.trainer.dataset import Examples
from edml.trainer.evaluation import evaluate, score
from edml.trainer.span import Span
from tests.parcels import parcels


@pytest.fixture
def parts() -> tuple[Examples, Examples]:
    """What is learned from, and what is tested on."""
    span = Span(date(2026, 1, 1), date(2026, 3, 1))
    return dataset.read(parcels, None, span).examples.split(0.2)


def test_simple_baselines_are_means(parts: tuple[Examples, Examples]) -> None:
    """The mean of all, and that of the same pair of values."""
    learned, tested = parts
    found = baselines.simple(parcels, learned, tested)
    assert list(found) == ["mean", "service_region"]
    assert set(found["mean"]) == {learned.labels.mean()}
    west = learned.features["region"].to_numpy() == "west"
    expected = np.where(
        tested.features["region"].to_numpy() == "west",
        learned.labels[west].mean(),
        learned.labels[~west].mean(),
    )
    assert found["service_region"] == pytest.approx(expected)


def test_a_pair_never_seen_gets_the_mean(parts: tuple[Examples, Examples]) -> None:
    """There is no better guess."""
    learned, tested = parts
    only_west = learned.where(learned.features["region"] == "west")
    found = baselines.simple(parcels, only_west, tested)["service_region"]
    assert found == pytest.approx(np.full(tested.rows, only_west.labels.mean()))


def test_lightgbm_learns(parts: tuple[Examples, Examples]) -> None:
    """Trees find what the parcels' history shows: an hour for each kilogram."""
    learned, tested = parts
    told: list[float] = []
    trees = baselines.LightGbm(application=parcels, seed=1, threads=1)
    predictions = trees.predict(*learned.split(0.2), tested, told.append)
    assert score(tested.labels, predictions).rmse < 0.1
    assert told


def test_an_evaluation_adds_up(parts: tuple[Examples, Examples]) -> None:
    """Segments and hours hold all rows; a bias is how far predictions are too high."""
    _, tested = parts
    found = evaluate(parcels, tested, tested.labels + 0.5, {"perfect": tested.labels})
    assert (found.whole.rmse, found.whole.bias) == pytest.approx((0.5, 0.5))
    assert found.baselines["perfect"].rmse == 0
    assert sorted(found.segments) == ["north", "west"]
    assert sum(each.rows for each in found.segments.values()) == tested.rows
    assert list(found.hours) == [str(hour) for hour in range(24)]
    assert found.metrics()["segment.west.bias"] == pytest.approx(0.5)
