"""The one small protocol that a flavour of model implements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edml.models.records import Signature

Columns = Mapping[str, NDArray[np.generic]]
"""Named columns of equal length: shape ``[rows]`` each, in the type that the signature names."""


class Predictor(Protocol):
    """A loaded model: a pure function from named columns to named columns."""

    @property
    def signature(self) -> Signature:
        """The inputs and outputs that the artefact itself declares."""
        ...

    def predict(self, columns: Columns) -> Columns:
        """Predict a batch: the outputs by name, shape ``[rows]`` each."""
        ...


class Flavour(Protocol):
    """A way in which a model is stored in a folder and loaded from it."""

    name: str

    def load(self, folder: Path, *, threads: int = 1) -> Predictor:
        """Load the model in ``folder``; raises `ModelRefusedError` with the cause when it cannot."""
        ...
