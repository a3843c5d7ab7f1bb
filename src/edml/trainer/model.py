"""The wide & deep model: reads its dataset, trains, and keeps its best on rows held back.

The modern ``DNNLinearCombinedRegressor``: the wide part is solved (`edml.trainer.wide`), the deep
part (`edml.trainer.network`) is learned on top of it, and both are folded into one function from
raw, named features to the label (`edml.trainer.folded`), which is exported with that signature.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edml.application import Application
from edml.errors import TrainingError
from edml.trainer.checkpoints import Checkpoints
from edml.trainer.dataset import Examples
from edml.trainer.encoding import Encoding, Floats
from edml.trainer.fitting import EpochEnd, Tell, deviance, optimizer, squared_error
from edml.trainer.folded import Folded
from edml.trainer.folding import fold
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.network import Scaling, WideAndDeep
from edml.trainer.wide import Terms, Wide, solve, unseen

_STEPS_AT_ONCE: Final = 16
_JUDGED_AT_ONCE: Final = 8192


@dataclass(frozen=True)
class Rows:
    """What the network takes of some rows, by name, their labels, and how much each counts."""

    columns: Mapping[str, NDArray[Any]]
    labels: Floats
    weights: Floats

    @property
    def digest(self) -> str:
        """A hash of all of it."""
        found = sha256(self.labels.tobytes())
        for column in (self.weights, *self.columns.values()):
            found.update(column.tobytes())
        return found.hexdigest()


def use_threads(threads: int) -> None:
    """Let TensorFlow compute with so many threads. It can be told once, before it does anything."""
    with contextlib.suppress(RuntimeError):  # it has begun already, with what it was told then
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def read_dataset(
    rows: Rows, parameters: Hyperparameters, *, epochs: range, steps: int
) -> tf.data.Dataset:
    """Give the first ``steps`` batches of each epoch, each epoch in an order of its own.

    The order depends on the seed and the epoch's number alone, so that a training that is resumed
    goes on as it would have.
    """
    columns = {name: tf.constant(column) for name, column in rows.columns.items()}
    labels, weights = tf.constant(rows.labels), tf.constant(rows.weights)

    def shuffled(epoch: Any) -> tf.data.Dataset:
        seed = tf.stack([tf.cast(parameters.seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(rows.labels)), seed=seed)
        return tf.data.Dataset.from_tensor_slices(order).batch(parameters.batch_size).take(steps)

    def gathered(places: Any) -> Any:
        batch = {name: tf.gather(column, places) for name, column in columns.items()}
        return batch, tf.gather(labels, places), tf.gather(weights, places)

    numbers = tf.data.Dataset.range(epochs.start, epochs.stop)
    return numbers.flat_map(shuffled).map(gathered).prefetch(4)


def train_and_evaluate(  # noqa: PLR0913  what, on what, how, where, and who is told and asked
    application: Application,
    examples: tuple[Examples, Examples],
    parameters: Hyperparameters,
    job_dir: Path,
    tell: Tell,
    *,
    enough: Callable[[], bool] = lambda: False,
) -> Folded:
    """Train on the first part of the examples; on the second one, each epoch is judged.

    The network of the best epoch is given back. Rows count as much as their weights say.
    ``job_dir`` takes TensorBoard's logs and the checkpoints; a training that was killed goes on
    from its last epoch there, and gives the same network as if it had not been. After each epoch
    it is asked whether that is ``enough``.

    Raises:
        TrainingError: there are too few rows, or the loss is not a number.
    """
    learned, held_back = examples
    if not learned.rows or not held_back.rows:
        raise TrainingError(
            f"{learned.rows + held_back.rows} rows are too few to learn from and hold some back",
            todo="choose a longer span of time",
        )
    keras.utils.set_random_seed(parameters.seed)
    encoding = Encoding.of(application, learned.features, intervals=parameters.intervals)
    scaling = _scaling(application, learned.labels)
    targets = _targets(scaling, learned.labels)
    terms = _terms(encoding, learned)
    wide = solve(terms, targets, ridge=parameters.ridge, counts=learned.weights)
    towers = []
    if application.deep:
        model = WideAndDeep(application, encoding, scaling, wide.intercept, parameters)
        rows = _rows_to_learn(encoding, learned, targets - wide.intercept, parameters)
        judged = _rows_to_judge(encoding, held_back, wide)
        checkpoints = _fit(model, (rows, judged), parameters, job_dir, tell, enough)
        checkpoints.finish()
        towers = model.towers
        scaling = _calibrated(model, rows)
    return fold(application, encoding, scaling, wide, towers)


def _scaling(application: Application, labels: NDArray[np.float64]) -> Scaling:
    """Positive labels are predicted as logarithms: what acts on them acts in proportion.

    The linear model alone stays on the label itself: the mean of logarithms is not the mean's.
    """
    if application.outcome.valid[0] > 0 and application.deep:
        return Scaling("log", 0.0, 1.0)
    return Scaling("identity", float(labels.mean()), float(labels.std()) or 1.0)


def _calibrated(model: WideAndDeep, learned: Rows) -> Scaling:
    """The scaling with which predictions have the mean of the labels they were learned from.

    Dropout lets the towers err on the low side, and so does the mean of logarithms.
    """
    towers = model.predict(learned.columns, batch_size=_JUDGED_AT_ONCE, verbose=0)
    scaling = model.scaling
    label = np.average(learned.labels, weights=learned.weights)
    if scaling.link == "identity":
        missing = label - np.average(towers.mean(axis=1), weights=learned.weights)
    else:
        predictions = np.exp(np.mean(np.log(towers), axis=1))
        missing = np.log(label / np.average(predictions, weights=learned.weights))
    return replace(scaling, shift=scaling.shift + float(missing))


def _targets(scaling: Scaling, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    linked = np.log(labels) if scaling.link == "log" else labels
    return (linked - scaling.shift) / scaling.scale


def _terms(encoding: Encoding, examples: Examples) -> Terms:
    return encoding.terms(encoding.indices(examples.features))


def _rows_to_learn(
    encoding: Encoding,
    examples: Examples,
    targets: NDArray[np.float64],
    parameters: Hyperparameters,
) -> Rows:
    """Rows whose effects come from wide parts that have not seen them."""
    effects, evidence = unseen(
        _terms(encoding, examples),
        targets,
        folds=parameters.folds,
        ridge=parameters.ridge,
        random=np.random.default_rng(parameters.seed),
        counts=examples.weights,
    )
    return _rows(encoding, examples, effects, evidence)


def _rows_to_judge(encoding: Encoding, examples: Examples, wide: Wide) -> Rows:
    """Rows as they will be served: their effects come from the whole wide part."""
    terms = _terms(encoding, examples)
    return _rows(encoding, examples, wide.effects(terms), wide.evidence(terms))


def _rows(
    encoding: Encoding,
    examples: Examples,
    effects: NDArray[np.float64],
    evidence: NDArray[np.float64],
) -> Rows:
    columns = {
        "indices": encoding.indices(examples.features),
        "numbers": encoding.floats(examples.features),
        "effects": effects.astype(np.float32),
        # Of the crosses only: a category by itself has evidence enough.
        "evidence": evidence[:, len(encoding.wide) :].astype(np.float32),
    }
    weights = np.ones(examples.rows) if examples.weights is None else examples.weights
    return Rows(
        columns, examples.labels.astype(np.float32), (weights / weights.mean()).astype(np.float32)
    )


def _fit(  # noqa: PLR0913, PLR0917  the model, its rows, how, where, and who is told and asked
    model: WideAndDeep,
    parts: tuple[Rows, Rows],
    parameters: Hyperparameters,
    job_dir: Path,
    tell: Tell,
    enough: Callable[[], bool],
) -> Checkpoints:
    """Train for the epochs that are left; gives back who knows the best weights."""
    learned, judged = parts
    batches = -(-len(learned.labels) // parameters.batch_size)
    executions = -(-batches // _STEPS_AT_ONCE)
    at_once = batches // executions
    steps = executions * at_once  # of the last few batches, Keras would read on into the next epoch
    epochs = parameters.passes(len(learned.labels))
    model.compile(
        optimizer=optimizer(parameters, steps * epochs),
        loss=deviance(model.scaling, learned.labels),
        weighted_metrics=[squared_error()],
        steps_per_execution=at_once,
    )
    model({name: column[:1] for name, column in learned.columns.items()})
    model.optimizer.build(model.trainable_variables)
    identity = json.dumps({**asdict(parameters), "rows": learned.digest}, sort_keys=True)
    checkpoints = Checkpoints(job_dir, identity, model)
    done = checkpoints.restore()
    model.fit(
        read_dataset(learned, parameters, epochs=range(done, epochs), steps=steps),
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=steps,
        validation_data=(judged.columns, judged.labels, judged.weights),
        validation_batch_size=_JUDGED_AT_ONCE,
        callbacks=[
            keras.callbacks.TensorBoard(job_dir / "logs", write_graph=False),
            EpochEnd(checkpoints, tell, enough),
        ],
        shuffle=False,  # the dataset has shuffled
        verbose=0,
    )
    return checkpoints
