"""The one small protocol that a flavour of model implements."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edml.models.records import Signature

Columns = Mapping[str, NDArray[Any]]
"""Named columns of equal length: shape ``[rows]`` each, in the type that the signature names.

Strings are arrays of Python's ``str`` (dtype ``object``).
"""

Outputs = Mapping[str, NDArray[np.generic]]
"""Named outputs of equal length: shape ``[rows]`` each."""

ROWS_AT_ONCE: Final = 2048
"""As many rows as a model takes at once: what flows within it stays in the processor's cache."""


class Predictor(Protocol):
    """A loaded model: a pure function from named columns to named columns."""

    @property
    def signature(self) -> Signature:
        """The inputs and outputs that the artefact itself declares."""
        ...

    def predict(self, columns: Columns) -> Outputs:
        """Predict a batch: the outputs by name, shape ``[rows]`` each."""
        ...


class Flavour(Protocol):
    """A way in which a model is stored in a folder and loaded from it."""

    @property
    def name(self) -> str:
        """What the flavour is called in a `Model`."""
        ...

    @property
    def path(self) -> str:
        """The file or folder of an artefact that holds the model of this flavour."""
        ...

    def load(self, folder: Path, *, threads: int = 1) -> Predictor:
        """Load the model from an artefact's folder, to predict with at most ``threads`` threads.

        Raises:
            ModelRefusedError: with the cause, when there is nothing that can be loaded.
        """
        ...


def in_parts(predict: Callable[[Columns], Outputs], columns: Columns) -> Outputs:
    """The outputs for any number of rows, by calls of at most `ROWS_AT_ONCE`."""
    rows = len(next(iter(columns.values()), ()))
    if rows <= ROWS_AT_ONCE:
        return predict(columns)
    parts = [
        predict({name: column[at : at + ROWS_AT_ONCE] for name, column in columns.items()})
        for at in range(0, rows, ROWS_AT_ONCE)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
