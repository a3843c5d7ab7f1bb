"""One datum read by itself, strictly: the authority on what is a bad record, and why.

Slower than reading many side by side, but it knows every type, and says which field is wrong and
how. A datum is bad when it ends too early or too late, claims a length or a count that it cannot
hold, or has a value outside of its type. Nothing is allocated for what it only claims to hold.
"""

import struct
from collections.abc import Callable, Container, Iterator, Sequence
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

_WORD_BITS: Final = 64
_PLAIN: Final = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}


class _Datum:
    """The bytes of a record, and where reading stands in it."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content = content
        self.place = place
        self.depth = 0
        # Each item takes a byte or more; those of no size must not be had for nothing.
        self.items_allowed = len(content)

    def left(self) -> int:
        return len(self.content) - self.place

    def take(self, size: int) -> bytes:
        if size > self.left():
            raise MalformedError(f"takes {size} bytes, and {self.left()} are left in the record")
        self.place += size
        return self.content[self.place - size : self.place]

    def varint(self) -> int:
        content, place = self.content, self.place
        word = shift = 0
        for byte in content[place : place + varints.LONGEST]:
            place += 1
            if byte < varints.CONTINUED:
                self.place = place
                word |= byte << shift
                if word >> _WORD_BITS:
                    raise MalformedError("a whole number that does not fit in 64 bits")
                return (word >> 1) ^ -(word & 1)
            word |= (byte & ~varints.CONTINUED) << shift
            shift += 7
        if self.left() >= varints.LONGEST:
            raise MalformedError(f"a whole number longer than {varints.LONGEST} bytes")
        raise MalformedError("the record ends within a whole number")

    def size(self) -> int:
        size = self.varint()
        if size < 0:
            raise MalformedError(f"claims a length of {size} bytes")
        return size

    def choice(self, count: int, what: str) -> int:
        choice = self.varint()
        if not 0 <= choice < count:
            raise MalformedError(f"{what} is number {choice}, and there are {count}")
        return choice

    def items(self) -> Iterator[None]:
        """Stand before each item, block after block, until the block without items.

        A negative count is that many items behind the block's size in bytes.
        """
        while count := self.varint():
            end = None
            if count < 0:
                count, end = -count, self.size() + self.place
            self.items_allowed -= count
            if self.items_allowed < 0:
                raise MalformedError(f"claims {count} items, and {self.left()} bytes are left")
            yield from repeat(None, count)
            if end is not None and end != self.place:
                raise MalformedError("a block of items that is not as long as it says")


_Read = Callable[[_Datum], Any]


class StrictReader:
    """Reads records of one schema, one by one.

    Args:
        layout: the schema that they are written with.
        wanted: names of the fields to give back; the others are checked and left out.
    """

    def __init__(self, layout: Record, wanted: Container[str]) -> None:
        self._records: Final[dict[str, _Read]] = {}
        self._fields: Final = self._compiled(layout.fields, wanted)
        self._records[layout.name] = self._record(layout)

    def read(self, value: bytes, start: int = 0) -> list[Any]:
        """Give back the wanted fields, in the schema's order, as `dtypes.column` takes them.

        Args:
            value: holds the record, to its end.
            start: where the record begins in it.

        Raises:
            MalformedError: the record is bad.
        """
        datum = _Datum(value, start)
        values = _values(datum, self._fields)
        if left := datum.left():
            raise MalformedError(f"{left} bytes are left over behind the record")
        return values

    def _compiled(
        self, fields: Sequence[Field], wanted: Container[str]
    ) -> list[tuple[str, _Read, bool]]:
        return [(field.name, self._node(field.type), field.name in wanted) for field in fields]

    def _node(self, node: Node) -> _Read:
        match node:
            case Scalar():
                return _scalar(node)
            case Nullable(of=of, null=null):
                return _nullable(self._node(of), null)
            case Record():
                return self._record(node)
            case Reference(name=name):
                return self._inside(name)
            case Enum(symbols=symbols):
                return lambda datum: symbols[datum.choice(len(symbols), "symbol of the enum")]
            case Fixed(size=size):
                return _bytes(lambda datum: datum.take(size), node)
            case Union(branches=branches):
                return _union([self._node(branch) for branch in branches])
        return self._repeated(node)

    def _inside(self, name: str) -> _Read:
        """Read a record inside of itself, which is not compiled to its end yet."""

        def read(datum: _Datum) -> Any:
            return self._records[name](datum)

        return read

    def _repeated(self, node: Array | Map) -> _Read:
        if isinstance(node, Array):
            item = self._node(node.items)
            return lambda datum: [item(datum) for _ in datum.items()]
        value = self._node(node.values)
        return lambda datum: [{"key": _string(datum), "value": value(datum)} for _ in datum.items()]

    def _record(self, node: Record) -> _Read:
        names = [field.name for field in node.fields]
        fields = self._compiled(node.fields, names)

        def read(datum: _Datum) -> dict[str, Any]:
            datum.depth += 1
            if datum.depth > DEEPEST:
                raise MalformedError(f"nested deeper than {DEEPEST} records")
            values = _values(datum, fields)
            datum.depth -= 1
            return dict(zip(names, values, strict=True))

        self._records[node.name] = read
        return read


def _values(datum: _Datum, fields: Sequence[tuple[str, _Read, bool]]) -> list[Any]:
    values = []
    for name, read, wanted in fields:
        try:
            value = read(datum)
        except MalformedError as error:
            error.path.append(name)
            raise
        if wanted:
            values.append(value)
    return values


def _scalar(node: Scalar) -> _Read:
    match node.kind:
        case "int" | "long":
            return _whole(node)
        case "string":
            return _string
        case "bytes":
            return _bytes(lambda datum: datum.take(datum.size()), node)
        case "boolean":
            return _boolean
        case "null":
            return lambda _: None
    plain = _PLAIN[node.kind]
    return lambda datum: plain.unpack(datum.take(plain.size))[0]


def _whole(node: Scalar) -> _Read:
    low, high = bounds(node) or (-(2**63), 2**63 - 1)
    factor = unit(node)

    def read(datum: _Datum) -> int:
        value = datum.varint()
        if not low <= value <= high:
            raise MalformedError(
                f"{value} is outside of {node.logical or node.kind}, {low} to {high}"
            )
        return value * factor

    return read


def _string(datum: _Datum) -> str:
    text = datum.take(datum.size())
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def _boolean(datum: _Datum) -> bool:
    byte = datum.take(1)[0]
    if byte > 1:
        raise MalformedError(f"a boolean of byte 0x{byte:02x}, which must be 0x00 or 0x01")
    return bool(byte)


def _nullable(inner: _Read, null: int) -> _Read:
    return lambda datum: None if datum.choice(2, "branch of the union") == null else inner(datum)


def _union(branches: Sequence[_Read]) -> _Read:
    return lambda datum: branches[datum.choice(len(branches), "branch of the union")](datum)


def _bytes(read: Callable[[_Datum], bytes], node: Scalar | Fixed) -> _Read:
    if node.logical != "decimal":
        return read

    def read_decimal(datum: _Datum) -> Any:
        number = decimal(read(datum), node)
        if len(number.as_tuple().digits) > node.precision:
            raise MalformedError(f"a decimal of more than {node.precision} digits")
        return number

    return read_decimal
