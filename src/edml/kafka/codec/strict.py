"""One datum read by itself, strictly: the authority on what is a bad record, and why.

Slower than reading many side by side, but it knows every type, and says which field is wrong and how.
A datum is bad when it ends too early or too late, claims a length or a count that it cannot hold, or
has a value outside of its type. Nothing is allocated for what a datum only claims to hold.
"""

import struct
from collections.abc import Container, Iterator
from decimal import Decimal
from itertools import repeat
from typing import Any, Final

from edml.kafka.codec import varints
from edml.kafka.codec.dtypes import bounds, decimal, unit
from edml.kafka.codec.layout import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Node,
    Nullable,
    Record,
    Reference,
    Scalar,
    Union,
)
from edml.kafka.codec.wire import MalformedError

DEEPEST: Final = 64
"""Records inside of records beyond this depth are refused."""

_PLAIN: Final = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}


def read(datum: bytes, layout: Record, wanted: Container[str], start: int = 0) -> dict[str, Any]:
    """Give back the values of the wanted fields as what the columns of a frame take.

    Args:
        datum: the record's bytes.
        layout: the schema that it was written with.
        wanted: names of the fields to give back; the others are checked and left out.
        start: where in ``datum`` it begins.

    Raises:
        MalformedError: the record is bad.
    """
    reader = _Reader(datum, start, layout)
    values = reader.fields(layout.fields, wanted)
    if left := reader.left():
        raise MalformedError(f"{left} bytes are left over behind the record")
    return values


class _Reader:
    def __init__(self, datum: bytes, place: int, layout: Record) -> None:
        self._datum = datum
        self._place = place
        self._records: dict[str, Record] = {layout.name: layout}
        self._depth = 0
        self._items_allowed = len(datum)  # each takes a byte; those of no size must not be for free

    def left(self) -> int:
        return len(self._datum) - self._place

    def fields(self, fields: tuple[Field, ...], wanted: Container[str]) -> dict[str, Any]:
        values = {}
        for field in fields:
            try:
                value = self._value(field.type)
            except MalformedError as error:
                error.path.append(field.name)
                raise
            if field.name in wanted:
                values[field.name] = value
        return values

    def _value(self, node: Node) -> Any:
        match node:
            case Scalar():
                return self._scalar(node)
            case Nullable(of=of, null=null):
                return None if self._choice(2, "branch of the union") == null else self._value(of)
            case Record():
                return self._record(node)
            case Enum(symbols=symbols):
                return symbols[self._choice(len(symbols), "symbol of the enum")]
            case Fixed(size=size):
                return _bytes(self._take(size), node)
            case Array(items=items):
                return [self._value(items) for _ in self._items()]
            case Map(values=of):
                return self._map(of)
            case Union(branches=branches):
                return self._value(branches[self._choice(len(branches), "branch of the union")])
            case Reference(name=name):
                return self._record(self._records[name])

    def _scalar(self, node: Scalar) -> Any:
        match node.kind:
            case "int" | "long":
                return self._whole(node)
            case "string":
                return self._text()
            case "bytes":
                return _bytes(self._take(self._size()), node)
            case "boolean":
                return bool(self._choice_byte())
            case "null":
                return None
        plain = _PLAIN[node.kind]
        return plain.unpack(self._take(plain.size))[0]

    def _take(self, size: int) -> bytes:
        if size > self.left():
            raise MalformedError(f"takes {size} bytes, where {self.left()} are left in the record")
        self._place += size
        return self._datum[self._place - size : self._place]

    def _varint(self) -> int:
        word = shift = 0
        for place in range(self._place, min(self._place + varints.LONGEST, len(self._datum))):
            byte = self._datum[place]
            word |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._place = place + 1
                if word >> 64:
                    raise MalformedError("a whole number that does not fit in 64 bits")
                return (word >> 1) ^ -(word & 1)
            shift += 7
        if self.left() >= varints.LONGEST:
            raise MalformedError(f"a whole number longer than {varints.LONGEST} bytes")
        raise MalformedError("the record ends within a whole number")

    def _whole(self, node: Scalar) -> int:
        value = self._varint()
        low, high = bounds(node) or (value, value)
        if not low <= value <= high:
            raise MalformedError(f"{value} is outside of {node.logical or node.kind}, {low} to {high}")
        return value * unit(node)

    def _size(self) -> int:
        size = self._varint()
        if size < 0:
            raise MalformedError(f"claims a length of {size} bytes")
        return size

    def _text(self) -> str:
        text = self._take(self._size())
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise MalformedError(f"not UTF-8: {error.reason} at byte {error.start}") from error

    def _choice(self, count: int, what: str) -> int:
        choice = self._varint()
        if not 0 <= choice < count:
            raise MalformedError(f"{what} is number {choice}, where there are {count}")
        return choice

    def _choice_byte(self) -> int:
        byte = self._take(1)[0]
        if byte > 1:
            raise MalformedError(f"a boolean of byte 0x{byte:02x}, where it is 0x00 or 0x01")
        return byte

    def _record(self, node: Record) -> dict[str, Any]:
        self._records[node.name] = node
        self._depth += 1
        if self._depth > DEEPEST:
            raise MalformedError(f"nested deeper than {DEEPEST} records")
        values = self.fields(node.fields, {field.name for field in node.fields})
        self._depth -= 1
        return values

    def _items(self) -> Iterator[None]:
        """Stand before each item, block after block, until the block without items.

        A negative count is that many items behind the block's size in bytes.
        """
        while count := self._varint():
            end = None
            if count < 0:
                end = self._size() + self._place
                count = -count
            self._items_allowed -= count
            if self._items_allowed < 0:
                raise MalformedError(f"claims {count} items, where {self.left()} bytes are left")
            yield from repeat(None, count)
            if end is not None and end != self._place:
                raise MalformedError("a block of items that is not as long as it says")

    def _map(self, of: Node) -> list[dict[str, Any]]:
        return [{"key": self._text(), "value": self._value(of)} for _ in self._items()]


def _bytes(value: bytes, node: Scalar | Fixed) -> bytes | Decimal:
    if node.logical != "decimal":
        return value
    number = decimal(value, node)
    if len(number.as_tuple().digits) > node.precision:
        raise MalformedError(f"a decimal of more than {node.precision} digits")
    return number
