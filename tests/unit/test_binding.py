import numpy as np
import polars as pl
import pytest

from edml.errors import FeatureError
from edml.models.binding import beside, bind, unbound
from edml.models.records import Signature, Tensor


def signature(*inputs: tuple[str, str]) -> Signature:
    """Inputs of one value a row."""
    return Signature([Tensor(name, dtype, [-1]) for name, dtype in inputs], [])


FRAME = pl.DataFrame(
    {"zone": [1, 2], "km": [0.5, 2.0], "carrier": ["AA", "DL"], "on": [True, False]}
)


def test_columns_are_bound_by_name_and_type() -> None:
    """Each input gets the column of its name, in its own type, in whatever order."""
    bound = bind(
        signature(("carrier", "string"), ("km", "float32"), ("zone", "int64"), ("on", "bool")),
        FRAME,
    )
    assert list(bound) == ["carrier", "km", "zone", "on"]
    assert bound["carrier"].tolist() == ["AA", "DL"]
    assert bound["carrier"].dtype == np.dtype(object)
    assert bound["km"].dtype == np.float32
    assert bound["zone"].tolist() == [1, 2]
    assert bound["on"].dtype == np.bool_


def test_integers_may_become_fractions_but_not_the_other_way() -> None:
    """A cast keeps what a value means."""
    assert bind(signature(("zone", "float32")), FRAME)["zone"].tolist() == [1.0, 2.0]
    assert unbound(signature(("km", "int64")), FRAME.schema) == [
        "input 'km' is int64, but the column is Float64"
    ]


def test_every_input_that_has_no_column_is_told() -> None:
    """All causes at once, each with the input's name."""
    causes = unbound(signature(("rain_mm", "float32"), ("zone", "string")), FRAME.schema)
    assert causes == [
        "no column provides the input 'rain_mm'; there are zone, km, carrier, on",
        "input 'zone' is string, but the column is Int64",
    ]
    with pytest.raises(FeatureError, match="rain_mm"):
        bind(signature(("rain_mm", "float32")), FRAME)


def test_inputs_of_other_shapes_are_told() -> None:
    """A model must take one value a row."""
    wide = Signature([Tensor("km", "float32", [-1, 3])], [])
    assert "shape [-1, 3]" in unbound(wide, FRAME.schema)[0]


def test_nulls_are_told() -> None:
    """A null has no place in an array."""
    with pytest.raises(FeatureError, match="'zone' has 1 null"):
        bind(signature(("zone", "int64")), pl.DataFrame({"zone": [1, None]}))


def test_a_number_too_large_for_its_type_is_told() -> None:
    """A cast that would change the value fails."""
    with pytest.raises(FeatureError, match="'zone' is not int32"):
        bind(signature(("zone", "int32")), pl.DataFrame({"zone": [1 << 40]}))


def test_a_feature_stands_before_a_field_of_the_same_name() -> None:
    """What the feature function made is what the model was trained on."""
    events = pl.DataFrame({"zone": [7], "uuid": ["a"]})
    features = pl.DataFrame({"zone": [1], "km": [0.5]})
    assert beside(events, features).row(0, named=True) == {"zone": 1, "km": 0.5, "uuid": "a"}
