"""From the trained network to the models of an artefact, which must all say the same."""

import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edml.application import Application
from edml.errors import TrainingError
from edml.models import flavours, self_test
from edml.models.flavour import Predictor
from edml.trainer.dataset import Examples
from edml.trainer.folded import Folded

EXPORTS: Final = {
    "savedmodel": "edml.trainer.export_savedmodel",
    "onnx": "edml.trainer.export_onnx",
}
"""Who writes which flavour: modules with ``export(network, path)``."""


def drafted(folder: Path) -> Path:
    """An empty folder beside the one that the artefact shall have."""
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def export(network: Folded, name: str, folder: Path, threads: int) -> Predictor:
    """Write the network in one flavour, and load it again."""
    flavour = flavours.named(name)
    importlib.import_module(EXPORTS[name]).export(network, folder / flavour.path)
    return flavour.load(folder, threads=threads)


def agreed(
    application: Application, predictors: Sequence[Predictor], tested: Examples
) -> NDArray[np.float64]:
    """The predictions of the first flavour, once the others have been seen to give the same."""
    first, *others = (
        self_test.predict(application, predictor, tested.features).astype(np.float64)
        for predictor in predictors
    )
    for other in others:
        off = float(np.max(np.abs(other - first) / np.maximum(1, np.abs(first))))
        if off > self_test.TOLERANCE:
            raise TrainingError(
                f"the flavours of the model differ by {off:.1e}: more than {self_test.TOLERANCE}",
                todo="please report this with the application's declaration",
            )
    return first
