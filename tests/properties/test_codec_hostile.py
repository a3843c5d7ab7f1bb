"""Hostile records and the codec: ten thousand of them at once, and each by itself."""

import math
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from edml.apps.taxi import taxi
from edml.errors import SchemaError
from edml.kafka.codec.decode import Decoded, Decoder
from edml.kafka.codec.layout import RecordSchema
from edml.wiring import schemas
from tests.faults.plan import Plan
from tests.hostile import FEATURES, Target, Verdict, mutated, verdict, written

PLAN = Plan.read()

FIRST_ID = 11
SIDE_BY_SIDE, ONE_BY_ONE = 0, 10**9

OF_TAXI = schemas(taxi)
KINDS = tuple(OF_TAXI)
NOON = 1_574_964_000_000_000
ROWS: dict[str, dict[str, Any]] = {
    "event": {
        "pickup_at": NOON,
        "pickup_local": NOON,
        "pickup_zone": 79,
        "dropoff_zone": 4,
        "passengers": 2,
    },
    "outcome": {"dropoff_at": NOON},
    "prediction": {
        "prediction": 9.5,
        "version": "0.1.0",
        "role": "champion",
        "event_time": NOON,
        "segment": "Manhattan",
        "event_partition": 3,
        "event_offset": 12_345,
        "features": FEATURES,
    },
    "scored": {
        "version": "0.1.0",
        "role": "champion",
        "event_time": NOON,
        "outcome_time": NOON,
        "prediction": 9.5,
        "outcome": 10.0,
        "error": -0.5,
        "segment": "Manhattan",
        "features": FEATURES,
    },
}


def row_of(kind: str, number: int) -> dict[str, Any]:
    """A good row of the taxis."""
    return {"uuid": f"00000000-0000-8000-8000-{number:012}", **ROWS[kind]}


def by_id() -> dict[int, RecordSchema]:
    """The taxis' schemas, as a registry numbers them."""
    return dict(enumerate(OF_TAXI.values(), FIRST_ID))


def target(kind: str) -> Target:
    """One of the taxis' schemas, the others beside it."""
    known = by_id()
    others = [
        written(known, number, row_of(other, place))
        for place, (number, other) in enumerate(zip(known, KINDS, strict=True))
        if other != kind
    ]
    return Target(known, FIRST_ID + KINDS.index(kind), others)


def decoded(values: Sequence[bytes | None], reader: RecordSchema, few: int) -> Decoded:
    """The values as the codec reads them, side by side or one by one."""
    known = by_id()

    def schema(schema_id: int) -> RecordSchema:
        if schema_id not in known:
            raise SchemaError(f"the registry has no schema of id {schema_id}")
        return known[schema_id]

    return Decoder(schema, reader, few=few).decode(values)


def same(ours: Any, theirs: Any) -> bool:
    """Equality for which a NaN is a NaN."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, float) and math.isnan(ours):
        return isinstance(theirs, float) and math.isnan(theirs)
    return bool(ours == theirs)


def numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame whose times are whole numbers, as the oracle has them."""
    return frame.with_columns(pl.col(pl.Datetime).to_physical())


def assert_as(told: Verdict, row: dict[str, Any] | None, kind: str) -> None:
    """The codec says what fastavro says, where that reads what is written as Avro writes it."""
    if told.row is None:
        assert row is None, (kind, told.cause, row)
    elif told.plain or row is not None:
        assert row is not None, (kind, told.row)
        assert same(row, told.row), (kind, row, told.row)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_values_among_good_ones(kind: str) -> None:
    """Each is what fastavro reads in it or bad with a cause, and no good one is touched."""
    aim = target(kind)
    good = [row_of(kind, number) for number in range(PLAN.mutants // 4)]
    hostile = mutated(aim, good, PLAN.mutants, seed=4)
    values = [*(("good", aim.value(row)) for row in good), *hostile]
    Random(5).shuffle(values)  # noqa: S311  nothing is secret

    together = decoded([value for _, value in values], aim.schema, SIDE_BY_SIDE)
    alone = decoded([value for _, value in values], aim.schema, ONE_BY_ONE)

    assert_frame_equal(alone.frame, together.frame)
    assert alone.bad == together.bad
    assert alone.rows.tolist() == together.rows.tolist()
    assert all(cause for _, cause in together.bad)
    rows = dict(
        zip(together.rows.tolist(), numbers(together.frame).iter_rows(named=True), strict=True)
    )
    bad = {row for row, _ in together.bad}
    assert sorted([*rows, *bad]) == list(range(len(values)))
    counted = Counter(name for name, _ in values)
    assert counted["good"] == sum(values[row][0] == "good" for row in rows)
    for place, (name, value) in enumerate(values):
        assert_as(verdict(value, aim.schemas, aim.schema), rows.get(place), name)


@settings(max_examples=PLAN.examples)
@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.integers(1, 120), st.data())
def test_who_stands_beside_a_value_changes_nothing(
    kind: str, seed: int, count: int, data: st.DataObject
) -> None:
    """Any choice of hostile values comes out as it does among all of them."""
    aim = target(kind)
    values = [value for _, value in mutated(aim, [row_of(kind, seed)], count, seed=seed)]
    chosen = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))

    whole = decoded(values, aim.schema, SIDE_BY_SIDE)
    some = decoded([values[place] for place in chosen], aim.schema, SIDE_BY_SIDE)

    places = [chosen[row] for row in some.rows.tolist()]
    assert [row for row in whole.rows.tolist() if row in chosen] == places
    assert_frame_equal(whole.frame.filter(pl.Series(whole.rows).is_in(chosen)), some.frame)
    assert [each for each in whole.bad if each.row in chosen] == [
        (chosen[row], cause) for row, cause in some.bad
    ]
