"""The models that serve at a moment, each in its role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from edml.application import Role
from edml.models.binding import bind
from edml.models.flavour import Predictor


class Predicts(Protocol):
    """A model that was admitted, bound to the columns of events and features."""

    def predict(self, columns: pl.DataFrame) -> pl.Series:
        """One prediction a row (Float64), in the label's unit."""
        ...


class Bound:
    """A loaded model, bound by name to the columns of events and features."""

    def __init__(self, predictor: Predictor, output: str) -> None:
        self._predictor = predictor
        self._output = output

    def predict(self, columns: pl.DataFrame) -> pl.Series:
        """One prediction a row."""
        predicted = self._predictor.predict(bind(self._predictor.signature, columns))
        return pl.Series(self._output, predicted[self._output]).cast(pl.Float64)


@dataclass(frozen=True)
class ServedModel:
    """One version in one role."""

    role: Role
    version: str
    model: Predicts


class Models(Protocol):
    """Tells which models serve now. The champion comes first; empty while there is none."""

    def current(self) -> Sequence[ServedModel]:
        """An immutable snapshot: what a batch begins with is what it ends with."""
        ...
