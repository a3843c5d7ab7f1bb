"""Checkpoints: a training that was killed goes on from its last whole epoch."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_FILE: Final = "training.npz"

Weights = list[NDArray[Any]]


class Checkpoints:
    """The state of one training in a file: network, optimiser, epochs, and the best network yet.

    ``identity`` says what is trained, on what and how; a checkpoint of anything else is not used.
    """

    def __init__(self, folder: Path, identity: str, model: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._identity = identity
        self._model = model
        # Everything that changes, the states of random generators included.
        self._variables = [*model.variables, *model.optimizer.variables]
        self._best_rmse = np.inf
        self._best: Weights = model.get_weights()

    def restore(self) -> int:
        """Go back to the checkpoint, if there is one; gives back the epochs that are done."""
        if not self._path.is_file():
            return 0
        with np.load(self._path, allow_pickle=False) as kept:
            if str(kept["identity"]) != self._identity:
                return 0
            for number, variable in enumerate(self._variables):
                variable.assign(kept[f"variable_{number}"])
            self._best = [kept[f"best_{number}"] for number in range(len(self._best))]
            self._best_rmse = float(kept["best_rmse"])
            return int(kept["epochs"])

    def save(self, epochs: int, rmse: float) -> None:
        """Keep the state after so many epochs, in place of the one before."""
        if rmse < self._best_rmse:
            self._best_rmse = rmse
            self._best = self._model.get_weights()
        arrays = {f"variable_{number}": each.numpy() for number, each in enumerate(self._variables)}
        arrays |= {f"best_{number}": each for number, each in enumerate(self._best)}
        draft = self._path.with_suffix(".draft.npz")
        np.savez(
            draft,
            identity=np.array(self._identity),
            epochs=np.array(epochs),
            best_rmse=np.array(self._best_rmse),
            **arrays,
        )
        draft.replace(self._path)

    def finish(self) -> None:
        """The training is done: the model takes the best weights, and nothing is kept."""
        self._model.set_weights(self._best)
        self._path.unlink(missing_ok=True)
