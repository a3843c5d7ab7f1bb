"""Values side by side, made of objects and of places in memory."""

import ctypes

import numpy as np
import pytest

from edml.kafka.codec.values import PADDING, Values
from edml.kafka.fetched import side_by_side

MEMORY = bytes(range(256)) * 40
HELD = ctypes.create_string_buffer(MEMORY, len(MEMORY))

WITH_NULLS = [b"one", None, b"", b"three", None]


def at(*spans: tuple[int, int] | None) -> Values:
    """What lies at these places of the memory, each from its begin to its end."""
    places = [0 if span is None else ctypes.addressof(HELD) + span[0] for span in spans]
    sizes = [0 if span is None else span[1] - span[0] for span in spans]
    return side_by_side(np.array(places, np.int64), np.array(sizes, np.int64))


@pytest.mark.parametrize("values", [[], [b""], [b"one", b"two"], WITH_NULLS, [None]])
def test_values_are_what_they_were_made_of(values: list[bytes | None]) -> None:
    """One by one, in order, and some of them."""
    together = Values.of(values)
    assert list(together) == values
    assert [together[row] for row in range(len(values))] == values
    assert together[1:] == values[1:]
    assert together.content.endswith(PADDING)
    assert Values.of(together) is together


def test_neighbours_are_copied_together_and_others_by_themselves() -> None:
    """Whatever lies between them, before or behind, and however far."""
    spans = [(0, 10), (12, 20), (20, 20), (1500, 1600), (700, 800), (3000, 9000), (9100, 9101)]
    values = at(*spans)
    assert list(values) == [MEMORY[start:end] for start, end in spans]
    assert values.nulls is None
    assert values.content.endswith(PADDING)
    pieces = [(0, 20), (1500, 1600), (700, 800), (3000, 9101)]
    assert len(values.content) == sum(end - start for start, end in pieces) + len(PADDING)


def test_what_lies_nowhere_is_a_null() -> None:
    """Its neighbours are as they are."""
    assert list(at(None, (5, 9), None, (5, 5))) == [None, MEMORY[5:9], None, b""]
    assert list(at(None)) == [None]
    assert list(at()) == []
