"""Corrections of a trained network: what few rows change, and what they leave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edml.errors import TrainingError
from edml.models import flavours, self_test
from edml.models.artefact import Artefact
from edml.trainer import dataset, tables
from edml.trainer.correction import corrected
from edml.trainer.dataset import Examples
from edml.trainer.exporting import export
from edml.trainer.folded import Folded
from tests.models_fixture import JANUARY_TO_MARCH
from tests.parcels import SERVICE, parcels


@pytest.fixture(scope="module")
def parcel_examples() -> Examples:
    """What the model was trained on."""
    return dataset.read(parcels, None, JANUARY_TO_MARCH).examples


@pytest.fixture(scope="module")
def network(artefact: Artefact) -> Folded:
    """The tables of the trained model."""
    found = tables.kept(parcels, artefact.folder)
    assert found is not None
    return found


def slower(examples: Examples, by: float) -> Examples:
    """All parcels take so much longer."""
    return replace(examples, labels=examples.labels + by)


def rmse(network: Folded, examples: Examples) -> float:
    """Of the answers."""
    return float(
        np.sqrt(np.mean((tables.answers(network, examples.features) - examples.labels) ** 2))
    )


def test_an_artefact_keeps_the_tables_of_its_network(
    artefact: Artefact, network: Folded, parcel_examples: Examples
) -> None:
    """They answer as every flavour does."""
    ours = tables.answers(network, parcel_examples.features)
    for name in ("savedmodel", "onnx"):
        loaded = flavours.named(name).load(artefact.folder)
        theirs = self_test.predict(parcels, loaded, parcel_examples.features)
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_tables_of_other_columns_are_none(artefact: Artefact, tmp_path: Path) -> None:
    """Nobody corrects a model that knows other values, or a folder that keeps no tables."""
    other = replace(SERVICE, values=["standard", "express", "drone"])
    assert tables.kept(replace(parcels, wide=[other]), artefact.folder) is None
    assert tables.kept(parcels, tmp_path) is None


def test_few_rows_are_enough_for_what_happens_to_all(
    network: Folded, parcel_examples: Examples
) -> None:
    """After a hundred parcels that took a day longer, all are told to take a day longer."""
    later = slower(parcel_examples, 24.0)
    before = rmse(network, later)
    found = corrected(network, later[:100], np.ones(100))
    assert before > 23
    assert rmse(found, later[100:]) < 1


def test_what_has_not_changed_is_left_as_it_was(network: Folded, parcel_examples: Examples) -> None:
    """Rows in which nothing is new change next to nothing, and the tables keep their size."""
    found = corrected(network, parcel_examples[:300], np.ones(300))
    assert rmse(found, parcel_examples) < rmse(network, parcel_examples) + 0.02
    assert found.rows.shape == network.rows.shape
    assert found.first.kernel.shape == network.first.kernel.shape


def test_a_row_counts_as_much_as_its_weight(network: Folded, parcel_examples: Examples) -> None:
    """Of old and new rows, the heavier ones are learnt from."""
    both = Examples.joined([parcel_examples[:200], slower(parcel_examples[200:400], 24.0)])
    weights = np.repeat([1e-6, 1.0], 200)
    found = corrected(network, both, weights)
    assert rmse(found, slower(parcel_examples[400:], 24.0)) < 1


def test_a_corrected_network_is_exported_as_any_other(
    network: Folded, parcel_examples: Examples, tmp_path: Path
) -> None:
    """Both flavours give what its tables give, and keep them, to be corrected themselves."""
    found = corrected(network, slower(parcel_examples[:100], 24.0), np.ones(100))
    asked = parcel_examples[::7]
    for name in ("savedmodel", "onnx"):
        (tmp_path / name).mkdir()
        loaded = export(found, name, tmp_path / name, 1)
        kept = tables.kept(parcels, tmp_path / name)
        assert kept is not None
        assert kept.rows.tolist() == found.rows.tolist()
        theirs = self_test.predict(parcels, loaded, asked.features)
        assert tables.answers(found, asked.features) == pytest.approx(theirs, abs=1e-4)


def test_nothing_is_corrected_by_nothing(network: Folded, parcel_examples: Examples) -> None:
    """No row, and labels that are no numbers, are told."""
    with pytest.raises(TrainingError, match="no row"):
        corrected(network, parcel_examples[:0], np.ones(0))
    broken = replace(parcel_examples[:10], labels=np.full(10, np.nan))
    with pytest.raises(TrainingError, match="not a number"):
        corrected(network, broken, np.ones(10))
