"""The one small protocol that a flavour of model implements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edml.models.records import Signature

Columns = Mapping[str, NDArray[Any]]
"""Named columns of equal length: shape ``[rows]`` each, in the type that the signature names.

Strings are arrays of Python's ``str`` (dtype ``object``).
"""


class Predictor(Protocol):
    """A loaded model: a pure function from named columns to named columns."""

    @property
    def signature(self) -> Signature:
        """The inputs and outputs that the artefact itself declares."""
        ...

    def predict(self, columns: Columns) -> Mapping[str, NDArray[np.generic]]:
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
