from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from edml.errors import RegistryUnavailableError, SchemaError
from edml.kafka.codec import wire
from edml.kafka.codec.decode import Decoded, decode
from edml.kafka.codec.encode import encode
from edml.kafka.codec.layout import RecordSchema

HUGE = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
"""A length of 4 EiB."""


def schema(*fields: tuple[Any, ...]) -> RecordSchema:
    """A record of these fields: name, type and, if there is one, default."""
    named = [dict(zip(("name", "type", "default"), field, strict=False)) for field in fields]
    return {"type": "record", "name": "Trip", "fields": named}


TRIP = schema(("uuid", "string"), ("zone", "int"))


def trips(count: int) -> list[bytes | None]:
    """So many values, of zones 0, 1, 2…."""
    frame = pl.DataFrame({"uuid": [f"trip-{i}" for i in range(count)], "zone": range(count)})
    return list(encode(frame, TRIP, 7))


def read(values: list[bytes | None], writer: RecordSchema, reader: RecordSchema) -> Decoded:
    """The values, all written with one schema, read with another."""
    return decode(values, lambda _: writer, reader)


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (None, "the value is null (a tombstone)"),
        (b"", "the value is empty"),
        (b"{}", "begins with byte 0x7b"),
        (b"\x00\x00\x00", "3 bytes long"),
        (wire.header(7), "uuid: the record ends within a whole number"),
        (wire.header(7) + b"\x08abc", "uuid: takes 4 bytes, and 3 are left"),
        (wire.header(7) + HUGE + b"abc", "uuid: takes 4611686018427387903 bytes"),
        (wire.header(7) + b"\x01abc", "uuid: claims a length of -1 bytes"),
        (wire.header(7) + b"\x04\xff\xfe\x02", "uuid: not UTF-8"),
        (wire.header(7) + b"\x02a" + b"\xff" * 11, "zone: a whole number longer than 10 bytes"),
        (wire.header(7) + b"\x02a" + HUGE, "zone: 4611686018427387903 is outside of int"),
        (wire.header(7) + b"\x02a\x02junk", "4 bytes are left over"),
        (wire.header(7) + b"\x02a\x02\x02b\x04", "3 bytes are left over"),
    ],
)
@pytest.mark.parametrize("neighbours", [0, 120])
def test_a_bad_value_has_a_cause_and_harms_no_other(
    value: bytes | None, cause: str, neighbours: int
) -> None:
    """Whatever is wrong with one value, its cause says it, and the others are read."""
    values = trips(neighbours)
    values.insert(neighbours // 2, value)

    decoded = read(values, TRIP, TRIP)

    assert [neighbours // 2] == [row for row, _ in decoded.bad]
    assert cause in decoded.bad[0].cause
    assert list(range(neighbours)) == decoded.frame["zone"].to_list()
    assert neighbours // 2 not in decoded.rows


def test_the_rows_of_several_schemas_stay_in_order() -> None:
    """A batch of two schema ids is one frame, in the order of the batch."""
    old = schema(("uuid", "string"))
    values = trips(130)
    values[3:3] = encode(pl.DataFrame({"uuid": ["old"]}), old, 5)
    reader = schema(("uuid", "string"), ("zone", "long", -1))

    decoded = decode(values, {5: old, 7: TRIP}.__getitem__, reader)

    assert [0, 1, 2, -1, *range(3, 130)] == decoded.frame["zone"].to_list()
    assert pl.Int64() == decoded.frame.schema["zone"]
    assert list(range(131)) == decoded.rows.tolist()


def test_an_unknown_schema_is_a_bad_record_and_a_silent_registry_is_not() -> None:
    """What the registry says of an id is the record's fault; that it says nothing is not."""

    def raising(error: Exception) -> Callable[[int], RecordSchema]:
        def schemas(_: int) -> RecordSchema:
            raise error

        return schemas

    decoded = decode(trips(2), raising(SchemaError("the registry has none")), TRIP)

    assert [cause for _, cause in decoded.bad] == ["schema 7: the registry has none"] * 2
    assert decoded.frame.schema == TRIP_COLUMNS
    with pytest.raises(RegistryUnavailableError):
        decode(trips(2), raising(RegistryUnavailableError("away")), TRIP)


TRIP_COLUMNS = pl.Schema({"uuid": pl.String(), "zone": pl.Int32()})

UTC_MS = {"type": "long", "logicalType": "timestamp-millis"}
UTC_US = {"type": "long", "logicalType": "timestamp-micros"}
WALL_US = {"type": "long", "logicalType": "local-timestamp-micros"}


@pytest.mark.parametrize(
    ("writer", "reader", "written", "expected"),
    [
        ("int", "long", [1], pl.Series([1], dtype=pl.Int64)),
        ("int", "double", [1], pl.Series([1.0])),
        ("float", "double", [0.5], pl.Series([0.5])),
        ("int", ["null", "long"], [1], pl.Series([1], dtype=pl.Int64)),
        ("string", "bytes", ["é"], pl.Series(["é".encode()])),
        ("bytes", "string", ["é".encode()], pl.Series(["é"])),
        (UTC_MS, UTC_US, [1000], pl.Series([1_000_000]).cast(pl.Datetime("us", "UTC"))),
        ("long", WALL_US, [5], pl.Series([5]).cast(pl.Datetime("us"))),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, [[1]], [[1]]),
    ],
)
def test_a_field_is_read_with_the_readers_type(
    writer: Any, reader: Any, written: list[Any], expected: Any
) -> None:
    """What Avro has promoted is promoted, and instants keep their meaning."""
    frame = pl.DataFrame({"x": written})
    if writer == UTC_MS:
        frame = frame.cast(pl.Datetime("ms", "UTC"))
    elif writer == "float":
        frame = frame.cast(pl.Float32)
    values: list[bytes | None] = list(encode(frame, schema(("x", writer)), 7))

    decoded = read(values, schema(("x", writer)), schema(("x", reader)))

    assert_frame_equal(pl.DataFrame({"x": expected}), decoded.frame)


@pytest.mark.parametrize(
    ("reader", "cause"),
    [
        (schema(("zone", "string")), "zone: int in the writer's schema cannot be read as string"),
        (schema(("borough", "string")), "borough: the writer's schema lacks it"),
        (schema(("uuid", UTC_US)), "uuid: string in the writer's schema cannot be read as time"),
    ],
)
def test_records_of_an_incompatible_schema_are_all_bad(reader: RecordSchema, cause: str) -> None:
    """No record is read with a schema that cannot read it; the cause names the field."""
    decoded = read(trips(20), TRIP, reader)

    assert list(range(20)) == [row for row, _ in decoded.bad]
    assert f"schema 7: {cause}" in decoded.bad[0].cause
    assert reader["fields"][0]["name"] in decoded.frame.columns


def test_a_null_where_the_reader_wants_a_value_is_bad() -> None:
    """A writer may allow null where the reader does not: then the records with null are bad."""
    writer = schema(("zone", ["null", "int"]))
    values: list[bytes | None] = list(encode(pl.DataFrame({"zone": [1, None, 3] * 50}), writer, 7))

    decoded = read(values, writer, schema(("zone", "int")))

    assert list(range(1, 150, 3)) == [row for row, _ in decoded.bad]
    assert decoded.bad[0].cause == "zone: null, where the reader's schema wants a value"
    assert decoded.frame["zone"].to_list() == [1, 3] * 50


def test_fields_are_dropped_renamed_and_filled() -> None:
    """The reader's fields come in its order: by alias, by default, without those it lacks."""
    reader = schema(("fare", ["null", "double"], None), ("id", "string"), ("tags", MAP, {"a": 1}))
    reader["fields"][1]["aliases"] = ["uuid"]

    frame = read(trips(15), TRIP, reader).frame

    assert frame.columns == ["fare", "id", "tags"]
    assert frame.row(14) == (None, "trip-14", [{"key": "a", "value": 1}])


MAP = {"type": "map", "values": "long"}


def test_maps_arrays_and_decimals_come_back() -> None:
    """What cannot be read side by side is read one by one, and comes back as it was."""
    money = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    both = schema(("tags", MAP), ("stops", {"type": "array", "items": "string"}), ("fare", money))
    frame = pl.DataFrame(
        {
            "tags": [[{"key": "a", "value": 1}], []],
            "stops": [["x", "y"], []],
            "fare": [Decimal("1.25"), Decimal(-3)],
        },
        schema_overrides={"fare": pl.Decimal(9, 2)},
    )

    decoded = read(list(encode(frame, both, 7)), both, both)

    assert decoded.bad == []
    assert_frame_equal(frame, decoded.frame)


def test_items_of_no_size_cannot_be_claimed_for_nothing() -> None:
    """An array that claims 4 EiB of nulls is refused before anything is allocated."""
    nulls = schema(("x", {"type": "array", "items": "null"}))

    decoded = read([wire.header(7) + HUGE + b"\x00"], nulls, nulls)

    assert "x: claims 4611686018427387903 items" in decoded.bad[0].cause


def test_a_record_inside_of_itself_is_skipped_to_a_depth() -> None:
    """A recursive field that the reader does not want is checked, and endless nesting is bad."""
    link = {
        "type": "record",
        "name": "Link",
        "fields": [{"name": "next", "type": ["null", "Link"]}],
    }
    writer = schema(("link", link), ("zone", "int"))
    short, endless = b"\x02" * 3 + b"\x00\x08", b"\x02" * 5000

    decoded = read(
        [wire.header(7) + short, wire.header(7) + endless], writer, schema(("zone", "int"))
    )

    assert decoded.frame["zone"].to_list() == [4]
    assert "nested deeper than 64 records" in decoded.bad[0].cause


@pytest.mark.parametrize("rows", [3, 200])
@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.lit(None, pl.Int64), "rows are null"),
        (pl.lit(2**40), "does not fit"),
        (pl.lit("7"), "the column is String, and the schema takes Int32"),
        (pl.lit(7.5), "the column is Float64, and the schema takes Int32"),
    ],
)
def test_what_does_not_fit_is_not_encoded(column: pl.Expr, message: str, rows: int) -> None:
    """A column that the schema cannot take is refused, and named."""
    frame = pl.DataFrame({"uuid": ["a"] * rows}).with_columns(zone=column)

    with pytest.raises(SchemaError, match=message) as error:
        encode(frame, TRIP, 7)

    assert error.value.where == "Trip.zone"


def test_a_missing_column_is_named() -> None:
    """The error says which column is missing, and which there are."""
    with pytest.raises(SchemaError, match="no column 'zone'") as error:
        encode(pl.DataFrame({"uuid": ["a"]}), TRIP, 7)

    assert error.value.todo == "add it; the columns are uuid"


def test_an_empty_frame_is_no_value() -> None:
    """Nothing in, nothing out, both ways."""
    assert encode(pl.DataFrame(schema=TRIP_COLUMNS), TRIP, 7) == []
    assert_frame_equal(pl.DataFrame(schema=TRIP_COLUMNS), read([], TRIP, TRIP).frame)


def test_long_strings_come_back_and_other_columns_are_left_out() -> None:
    """A string of a megabyte stands among short ones; columns of no field are left out."""
    uuids = ["é" * 500_000, "", *["short"] * 198]
    frame = pl.DataFrame({"other": 1, "zone": pl.arange(200, eager=True), "uuid": uuids})

    decoded = read(list(encode(frame, TRIP, 7)), TRIP, TRIP)

    assert decoded.bad == []
    assert uuids == decoded.frame["uuid"].to_list()
