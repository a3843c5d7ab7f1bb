from typing import Any

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from edml.features.looking import Looking, looking, lookup

EVENTS = pl.DataFrame(
    {
        "zone": [3, 1, None, 9, -(2**63), 2**63 - 1, 2, 3],
        "name": ["c", "a", None, "i", "", "x", "b", "c"],
        "number": range(8),
    }
)
ZONES = pl.DataFrame({"zone": [3, 1, 5], "name": ["c", "a", "e"], "km": [3.5, 1.5, None]})
KEYED = ZONES.select(area="zone", borough="name", km="km")
TABLES: dict[str, tuple[pl.DataFrame, dict[str, Any]]] = {
    "by number": (KEYED, {"left_on": "zone", "right_on": "area"}),
    "by name of both": (KEYED.rename({"area": "zone"}), {"on": ["zone"]}),
    "by text": (KEYED.select("km", name="borough"), {"on": "name"}),
    "not unique": (pl.concat([KEYED, KEYED]), {"left_on": "zone", "right_on": "area"}),
    "a column of the same name": (ZONES, {"on": "zone"}),
    "far apart": (
        KEYED.with_columns(area=pl.col("area") * 10**9),
        {"left_on": "zone", "right_on": "area"},
    ),
    "nothing there": (KEYED.clear(), {"left_on": "zone", "right_on": "area"}),
}


@pytest.mark.parametrize("case", TABLES)
def test_it_is_a_left_join(case: str) -> None:
    """Whatever the lookup, the events have the columns that a join would have given them."""
    table, by = TABLES[case]
    expected = nw.from_native(EVENTS.lazy()).join(nw.from_native(table.lazy()), how="left", **by)
    found = looking(EVENTS.lazy()).join(lookup(table), how="left", **by)
    assert isinstance(found, Looking)
    assert_frame_equal(
        found.to_native().collect(), expected.to_native().collect(), check_row_order=False
    )


def test_a_short_range_of_keys_needs_no_join() -> None:
    """The plan of a lookup by number holds no join."""
    table, by = TABLES["by number"]
    assert (
        "JOIN"
        not in looking(EVENTS.lazy()).join(lookup(table), how="left", **by).to_native().explain()
    )


def test_other_joins_are_as_ever() -> None:
    """Frames of the function's own making, and lookups among each other, are joined."""
    events, zones = looking(EVENTS.lazy()), lookup(KEYED)
    mine = nw.from_native(KEYED.lazy())
    inner = events.join(mine, left_on="zone", right_on="area")
    assert inner.to_native().collect().height == 3
    assert zones.join(zones, on="area").to_native().collect().height == 3
    assert zones.join(events, left_on="area", right_on="zone").to_native().collect().height == 3
