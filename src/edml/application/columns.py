"""The columns that a model takes, and how: categories, numbers, crosses and embeddings."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edml.errors import DeclarationError

FeatureType = Literal["int", "float", "string"]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""What a column, a field or a label may be called: a name in Avro, and none of edml's own."""


@dataclass(frozen=True)
class Category:
    """A feature with known values, integers or strings; any other is out of vocabulary."""

    name: str
    values: Sequence[int] | Sequence[str]

    def __post_init__(self) -> None:
        _check_name("Category", self.name)
        kinds = {type(value) for value in self.values}
        if kinds not in ({int}, {str}):
            raise DeclarationError(
                f"Category({self.name!r}).values is {self.values!r}: "
                "expected one or more integers, or one or more strings"
            )
        if len(set(self.values)) != len(self.values):
            raise DeclarationError(f"Category({self.name!r}).values: the same value stands twice")

    @property
    def type(self) -> FeatureType:
        """``int`` or ``string``."""
        return "int" if isinstance(self.values[0], int) else "string"


@dataclass(frozen=True)
class Number:
    """A feature that is a number; the model normalises it."""

    name: str
    type: FeatureType = field(default="float", init=False)

    def __post_init__(self) -> None:
        _check_name("Number", self.name)


@dataclass(frozen=True)
class Cross:
    """The combination of two categories, for the wide part.

    ``name`` is what it is called among the baselines; by default, the names of both.
    """

    first: Category
    second: Category
    name: str = ""

    def __post_init__(self) -> None:
        for part in ("first", "second"):
            _check_category(f"Cross.{part}", getattr(self, part))
        if not self.name:
            object.__setattr__(self, "name", f"{self.first.name}_{self.second.name}")
        _check_name("Cross", self.name)


@dataclass(frozen=True)
class Embedding:
    """A category as a dense vector of ``dimension`` numbers, for the deep part."""

    category: Category
    dimension: int

    def __post_init__(self) -> None:
        _check_category("Embedding.category", self.category)
        if not isinstance(self.dimension, int) or self.dimension < 1:
            raise DeclarationError(
                f"Embedding({self.category.name!r}).dimension is {self.dimension!r}: "
                "expected an integer of 1 or more"
            )


Wide = Category | Cross
Deep = Number | Embedding


def columns_of(parts: Iterable[Wide | Deep]) -> Mapping[str, Category | Number]:
    """The columns that these parts of a model take, by name, in the order of their declaration.

    A column that is a category here and a number there is a category.
    """
    found: dict[str, Category | Number] = {}
    for leaf in (leaf for part in parts for leaf in _leaves(part)):
        known = found.setdefault(leaf.name, leaf)
        if isinstance(known, Number):
            found[leaf.name] = leaf
        elif isinstance(leaf, Category) and list(known.values) != list(leaf.values):
            raise DeclarationError(
                f"column {leaf.name!r} is declared twice, with other values each time: "
                "expected one Category, used in both places"
            )
    return found


def _leaves(part: Wide | Deep) -> tuple[Category | Number, ...]:
    match part:
        case Cross(first=first, second=second):
            return (first, second)
        case Embedding(category, _):
            return (category,)
        case _:
            return (part,)


def _check_name(kind: str, name: object) -> None:
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise DeclarationError(
            f"{kind}.name is {name!r}: expected a column's name, of ASCII letters, digits and '_'"
        )


def _check_category(where: str, value: object) -> None:
    if not isinstance(value, Category):
        raise DeclarationError(f"{where} is {value!r}: expected a Category")
