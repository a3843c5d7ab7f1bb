import pytest

from edml.errors import ModelRefusedError
from edml.models import flavours


def test_flavours_are_known_by_name() -> None:
    """A flavour's name in the registry is the one that it calls itself."""
    assert flavours.names()[:2] == ["savedmodel", "onnx"]
    assert [flavours.named(name).name for name in flavours.names()] == flavours.names()


def test_an_unknown_flavour_is_told() -> None:
    """The refusal names the flavours that there are, and how one is added."""
    with pytest.raises(
        ModelRefusedError, match="no flavour 'pickle', only savedmodel, onnx"
    ) as told:
        flavours.named("pickle")
    assert "edml.flavours" in str(told.value)
