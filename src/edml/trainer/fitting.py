"""What Keras needs to fit the network: the loss, the optimiser, and what happens after an epoch."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from edml.errors import TrainingError
from edml.trainer.checkpoints import Checkpoints
from edml.trainer.encoding import Floats
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.network import Scaling

Tell = Callable[[float, float], None]
"""Told, after each epoch, which share of them is done, and the RMSE on the rows held back."""

_WARM_UP_STEPS: Final = 200


def optimizer(parameters: Hyperparameters, steps: int) -> Any:
    """AdamW; its rate rises for a while, then falls along a cosine to nearly nothing."""
    schedule = keras.optimizers.schedules.CosineDecay(
        parameters.learning_rate / 20,
        steps,
        warmup_target=parameters.learning_rate,
        warmup_steps=min(_WARM_UP_STEPS, steps // 10),
        alpha=0.01,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=parameters.weight_decay)


def deviance(scaling: Scaling, labels: Floats) -> Callable[[Any, Any], Any]:
    """The loss of each tower by itself: Poisson's deviance for positive labels, else squares.

    Both are least at the mean, which is what RMSE asks for. Poisson's takes errors to grow with the
    label, as they do with durations: the few very long ones then do not drown the others.
    """
    mean, variance = float(labels.mean()), float(labels.var()) or 1.0

    def poisson(expected: Any, towers: Any) -> Any:
        return ops.mean(towers - ops.expand_dims(expected, -1) * ops.log(towers), axis=-1) / mean

    def squares(expected: Any, towers: Any) -> Any:
        return ops.mean(ops.square(ops.expand_dims(expected, -1) - towers), axis=-1) / variance

    return poisson if scaling.link == "log" else squares


def squared_error() -> Any:
    """The metric that is shown: the squared error of the towers' mean."""

    def of_mean(labels: Any, towers: Any) -> Any:
        return ops.square(labels - ops.mean(towers, axis=-1))

    return keras.metrics.MeanMetricWrapper(of_mean, name="squared_error")


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """After each epoch: a look at the loss, a checkpoint, word of it, and whether it is enough."""

    def __init__(self, checkpoints: Checkpoints, tell: Tell, enough: Callable[[], bool]) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._tell = tell
        self._enough = enough

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Do so; raises `TrainingError` when the loss is not a number."""
        rmse = float(np.sqrt((logs or {})["val_squared_error"]))
        if not np.isfinite(rmse):
            raise TrainingError(
                f"the loss is not a number after epoch {epoch + 1}",
                todo="lower --learning-rate, or look for values that are far off",
            )
        self._checkpoints.save(epoch + 1, rmse)
        self._tell((epoch + 1) / self.params["epochs"], rmse)
        if self._enough():
            self.model.stop_training = True
