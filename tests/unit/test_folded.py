from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edml.application import Category
from edml.models import flavours
from edml.trainer import export_onnx, export_savedmodel
from edml.trainer.encoding import Intervals
from edml.trainer.folded import CrossTable, Dense, Folded, joints, pairs

EXPORTS = {"onnx": export_onnx.export, "savedmodel": export_savedmodel.export}
HOUR, ZONE, KIND = (
    Category("hour", range(24)),
    Category("zone", range(101, 201)),
    Category("kind", ["a", "b"]),
)
LOWEST, HIGHEST = -(2**63), 2**63 - 1
DRAWN = np.random.default_rng(4)


def drawn(*shape: int) -> NDArray[np.float32]:
    """Some weights."""
    return DRAWN.normal(size=shape).astype(np.float32)


NETWORK = Folded(
    label="minutes",
    link="identity",
    valid=(-1e6, 1e6),
    categories=[HOUR, ZONE, KIND],
    numbers=["distance"],
    rows=drawn(25 + 101 + 3, 1 + 8),
    crosses=[CrossTable(first=1, second=0, columns=25, rows=drawn(101 * 25, 2))],
    intervals=Intervals(
        np.zeros(2, np.int64), np.array([0, 1], np.float32), np.array([1, 0.5], np.float32)
    ),
    first=Dense(drawn(2 + 2, 1 + 8), drawn(1 + 8)),
    towers=[[Dense(drawn(4, 3), drawn(3)), Dense(drawn(3, 1), drawn(1))] for _ in range(2)],
)
ROWS: Mapping[str, NDArray[Any]] = {
    "hour": np.array([0, 23, 7, -1, 24, LOWEST, HIGHEST, 5]),
    "zone": np.array([101, 200, 150, 100, 201, HIGHEST, LOWEST, 150]),
    "kind": np.array(["a", "b", "c", "", "a", "b", "a", "b"], dtype=object),
    "distance": np.array([0.0, 0.25, 1.0, 2.0, 3.0, 9.0, -1.0, 2.5], dtype=np.float32),
}


def place(category: Category, value: object) -> int:
    """Where a value stands in the vocabulary; 0 where it does not."""
    values = list(category.values)
    return values.index(value) + 1 if value in values else 0


def by_hand(row: Mapping[str, Any]) -> float:
    """What the network says of one row, read off its definition."""
    network = NETWORK
    at = [place(category, row[category.name]) for category in network.categories]
    hidden = network.first.bias + sum(network.rows[network.offsets + at])
    shares = np.clip((row["distance"] - network.intervals.lows) * network.intervals.scales, 0, 1)
    [cross] = network.crosses
    looked_up = cross.rows[at[cross.first] * cross.columns + at[cross.second]]
    hidden = hidden + np.concatenate([shares, looked_up]) @ network.first.kernel
    score = hidden[0]
    for units, tower in zip(np.split(hidden[1:], 2), network.towers, strict=True):
        for layer in tower:
            units = np.maximum(units, 0) @ layer.kernel + layer.bias  # noqa: PLW2901
        score = score + units[0]
    return float(score)


@pytest.mark.parametrize("flavour", EXPORTS)
def test_exports_are_the_network(flavour: str, tmp_path: Path) -> None:
    """Every flavour gives what the definition gives, for values within and far out of range."""
    EXPORTS[flavour](NETWORK, tmp_path / flavours.named(flavour).path)
    found = flavours.named(flavour).load(tmp_path).predict(ROWS)["minutes"]
    expected = [
        by_hand(
            {
                name: column[at].item() if name != "kind" else column[at]
                for name, column in ROWS.items()
            }
        )
        for at in range(8)
    ]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_small_categories_are_looked_up_together() -> None:
    """Few lookups: categories are multiplied out as long as their combinations are few."""
    assert [joint.at for joint in joints(NETWORK)] == [(2, 0), (1,)]
    assert [len(joint.rows) for joint in joints(NETWORK)] == [3 * 26, 102]


def test_a_cross_has_a_place_for_what_is_out_of_range() -> None:
    """What lies above a range has the rows of what lies below."""
    joint = pairs(NETWORK, NETWORK.crosses[0])
    table = joint.rows.reshape(102, 26, 2)
    assert joint.sizes == (102, 26)
    assert np.array_equal(table[101], table[0])
    assert np.array_equal(table[:, 25], table[:, 0])
    assert np.array_equal(table[:101, :25].reshape(-1, 2), NETWORK.crosses[0].rows)
