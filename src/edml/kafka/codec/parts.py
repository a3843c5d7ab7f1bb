"""The fields of some records as lists of bytes, to be joined record by record.

No record is padded to the length of another: this is for long texts, and for few records, of which
`pieces` would be slower.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Final

import polars as pl

from edml.kafka.codec.dtypes import unit
from edml.kafka.codec.layout import Enum, Fixed, Node, Nullable, Record, Scalar
from edml.kafka.codec.varints import WRITTEN

Part = Iterable[bytes]
"""A piece of each record, in their order."""

BRANCHES: Final = (b"\x00", b"\x02")
"""The places of a union of two types."""

_BOOLEANS: Final = (b"\x00", b"\x01")


def parts(column: pl.Series, node: Node) -> list[Part]:
    """Give back the parts of a column that `Fit` gave back for the node."""
    match node:
        case Nullable(of=of, null=null):
            return _nullable(column, of, null)
        case Record(fields=fields):
            inner = column.struct.unnest()
            return [part for f in fields for part in parts(inner[f.name], f.type)]
        case Scalar("int" | "long"):
            return [map(WRITTEN.__getitem__, whole(column, node).to_list())]
        case Enum():
            return [map(WRITTEN.__getitem__, column.to_physical().to_list())]
        case Scalar("string" | "bytes"):
            texts = column.cast(pl.Binary).to_list()
            return [map(WRITTEN.__getitem__, map(len, texts)), texts]
        case Fixed():
            return [column.to_list()]
        case Scalar("boolean"):
            return [map(_BOOLEANS.__getitem__, column.to_list())]
        case Scalar("float"):
            return [column.to_numpy().astype("<f4", copy=False).view("V4").tolist()]
        case Scalar("double"):
            return [column.to_numpy().astype("<f8", copy=False).view("V8").tolist()]
    raise AssertionError(f"not flat: {node}")


def whole(column: pl.Series, node: Scalar) -> pl.Series:
    """Give back a column of numbers or times as the numbers that are written."""
    numbers = column.cast(pl.Int64)
    return numbers if (factor := unit(node)) == 1 else numbers // factor


def _nullable(column: pl.Series, of: Node, null: int) -> list[Part]:
    """The branch of the union, and what some of the records have behind it."""
    nothing, something = BRANCHES[null], BRANCHES[1 - null]
    if not column.null_count():
        return [repeat(something), *parts(column, of)]
    there = map(b"".join, zip(*parts(column.drop_nulls(), of), strict=False))
    return [_between(column.is_not_null().to_list(), nothing, something, there)]


def _between(present: list[bool], nothing: bytes, something: bytes, there: Iterator[bytes]) -> Part:
    return [something + next(there) if each else nothing for each in present]
