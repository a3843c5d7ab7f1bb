from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from edml.application import Category, Cross, Number
from edml.trainer.encoding import Encoding
from edml.trainer.folded import consecutive
from tests.parcels import REGION, SERVICE, parcels

FEATURES = pl.DataFrame(
    {
        "service": ["standard", "express", "teleport"],
        "region": ["elsewhere", "north", "mars"],
        "hour": [0.0, 12.0, 24.0],
        "weight_g": [5.0, 5.0, 5.0],
    }
)


@pytest.fixture
def encoding() -> Encoding:
    """How parcels are encoded."""
    return Encoding.of(parcels, FEATURES, intervals=2)


def test_values_have_places_from_one_and_others_have_zero(encoding: Encoding) -> None:
    """The order is that of the declaration."""
    assert [each.name for each in encoding.categories] == ["service", "region"]
    assert encoding.sizes == (3, 4)
    assert encoding.indices(FEATURES).tolist() == [[1, 3], [2, 1], [0, 0]]


def test_pairs_have_places_of_their_own(encoding: Encoding) -> None:
    """The terms are the categories of the wide part, then the crosses."""
    terms = encoding.terms(encoding.indices(FEATURES))
    assert terms.places.tolist() == [[1, 3, 7], [2, 1, 9], [0, 0, 0]]
    assert terms.sizes == (3, 4, 12)


def test_numbers_are_cut_at_their_quantiles(encoding: Encoding) -> None:
    """A number that never changes still has an interval to lie in."""
    assert encoding.edges["hour"].tolist() == [0.0, 12.0, 24.0]
    assert encoding.edges["weight_g"].tolist() == [5.0, 6.0]
    assert encoding.intervals.owners.tolist() == [0, 0, 1]
    assert encoding.intervals.lows.tolist() == [0.0, 12.0, 5.0]
    assert encoding.floats(FEATURES).tolist() == [[0, 5], [12, 5], [24, 5]]


def test_there_may_be_no_numbers_or_no_categories() -> None:
    """Each kind of column may be missing."""
    wide = Encoding.of(replace(parcels, deep=[]), FEATURES, intervals=2)
    assert wide.floats(FEATURES).shape == (3, 0)
    assert wide.intervals.lows.shape == (0,)
    deep = Encoding.of(replace(parcels, wide=[], deep=[Number("hour")]), FEATURES, intervals=2)
    assert deep.indices(FEATURES).shape == (3, 0)
    assert deep.terms(deep.indices(FEATURES)).places.shape == (3, 0)


def test_ranges_of_integers_need_no_lookup() -> None:
    """Only values that follow one another in order do without."""
    assert consecutive(Category("hour", range(24))) == (0, 23)
    assert consecutive(Category("zone", [3, 4, 5])) == (3, 5)
    assert consecutive(Category("zone", [3, 5, 4])) is None
    assert consecutive(Category("zone", [3, 5])) is None
    assert consecutive(SERVICE) is None


def test_a_cross_is_called_by_its_name_or_by_its_columns() -> None:
    """The name stands among the baselines."""
    assert Cross(SERVICE, REGION).name == "service_region"
    assert Cross(SERVICE, REGION, name="lane").name == "lane"


def test_a_frame_of_no_rows_is_encoded(encoding: Encoding) -> None:
    """Nothing in, nothing out, in the same shape."""
    assert encoding.indices(FEATURES.clear()).shape == (0, 2)
    assert np.isfinite(encoding.floats(FEATURES.clear())).all()
