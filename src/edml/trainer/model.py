"""The wide & deep model: reads its dataset, trains, and is judged on rows that it has not seen.

The modern ``DNNLinearCombinedRegressor``: the wide part is solved (`edml.trainer.wide`), the deep part
(`edml.trainer.network`) is learned on top of it, and both are folded into one function from raw, named
features to the label (`edml.trainer.folded`).
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from edml.application import Application
from edml.errors import TrainingError
from edml.trainer.checkpoints import Checkpoints
from edml.trainer.dataset import Examples
from edml.trainer.encoding import Encoding, Floats
from edml.trainer.folded import Folded
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.network import Scaling, WideAndDeep, fold
from edml.trainer.wide import solve, unseen

Columns = Mapping[str, NDArray[Any]]

_STEPS_AT_ONCE: Final = 16
_WARM_UP_STEPS: Final = 200
_VALIDATION_BATCH: Final = 8192


Tell = Callable[[int, float], None]
"""Told, after each epoch, how many are done, and the RMSE on the rows held back."""


@dataclass(frozen=True)
class Trained:
    """The network that is to be exported, and the RMSE on the held-back rows after each epoch."""

    network: Folded
    held_back_rmse: list[float]


def use_threads(threads: int) -> None:
    """Let TensorFlow compute with so many threads. It can be told once, before it does anything."""
    with contextlib.suppress(RuntimeError):  # it has begun already, with what it was told then
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def read_dataset(
    columns: Columns, labels: Floats, *, batch_size: int, epochs: range, seed: int
) -> tf.data.Dataset:
    """All batches of some epochs, one after the other, each epoch in an order of its own.

    The order depends on the seed and the epoch's number alone, so that a training that is resumed
    goes on as it would have.
    """
    tensors = {name: tf.constant(column) for name, column in columns.items()}
    answers = tf.constant(labels)

    def shuffled(epoch: Any) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(labels)), seed=tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def rows(places: Any) -> Any:
        return {name: tf.gather(tensor, places) for name, tensor in tensors.items()}, tf.gather(
            answers, places
        )

    return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(shuffled).map(rows).prefetch(4)


def train_and_evaluate(
    application: Application,
    examples: Examples,
    parameters: Hyperparameters,
    job_dir: Path,
    tell: Tell = lambda epochs, rmse: None,
) -> Trained:
    """Train on the examples; their last part is held back, to judge each epoch by.

    ``job_dir`` takes TensorBoard's logs and the checkpoints; a training that was killed goes on from
    its last epoch there, and gives the same model as if it had not been.

    Raises:
        TrainingError: there are too few rows, or the loss is not a number.
    """
    learned, held_back = examples.split(parameters.held_back)
    if not learned.rows or not held_back.rows:
        raise TrainingError(
            f"{examples.rows} rows are too few to learn from and hold some back",
            todo="choose a longer span of time",
        )
    keras.utils.set_random_seed(parameters.seed)
    encoding = Encoding.of(application, learned.features, intervals=parameters.intervals)
    scaling = _scaling(application, learned.labels)
    targets = _targets(scaling, learned.labels)
    terms = encoding.terms(encoding.indices(learned.features))
    wide = solve(terms, targets, ridge=parameters.ridge)
    if not application.deep:
        return Trained(fold(application, encoding, scaling, wide, None), [])
    learned_effects = unseen(
        terms,
        targets - wide.intercept,
        folds=parameters.folds,
        ridge=parameters.ridge,
        random=np.random.default_rng(parameters.seed),
    )
    held_terms = encoding.terms(encoding.indices(held_back.features))
    held_effects = wide.effects(held_terms), wide.evidence(held_terms)
    model = WideAndDeep(application, encoding, scaling, wide.intercept, parameters)
    rmse = _fit(
        model,
        (_columns(encoding, learned, *learned_effects), learned.labels.astype(np.float32)),
        (_columns(encoding, held_back, *held_effects), held_back.labels.astype(np.float32)),
        parameters,
        job_dir,
        tell,
    )
    return Trained(fold(application, encoding, scaling, wide, model), rmse)


def _columns(
    encoding: Encoding,
    examples: Examples,
    effects: NDArray[np.float64],
    evidence: NDArray[np.float64],
) -> Columns:
    """What the network takes of some rows."""
    return {
        "indices": encoding.indices(examples.features),
        "numbers": encoding.floats(examples.features),
        "effects": effects.astype(np.float32),
        # Of the crosses only: a category by itself has evidence enough.
        "evidence": evidence[:, len(encoding.wide) :].astype(np.float32),
    }


def _scaling(application: Application, labels: NDArray[np.float64]) -> Scaling:
    """Positive labels are predicted as logarithms: what acts on them acts in proportion.

    The linear model alone stays on the label itself: the mean of logarithms is not the mean's.
    """
    if application.outcome.valid[0] > 0 and application.deep:
        return Scaling("log", 0.0, 1.0)
    return Scaling("identity", float(labels.mean()), float(labels.std()) or 1.0)


def _targets(scaling: Scaling, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    linked = np.log(labels) if scaling.link == "log" else labels
    return (linked - scaling.shift) / scaling.scale


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """After each epoch: a checkpoint, and word of it."""

    def __init__(self, checkpoints: Checkpoints, tell: Tell) -> None:
        super().__init__()
        self.rmse: list[float] = []
        self._checkpoints = checkpoints
        self._tell = tell

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Check the loss, keep the state, and tell."""
        rmse = float(np.sqrt((logs or {})["val_squared_error"]))
        if not np.isfinite(rmse):
            raise TrainingError(
                f"the loss is not a number after epoch {epoch + 1}",
                todo="lower --learning-rate, or look for values that are far off",
            )
        self.rmse.append(rmse)
        self._checkpoints.save(epoch + 1)
        self._tell(epoch + 1, rmse)


def _fit(
    model: WideAndDeep,
    learned: tuple[Columns, Floats],
    held_back: tuple[Columns, Floats],
    parameters: Hyperparameters,
    job_dir: Path,
    tell: Tell,
) -> list[float]:
    """Train for what is left of the epochs; gives back the RMSE on the held-back rows after each."""
    columns, labels = learned
    steps = -(-len(labels) // parameters.batch_size)
    model.compile(
        optimizer=_optimizer(parameters, steps),
        loss=_loss(model.scaling, labels),
        metrics=[keras.metrics.MeanMetricWrapper(_squared_error, name="squared_error")],
        steps_per_execution=min(_STEPS_AT_ONCE, steps),
    )
    model({name: column[:1] for name, column in columns.items()})
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(job_dir / "checkpoints", _identity(parameters, *learned), model)
    done = checkpoints.restore()
    epochs = _Epochs(checkpoints, tell)
    model.fit(
        read_dataset(
            columns,
            labels,
            batch_size=parameters.batch_size,
            epochs=range(done, parameters.epochs),
            seed=parameters.seed,
        ),
        initial_epoch=done,
        epochs=parameters.epochs,
        steps_per_epoch=steps,
        validation_data=held_back,
        validation_batch_size=_VALIDATION_BATCH,
        callbacks=[keras.callbacks.TensorBoard(job_dir / "logs", write_graph=False), epochs],
        shuffle=False,  # the dataset has shuffled
        verbose=0,
    )
    checkpoints.remove()
    return epochs.rmse


def _optimizer(parameters: Hyperparameters, steps: int) -> Any:
    """AdamW; its rate rises for a while, then falls along a cosine to nearly nothing."""
    schedule = keras.optimizers.schedules.CosineDecay(
        parameters.learning_rate / 20,
        steps * parameters.epochs,
        warmup_target=parameters.learning_rate,
        warmup_steps=min(_WARM_UP_STEPS, steps),
        alpha=0.01,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=parameters.weight_decay)


def _loss(scaling: Scaling, labels: Floats) -> Callable[[Any, Any], Any]:
    """The deviance of each tower by itself: Poisson's for positive labels, else the squared error.

    Both are least at the mean, which is what RMSE asks for. Poisson's takes the error to grow with
    the label, as it does with durations: the few very long ones then do not drown the others.
    """
    mean, variance = float(labels.mean()), float(labels.var()) or 1.0

    def poisson(expected: Any, towers: Any) -> Any:
        return ops.mean(towers - ops.expand_dims(expected, -1) * ops.log(towers), axis=-1) / mean

    def squared(expected: Any, towers: Any) -> Any:
        return ops.mean(ops.square(ops.expand_dims(expected, -1) - towers), axis=-1) / variance

    return poisson if scaling.link == "log" else squared


def _squared_error(labels: Any, towers: Any) -> Any:
    """The squared error of the towers' mean."""
    return ops.square(labels - ops.mean(towers, axis=-1))


def _identity(parameters: Hyperparameters, columns: Columns, labels: Floats) -> str:
    """What a checkpoint belongs to: these hyperparameters and these very rows."""
    digest = sha256(labels.tobytes())
    for column in columns.values():
        digest.update(column.tobytes())
    return json.dumps({**asdict(parameters), "rows": digest.hexdigest()}, sort_keys=True)
