"""What holds for any record, any batch, any damage. The oracle is fastavro, value by value."""

import io
import math
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date
from typing import Any

import fastavro
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from edml.kafka.codec import wire
from edml.kafka.codec.decode import Decoded, Decoder
from edml.kafka.codec.encode import Encoder
from edml.kafka.codec.layout import RecordSchema

SIDE_BY_SIDE, ONE_BY_ONE = 0, 10**9

LONG = st.integers(-(2**63), 2**63 - 1)
INT = st.integers(-(2**31), 2**31 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.uuids().map(str)
WALL = st.datetimes()
INSTANT = WALL.map(lambda wall: wall.replace(tzinfo=UTC))
PLACE = st.fixed_dictionaries({"lat": st.floats(width=32), "zone": st.none() | INT})

FIELDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "name": ("string", TEXT),
    "note": (["string", "null"], TEXT | st.none()),
    "count": ("int", INT),
    "total": ("long", LONG),
    "maybe": (["null", "long"], st.none() | LONG),
    "ratio": ("double", st.floats()),
    "share": (["null", "float"], st.none() | st.floats(width=32)),
    "sure": ("boolean", st.booleans()),
    "raw": ("bytes", st.binary(max_size=300)),
    "hash": ({"type": "fixed", "name": "Hash", "size": 20}, st.binary(min_size=20, max_size=20)),
    "role": ({"type": "enum", "name": "Role", "symbols": ["a", "b", "c"]}, st.sampled_from("abc")),
    "at": ({"type": "long", "logicalType": "timestamp-micros"}, INSTANT),
    "wall": (["null", {"type": "long", "logicalType": "local-timestamp-micros"}], st.none() | WALL),
    "day": ({"type": "int", "logicalType": "date"}, st.dates(date(1, 1, 1))),
    "place": (
        [
            "null",
            {
                "type": "record",
                "name": "Place",
                "fields": [
                    {"name": "lat", "type": "float"},
                    {"name": "zone", "type": ["null", "int"]},
                ],
            },
        ],
        st.none() | PLACE,
    ),
}
NESTED: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "stops": ({"type": "array", "items": "long"}, st.lists(LONG, max_size=5)),
    "words": (
        ["null", {"type": "array", "items": "string"}],
        st.none() | st.lists(TEXT, max_size=3),
    ),
}


def schema_of(names: Sequence[str]) -> RecordSchema:
    """A record schema with these fields, in this order."""
    types = FIELDS | NESTED
    fields = [{"name": name, "type": types[name][0]} for name in names]
    return {"type": "record", "name": "Event", "fields": fields}


@st.composite
def batches(draw: st.DrawFn) -> tuple[RecordSchema, list[dict[str, Any]]]:
    """A schema, and some records of it."""
    types = FIELDS | (NESTED if draw(st.integers(0, 3)) == 0 else {})
    names = draw(st.lists(st.sampled_from(sorted(types)), min_size=1, max_size=6, unique=True))
    record = st.fixed_dictionaries({name: types[name][1] for name in names})
    return schema_of(names), draw(st.lists(record, min_size=1, max_size=20))


def written(schema: RecordSchema, record: dict[str, Any], schema_id: int = 7) -> bytes:
    """The record as fastavro writes it, in the wire format."""
    buffer = io.BytesIO(wire.header(schema_id))
    buffer.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), record)
    return buffer.getvalue()


def read(schema: RecordSchema, value: bytes) -> dict[str, Any] | None:
    """The record as fastavro reads it, or None where it is not one, written as it must be."""
    buffer = io.BytesIO(value[5:])
    try:
        record = fastavro.schemaless_reader(buffer, fastavro.parse_schema(schema), None)
        again = written(schema, record)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - whatever fastavro raises, the value is none that it reads
        return None
    return record if again == value else None  # type: ignore[return-value]


def same(ours: Any, theirs: Any) -> bool:
    """Equality for which a NaN is a NaN."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


def rows(decoded: Decoded) -> dict[int, dict[str, Any]]:
    """The decoded records, by their place in the batch."""
    return dict(zip(decoded.rows.tolist(), decoded.frame.to_dicts(), strict=True))


def decoder(schema: RecordSchema, few: int) -> Decoder:
    """A decoder of records written and read with this schema."""
    return Decoder(lambda _: schema, schema, few=few)


@given(batches(), st.sampled_from([SIDE_BY_SIDE, ONE_BY_ONE]))
def test_every_record_comes_back(
    batch: tuple[RecordSchema, list[dict[str, Any]]], few: int
) -> None:
    """What fastavro writes is decoded to what was written, in its order."""
    schema, records = batch

    decoded = decoder(schema, few).decode([written(schema, record) for record in records])

    assert decoded.bad == []
    assert list(range(len(records))) == decoded.rows.tolist()
    assert same(decoded.frame.to_dicts(), records)


@given(batches(), st.sampled_from([SIDE_BY_SIDE, ONE_BY_ONE]))
def test_encoding_gives_the_bytes_that_fastavro_gives(
    batch: tuple[RecordSchema, list[dict[str, Any]]], few: int
) -> None:
    """Encoding is byte for byte that of fastavro, by either way."""
    schema, records = batch
    values = [written(schema, record) for record in records]
    frame = decoder(schema, ONE_BY_ONE).decode(values).frame

    assert values == Encoder(schema, 7, few=few).encode(frame)


@given(batches(), st.data())
def test_columns_that_repeat_themselves_are_written_alike(
    batch: tuple[RecordSchema, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """A column of one value, or of one size, is written as any other, in every record."""
    schema, records = batch
    constant = data.draw(st.lists(st.sampled_from([field["name"] for field in schema["fields"]])))
    records = [record | {name: records[0][name] for name in constant} for record in records] * 3
    values = [written(schema, record) for record in records]
    frame = decoder(schema, SIDE_BY_SIDE).decode(values).frame

    assert values == Encoder(schema, 7, few=SIDE_BY_SIDE).encode(frame)
    assert values == Encoder(schema, 7, few=ONE_BY_ONE).encode(frame)
    assert values[1:] == Encoder(schema, 7, few=SIDE_BY_SIDE).encode(frame[1:])


def edges(bits: int) -> st.SearchStrategy[int]:
    """Numbers of up to so many bits, at both ends of each size."""
    return st.integers(0, bits).flatmap(lambda b: st.sampled_from([2**b - 1, -(2**b), 2**b // 2]))


@given(
    st.sampled_from([6, 13, 14, 63]).flatmap(lambda b: st.lists(edges(b), min_size=1)),
    st.sampled_from([SIDE_BY_SIDE, ONE_BY_ONE]),
)
def test_numbers_of_every_size_are_written_and_read(numbers: list[int], few: int) -> None:
    """Whole numbers take as many bytes as Avro has them take, whatever stands beside them."""
    schema = schema_of(["total", "maybe", "name"])
    records = [{"total": each, "maybe": -1 - each, "name": "x"} for each in numbers]
    values = [written(schema, record) for record in records]

    decoded = decoder(schema, few).decode(values)

    assert records == decoded.frame.to_dicts()
    assert values == Encoder(schema, 7, few=few).encode(decoded.frame)


@given(
    st.lists(st.integers(0, 600), min_size=1, max_size=20),
    st.sampled_from([SIDE_BY_SIDE, ONE_BY_ONE]),
)
def test_texts_of_every_length_are_written_and_read(lengths: list[int], few: int) -> None:
    """Texts that stand inside of their view, that are padded, and that are too long for it."""
    schema = schema_of(["raw", "note", "total"])
    records = [
        {"raw": bytes([each % 256]) * each, "note": "é" * (each // 2) if each % 3 else None}
        | {"total": each}
        for each in lengths
    ]
    values = [written(schema, record) for record in records]

    decoded = decoder(schema, few).decode(values)

    assert records == decoded.frame.to_dicts()
    assert values == Encoder(schema, 7, few=few).encode(decoded.frame)


@given(batches(), st.data())
def test_nulls_and_other_schemas_stand_between_records(
    batch: tuple[RecordSchema, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """Tombstones, short values and other schemas in a batch shift no record."""
    schema, records = batch
    values: list[bytes | None] = [written(schema, record) for record in records]
    strange = st.sampled_from([None, b"", b"\0\0", b"{}", wire.header(9) + b"\x02a"])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(values)))
        values.insert(at, data.draw(strange))
    other = {9: schema_of(["name"]) | {"name": "Other"}}

    decoded = Decoder(lambda id_: other.get(id_, schema), schema, few=SIDE_BY_SIDE).decode(values)

    found = rows(decoded)
    good = [i for i, value in enumerate(values) if value and value[:5] == wire.header(7)]
    assert all(same(found[i], record) for i, record in zip(good, records, strict=True))
    assert sorted([*found, *(row for row, _ in decoded.bad)]) == list(range(len(values)))


Damage = Callable[[bytes, bytes], bytes]


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Something that happens to a value, given another one."""
    at = draw(st.floats(0, 1, exclude_max=True))
    junk = draw(
        st.binary(min_size=1, max_size=12) | st.just(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f")
    )

    def place(value: bytes) -> int:
        return 5 + int(at * max(len(value) - 5, 0))

    kinds: list[Damage] = [
        lambda value, _: value[: place(value)],
        lambda value, _: value + junk,
        lambda value, other: value + other[5:],
        lambda value, _: value[: place(value)] + junk + value[place(value) + len(junk) :],
        lambda value, _: value[: place(value)] + junk + value[place(value) :],
        lambda value, _: value[: place(value)] + value[place(value) + len(junk) :],
        lambda value, other: value[: place(value)] + other[place(other) :],
        lambda value, _: value[:5] + junk,
    ]
    return draw(st.sampled_from(kinds))


@given(batches(), st.data())
def test_damage_is_found_and_never_spreads(
    batch: tuple[RecordSchema, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """A damaged value is as fastavro reads it, or bad with a cause; the others are untouched."""
    schema, records = batch
    values = [written(schema, record) for record in records]
    hurt = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=5, unique=True))
    for row in hurt:
        values[row] = data.draw(damages())(values[row], values[-1])

    together = decoder(schema, SIDE_BY_SIDE).decode(values)
    alone = decoder(schema, ONE_BY_ONE).decode(values)

    assert_frame_equal(alone.frame, together.frame)
    assert alone.rows.tolist() == together.rows.tolist()
    assert alone.bad == together.bad
    found, bad = rows(together), {row for row, _ in together.bad}
    assert sorted([*found, *bad]) == list(range(len(values)))
    assert all(cause for _, cause in together.bad)
    for row, record in enumerate(records):
        if row not in hurt:
            assert same(found[row], record)
        elif (oracle := read(schema, values[row])) is not None and fits(schema, oracle):
            assert same(found[row], oracle)


def fits(schema: RecordSchema, record: dict[str, Any]) -> bool:
    """Whether the numbers are in the bounds of their type, at which fastavro does not look."""
    int_fields = [field["name"] for field in schema["fields"] if field["type"] == "int"]
    numbers = [record[name] for name in int_fields]
    place = record.get("place")
    if place is not None and place["zone"] is not None:
        numbers.append(place["zone"])
    return all(-(2**31) <= number < 2**31 for number in numbers)


@given(st.lists(st.none() | st.binary(max_size=40), max_size=30))
def test_any_bytes_are_a_record_or_bad(values: list[bytes | None]) -> None:
    """Whatever stands on the topic, each value is accounted for, and for once."""
    schema = schema_of(["name", "total", "maybe"])

    decoded = decoder(schema, SIDE_BY_SIDE).decode(values)

    assert sorted([*decoded.rows.tolist(), *(row for row, _ in decoded.bad)]) == list(
        range(len(values))
    )


@given(st.lists(TEXT, min_size=2, max_size=30), st.data())
def test_boundaries_that_shift_and_come_back_are_found(
    texts: list[str], data: st.DataObject
) -> None:
    """A value is short by some bytes, its neighbour has them too many: the error is found."""
    schema = schema_of(["name", "ratio"])
    values = [written(schema, {"name": text, "ratio": 1.5}) for text in texts]
    row = data.draw(st.integers(0, len(values) - 2))
    moved = data.draw(st.integers(1, 8))
    values[row], values[row + 1] = (
        values[row][:-moved],
        wire.header(7) + values[row][-moved:] + values[row + 1][5:],
    )

    decoded = decoder(schema, SIDE_BY_SIDE).decode(values)

    assert row in {bad for bad, _ in decoded.bad}
    for good, record in rows(decoded).items():
        if good != row + 1:
            assert {"name": texts[good], "ratio": 1.5} == record


@given(st.lists(st.floats(width=32)), st.lists(st.floats()))
def test_numbers_keep_their_bits(floats: list[float], doubles: list[float]) -> None:
    """Floats and doubles come back bit for bit."""
    for kind, numbers in (("float", floats), ("double", doubles)):
        schema = {"type": "record", "name": "N", "fields": [{"name": "x", "type": kind}]}
        code = "<f" if kind == "float" else "<d"
        values = [wire.header(7) + struct.pack(code, number) for number in numbers]

        frame = decoder(schema, SIDE_BY_SIDE).decode(values).frame

        assert values == Encoder(schema, 7, few=SIDE_BY_SIDE).encode(frame)
        assert frame.schema == pl.Schema({"x": pl.Float32() if kind == "float" else pl.Float64()})
