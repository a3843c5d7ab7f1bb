"""Checkpoints: a training that was killed goes on from its last whole epoch."""

import shutil
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

_IDENTITY: Final = "training.json"


class Checkpoints:
    """The state of one training in a folder: network, optimiser, epoch, and RMSE so far.

    ``identity`` says what is trained, on what and how; a checkpoint of anything else is removed.
    """

    def __init__(self, folder: Path, identity: str, model: Any) -> None:
        self._folder = folder
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._model = model
        path = folder / _IDENTITY
        if path.is_file() and path.read_text(encoding="utf-8") != identity:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(identity, encoding="utf-8")
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model, optimizer=model.optimizer, epoch=self._epoch),
            str(folder),
            max_to_keep=1,
        )

    def restore(self) -> int:
        """Go back to the last checkpoint, if there is one; gives back the epochs that are done."""
        if self._manager.restore_or_initialize() is None:
            return 0
        return int(self._epoch.numpy())

    def save(self, epochs: int) -> None:
        """Keep the state after so many epochs; the one before is removed once this is written."""
        self._epoch.assign(epochs)
        self._manager.save()

    def remove(self) -> None:
        """The training is done."""
        shutil.rmtree(self._folder)

