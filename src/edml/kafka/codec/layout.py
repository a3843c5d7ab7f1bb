"""An Avro schema as a tree of small types, which say how the bytes of a datum lie.

https://avro.apache.org/docs/1.12.0/specification/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from edml.errors import SchemaError

RecordSchema = dict[str, Any]
"""An Avro record schema, as its JSON reads."""


class _NoDefault:
    """The mark of a field without a default; a default may itself be null."""


NO_DEFAULT: Final = _NoDefault()


@dataclass(frozen=True)
class Scalar:
    """A primitive type: ``kind`` is its Avro name, ``logical`` what its values stand for."""

    kind: str
    logical: str | None = None
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class Fixed:
    """A fixed number of bytes."""

    name: str
    size: int
    logical: str | None = None
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class Enum:
    """One of some symbols; a reader's default stands for symbols that it does not know."""

    name: str
    symbols: tuple[str, ...]
    default: str | None = None


@dataclass(frozen=True)
class Nullable:
    """A union of null and one other type; ``null`` is the place of null in the union, 0 or 1."""

    of: "Node"
    null: int


@dataclass(frozen=True)
class Array:
    """Any number of items."""

    items: "Node"


@dataclass(frozen=True)
class Map:
    """Any number of named values."""

    values: "Node"


@dataclass(frozen=True)
class Union:
    """Any other union. No column of a frame can hold it."""

    branches: "tuple[Node, ...]"


@dataclass(frozen=True)
class Reference:
    """A record inside of itself. No column of a frame can hold it."""

    name: str


@dataclass(frozen=True)
class Field:
    """A field of a record."""

    name: str
    type: "Node"
    default: Any = NO_DEFAULT
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """Fields, one after the other."""

    name: str
    fields: tuple[Field, ...]


Node = Scalar | Fixed | Enum | Nullable | Array | Map | Union | Reference | Record
_Named = TypeVar("_Named", Record, Enum, Fixed)

_PRIMITIVES: Final = {"null", "boolean", "int", "long", "float", "double", "string", "bytes"}

_DIGITS: Final = 38
"""Of the largest decimal that a column holds."""

_LOGICAL: Final = {
    ("int", "date"),
    ("int", "time-millis"),
    ("long", "time-micros"),
    ("long", "timestamp-millis"),
    ("long", "timestamp-micros"),
    ("long", "local-timestamp-millis"),
    ("long", "local-timestamp-micros"),
}


def record(schema: Any) -> Record:
    """Give back the layout of a record schema, which is JSON already read.

    Raises:
        SchemaError: it is no valid Avro schema, or not of a record.
    """
    try:
        parsed = fastavro.parse_schema(schema, expand=False)
    except (
        SchemaParseException,
        UnknownType,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:
        raise SchemaError(
            f"not a valid Avro schema: {type(error).__name__}: {error}",
            todo="write it as the Avro specification has it: "
            "https://avro.apache.org/docs/1.12.0/specification/",
        ) from error
    node = _Reader().node(parsed, ())
    if not isinstance(node, Record):
        raise SchemaError(
            "the Avro schema is not of a record", todo="make the event a record with named fields"
        )
    return node


class _Reader:
    """Turns a schema parsed by fastavro, in which every name is full, into nodes."""

    def __init__(self) -> None:
        self._named: dict[str, Node] = {}

    def node(self, schema: Any, inside: tuple[str, ...]) -> Node:
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return Scalar(schema)
            return Reference(schema) if schema in inside else self._named[schema]
        if isinstance(schema, list):
            return self._union(tuple(self.node(branch, inside) for branch in schema))
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema, inside)
        if kind == "enum":
            return self._name(Enum(schema["name"], tuple(schema["symbols"]), schema.get("default")))
        if kind == "fixed":
            return self._name(Fixed(schema["name"], schema["size"], *_logical(schema, "fixed")))
        if kind == "array":
            return Array(self.node(schema["items"], inside))
        if kind == "map":
            return Map(self.node(schema["values"], inside))
        if kind in _PRIMITIVES:
            return Scalar(kind, *_logical(schema, kind))
        return self.node(kind, inside)

    def _record(self, schema: Any, inside: tuple[str, ...]) -> Record:
        name = schema["name"]
        fields = tuple(
            Field(
                field["name"],
                self.node(field["type"], (*inside, name)),
                field.get("default", NO_DEFAULT),
                tuple(field.get("aliases", ())),
            )
            for field in schema["fields"]
        )
        return self._name(Record(name, fields))

    def _name(self, node: _Named) -> _Named:
        self._named[node.name] = node
        return node

    @staticmethod
    def _union(branches: tuple[Node, ...]) -> Node:
        match branches:
            case (Scalar("null"), other) if other != Scalar("null"):
                return Nullable(other, null=0)
            case (other, Scalar("null")):
                return Nullable(other, null=1)
        return Union(branches)


def _logical(schema: Mapping[str, Any], kind: str) -> tuple[str | None, int, int]:
    """Give back logical type, precision and scale. Unknown ones are ignored, as Avro demands."""
    logical = schema.get("logicalType")
    if logical == "decimal" and kind in ("bytes", "fixed"):
        precision, scale = schema.get("precision", 0), schema.get("scale", 0)
        return (
            (logical, precision, scale)
            if 0 <= scale <= precision <= _DIGITS and precision
            else (None, 0, 0)
        )
    return (logical if (kind, logical) in _LOGICAL else None), 0, 0


def flat(node: Node) -> bool:
    """Whether the number of its parts is fixed, so that many datums can be read side by side."""
    match node:
        case Scalar("null") | Scalar(logical="decimal") | Fixed(logical="decimal"):
            return False
        case Scalar() | Fixed() | Enum():
            return True
        case Nullable(of=of):
            return flat(of)
        case Record(fields=fields):
            return bool(fields) and all(flat(field.type) for field in fields)
    return False
