"""Records as nobody should write them: mutations by name, drawn from a seeded generator.

The same mutations go through the codec alone, through properties, and through the real loop. What
they come to is told by an oracle of its own, which knows Avro from fastavro alone.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import fastavro

from edml.kafka.codec.layout import RecordSchema

HEADER: Final = 5
FEATURES: Final = {
    "day_of_week": 4,
    "hour_of_day": 9,
    "pickup_zone": 79,
    "dropoff_zone": 4,
    "day_of_year": 332.0,
    "passenger_count": 1.0,
    "distance_km": 1.25,
}
"""What a model of the taxi application is given of some trip."""

MEGABYTE: Final = 980_000
"""Of text; with the rest of its record, it is just what a producer sends by default."""

LONGS: Final = (0, -1, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 266, 999_999)
SECOND: Final = 1_000_000
YEARS: Final = (-62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1)
"""The first and the last microsecond of the years 1 to 9999."""

TIMES: Final = (
    0, -1, YEARS[0], YEARS[0] - 1, YEARS[1], YEARS[1] + 1, 2**63 - 1, -(2**63), 2**62,
    3_786_912_000 * SECOND,
)  # fmt: skip
TEXTS: Final = (
    "", "\x00", "a\x00b", "\ufeff", "\u202eback to front", "🚕" * 9, "́" * 300, "\r\n\t", "x" * 5000,
    "'; drop table trips; --", "null", "{}",
)  # fmt: skip
DOUBLES: Final = (
    float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, -1e300,
)  # fmt: skip
NOT_UTF_8: Final = (
    b"\xff\xfe",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"ok\x80",
    b"\xc0\xaf",
)
LENGTHS: Final = (2**62, 2**40, 2**31, 2**31 - 1, 2**63 - 1, 70_000, -1, -2, -(2**63), 37)

Row = Mapping[str, Any]
Schemas = Mapping[int, RecordSchema]


@dataclass(frozen=True)
class Target:
    """What is aimed at: the schema ``schema_id`` among some, of which ``others`` are values."""

    schemas: Schemas
    schema_id: int
    others: Sequence[bytes]

    @property
    def schema(self) -> RecordSchema:
        """The schema that good records have."""
        return self.schemas[self.schema_id]

    def value(self, row: Row) -> bytes:
        """A good value."""
        return written(self.schemas, self.schema_id, row)


Mutation = Callable[[Random, Target, Row], bytes | None]


def written(schemas: Schemas, schema_id: int, row: Row) -> bytes:
    """A row in the wire format; times are whole numbers, texts may be bytes that are none."""
    buffer = io.BytesIO(b"\x00" + schema_id.to_bytes(4, "big"))
    buffer.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(buffer, parsed(schemas[schema_id]), encoded(row))
    return buffer.getvalue()


def encoded(row: Any) -> Any:
    """A row with its texts as UTF-8."""
    if isinstance(row, Mapping):
        return {name: encoded(value) for name, value in row.items()}
    return row.encode() if isinstance(row, str) else row


def parsed(schema: RecordSchema) -> Any:
    """The schema without logical types, and with bytes for texts, which lie in the same way."""
    text = json.dumps(schema)
    if text not in _PARSED:
        _PARSED[text] = fastavro.parse_schema(plain(schema))
    return _PARSED[text]


_PARSED: Final[dict[str, Any]] = {}


def plain(schema: Any) -> Any:
    """A schema with the types that Avro has on the wire, and no others."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if schema == "string":
        return "bytes"
    if not isinstance(schema, dict):
        return schema
    if schema["type"] == "record":
        fields = [{**field, "type": plain(field["type"])} for field in schema["fields"]]
        for field in fields:
            if isinstance(field.get("default"), str):
                field["default"] = field["default"].encode().decode("latin-1")
        return {**schema, "fields": fields}
    return {"type": plain(schema["type"])}


def varint(number: int) -> bytes:
    """A zigzagged number of 64 bits as Avro writes it."""
    word = (number << 1) ^ (number >> 63)
    groups = bytearray()
    while word > 0x7F:
        groups.append(word & 0x7F | 0x80)
        word >>= 7
    return bytes([*groups, word])


# Bytes that are hurt on their way.


def _on_bytes(hurt: Callable[[Random, bytes], bytes]) -> Mutation:
    return lambda random, target, row: hurt(random, target.value(row))


def _flipped(random: Random, value: bytes) -> bytes:
    hurt = bytearray(value)
    for _ in range(random.randint(1, 8)):
        hurt[random.randrange(len(hurt))] ^= 1 << random.randrange(8)
    return bytes(hurt)


def _overwritten(random: Random, value: bytes) -> bytes:
    at = random.randrange(HEADER, len(value))
    junk = random.randbytes(random.randint(1, 12))[: len(value) - at]
    return value[:at] + junk + value[at + len(junk) :]


def _cut(random: Random, value: bytes) -> bytes:
    return value[: random.randrange(HEADER, len(value))]


def _inserted(random: Random, value: bytes) -> bytes:
    at = random.randint(HEADER, len(value))
    return value[:at] + random.randbytes(random.randint(1, 12)) + value[at:]


def _removed(random: Random, value: bytes) -> bytes:
    at = random.randrange(HEADER, len(value))
    return value[:at] + value[at + random.randint(1, 12) :]


def _swapped(random: Random, value: bytes) -> bytes:
    first, second = sorted(random.sample(range(HEADER, len(value) + 1), 2))
    return value[:HEADER] + value[first:second] + value[HEADER:first] + value[second:]


def _behind(random: Random, value: bytes) -> bytes:
    return value + random.randbytes(random.randint(1, 20))


def _overlong(random: Random, value: bytes) -> bytes:
    at = random.randint(HEADER, len(value))
    return value[:at] + b"\xff" * random.randint(9, 12) + random.randbytes(1) + value[at:]


def _spliced(random: Random, target: Target, row: Row) -> bytes:
    value, other = target.value(row), random.choice(target.others)
    return (
        value[: random.randrange(HEADER, len(value))]
        + other[random.randrange(HEADER, len(other)) :]
    )


# Values that are none.


def _with_header(random: Random, target: Target) -> bytes:
    return b"\x00" + target.schema_id.to_bytes(4, "big") + random.randbytes(random.randint(0, 120))


def _other_id(random: Random, target: Target, row: Row) -> bytes:
    others = [each for each in target.schemas if each != target.schema_id]
    return b"\x00" + random.choice(others).to_bytes(4, "big") + target.value(row)[HEADER:]


def _unknown_id(random: Random, target: Target, row: Row) -> bytes:
    unknown = random.choice([0, 900_000_000, 900_000_001, 2**31 - 1])
    return b"\x00" + unknown.to_bytes(4, "big") + target.value(row)[HEADER:]


# Fields that hold what they can, and should not.


def _names(target: Target, *kinds: str) -> list[str]:
    return [
        field["name"]
        for field in target.schema["fields"]
        if any(kind in json.dumps(field["type"]) for kind in kinds)
        and '"record"' not in json.dumps(field["type"])
    ]


def _replaced(kinds: Sequence[str], values: Sequence[Any]) -> Mutation:
    """One to three fields of some kinds, each with one of some values."""

    def replace(random: Random, target: Target, row: Row) -> bytes:
        names = _names(target, *kinds)
        chosen = random.sample(names, random.randint(1, min(3, len(names))))
        return target.value({**row, **{name: random.choice(values) for name in chosen}})

    return replace


def _bomb(random: Random, target: Target, row: Row) -> bytes:
    """A text whose length is a lie."""
    text = encoded(row[random.choice(_names(target, '"string"'))])
    value, claimed = target.value(row), random.choice(LENGTHS)
    at = value.index(varint(len(text)) + text, HEADER)
    return value[:at] + varint(claimed) + value[at + 1 :]


def _padded(random: Random, target: Target, row: Row) -> bytes:
    """A length with bytes that it does not need, which Avro does not forbid."""
    text = encoded(row[random.choice(_names(target, '"string"'))])
    value, length = target.value(row), varint(len(text))
    at = value.index(length + text, HEADER)
    more = bytes([length[0] | 0x80, *[0x80] * random.randint(0, 3), 0])
    return value[:at] + more + value[at + 1 :]


KINDS: Final[Mapping[str, Mutation]] = {
    "null": lambda *_: None,
    "empty": lambda *_: b"",
    "a part of a header": lambda random, target, row: target.value(row)[: random.randint(1, 4)],
    "a header alone": lambda _, target, row: target.value(row)[:HEADER],
    "another magic byte": lambda random, target, row: (
        bytes([random.randint(1, 255)]) + target.value(row)[1:]
    ),
    "an unknown schema id": _unknown_id,
    "another schema's id": _other_id,
    "another schema's record": lambda random, target, _: random.choice(target.others),
    "JSON": lambda _random, _target, row: json.dumps(row, default=str).encode(),
    "random bytes": lambda random, *_: random.randbytes(random.randint(1, 200)),
    "random bytes behind a header": lambda random, target, _: _with_header(random, target),
    "bits flipped": _on_bytes(_flipped),
    "bytes overwritten": _on_bytes(_overwritten),
    "cut short": _on_bytes(_cut),
    "bytes inserted": _on_bytes(_inserted),
    "bytes removed": _on_bytes(_removed),
    "bytes swapped": _on_bytes(_swapped),
    "bytes left over": _on_bytes(_behind),
    "two records in one": _on_bytes(lambda _, value: value + value[HEADER:]),
    "spliced with another": _spliced,
    "a number of too many bytes": _on_bytes(_overlong),
    "a number of more bytes than it needs": _padded,
    "a length that is a lie": _bomb,
    "a text that is not UTF-8": _replaced(['"string"'], NOT_UTF_8),
    "a text to be wary of": _replaced(['"string"'], TEXTS),
    "a time out of bounds": _replaced(["timestamp"], TIMES),
    "a number out of bounds": _replaced(['"long"', '"int"'], LONGS),
}
"""By what is wrong with it: how a record is made of a good row."""

FLOATS: Final = _replaced(['"double"'], DOUBLES)
"""For those schemas that have a double."""


def megabyte(target: Target, row: Row) -> bytes:
    """A record of a megabyte, nearly all of it text."""
    return target.value({**row, _names(target, '"string"')[0]: "x" * MEGABYTE})


def mutated(
    target: Target, rows: Sequence[Row], count: int, *, seed: int
) -> list[tuple[str, bytes | None]]:
    """So many hostile values with their kinds: as many of each kind, and one large one in 800."""
    random = Random(seed)  # noqa: S311  nothing is secret
    kinds = {**KINDS, **({"NaN, infinite, tiny": FLOATS} if _names(target, '"double"') else {})}
    names = list(kinds)
    found: list[tuple[str, bytes | None]] = []
    for number in range(count):
        row, name = rows[number % len(rows)], names[number % len(names)]
        if number % 800 == 400:
            found.append(("a megabyte", megabyte(target, row)))
        else:
            found.append((name, kinds[name](random, target, row)))
    return found


@dataclass(frozen=True)
class Verdict:
    """What Avro says of a value: the row in it, or why there is none.

    ``plain`` is whether it is written as Avro writes it: a number can take more bytes than it must.
    """

    row: dict[str, Any] | None
    cause: str = ""
    plain: bool = True


def verdict(value: bytes | None, schemas: Schemas, reader: RecordSchema) -> Verdict:
    """What fastavro reads in a value, with the reader's schema."""
    if value is None or len(value) < HEADER or value[0]:
        return Verdict(None, "not in the wire format")
    schema_id = int.from_bytes(value[1:HEADER], "big")
    if schema_id not in schemas:
        return Verdict(None, "unknown schema")
    writer, content = parsed(schemas[schema_id]), io.BytesIO(value[HEADER:])
    try:
        found = fastavro.schemaless_reader(content, writer, None)
    except Exception as error:  # noqa: BLE001 - whatever fastavro raises, it is none that it reads
        return Verdict(None, f"fastavro: {error!r}")
    if content.read(1):
        return Verdict(None, "left over")
    again = io.BytesIO()
    try:
        fastavro.schemaless_writer(again, writer, found)
    except Exception as error:  # noqa: BLE001 - such as a number of 65 bits, which fastavro reads
        return Verdict(None, f"fastavro: {error!r}")
    written_so = again.getvalue() == value[HEADER:]
    if not _sound(found, schemas[schema_id]):
        return Verdict(None, "outside of its type", plain=written_so)
    try:
        row = fastavro.schemaless_reader(io.BytesIO(value[HEADER:]), writer, parsed(reader))
        return Verdict(_texts(row, reader), plain=written_so)
    except Exception as error:  # noqa: BLE001 - whatever fastavro says of two schemas
        return Verdict(None, f"fastavro: {error!r}", plain=written_so)


def _texts(row: Any, schema: Any) -> dict[str, Any]:
    """A row whose texts are texts."""
    types = {field["name"]: json.dumps(field["type"]) for field in schema["fields"]}
    return {
        name: value.decode() if isinstance(value, bytes) and '"string"' in types[name] else value
        for name, value in row.items()
    }


def _sound(row: Any, schema: Any) -> bool:
    """Whether texts are UTF-8, times in the years 1 to 9999, ints in 32 bits."""
    for field in schema["fields"]:
        value, kind = row[field["name"]], json.dumps(field["type"])
        if isinstance(value, dict):
            inner = field["type"]
            if isinstance(inner, list):
                inner = next(branch for branch in inner if isinstance(branch, dict))
            if not _sound(value, inner):
                return False
        elif isinstance(value, bytes) and '"string"' in kind:
            try:
                value.decode()
            except UnicodeDecodeError:
                return False
        elif isinstance(value, int) and "timestamp-micros" in kind:
            if not YEARS[0] <= value <= YEARS[1]:
                return False
        elif isinstance(value, int) and '"int"' in kind and not -(2**31) <= value < 2**31:
            return False
    return True
