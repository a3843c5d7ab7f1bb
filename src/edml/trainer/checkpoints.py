"""Checkpoints: a training that was killed goes on from its last whole epoch."""

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

_IDENTITY: Final = "training.json"


class Checkpoints:
    """The state of one training in a folder: network, optimiser, epochs, and the best network yet.

    ``identity`` says what is trained, on what and how; checkpoints of anything else are removed.
    """

    def __init__(self, folder: Path, identity: str, model: Any) -> None:
        self._folder = folder
        self._model = model
        self._epochs = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._best_rmse = tf.Variable(np.inf, dtype=tf.float64, trainable=False)
        self._best = [tf.Variable(weights, trainable=False) for weights in model.get_weights()]
        path = folder / _IDENTITY
        if path.is_file() and path.read_text(encoding="utf-8") != identity:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(identity, encoding="utf-8")
        state = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            epochs=self._epochs,
            best_rmse=self._best_rmse,
            best=self._best,
        )
        self._manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=1)

    def restore(self) -> int:
        """Go back to the last checkpoint, if there is one; gives back the epochs that are done."""
        self._manager.restore_or_initialize()
        return int(self._epochs.numpy())

    def save(self, epochs: int, rmse: float) -> None:
        """Keep the state after so many epochs; the one before is removed once this is written."""
        self._epochs.assign(epochs)
        if rmse < float(self._best_rmse.numpy()):
            self._best_rmse.assign(rmse)
            for kept, weights in zip(self._best, self._model.get_weights(), strict=True):
                kept.assign(weights)
        self._manager.save()

    def finish(self) -> None:
        """The training is done: the model takes the best weights, and nothing is kept."""
        self._model.set_weights([kept.numpy() for kept in self._best])
        shutil.rmtree(self._folder)
