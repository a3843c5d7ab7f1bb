"""A training from history to artefact: the shell around the model."""

import importlib.metadata
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

import edml
from edml.application import Application
from edml.errors import DataError, TrainingError, UsageError
from edml.models import self_test
from edml.models.artefact import DESCRIPTION, Artefact, Description
from edml.models.quiet_tensorflow import import_tensorflow
from edml.models.records import Metadata
from edml.models.version import Version, current_commit
from edml.trainer import baselines, dataset
from edml.trainer.dataset import Dataset, Examples
from edml.trainer.distributions import distributions
from edml.trainer.evaluation import Evaluation, evaluate
from edml.trainer.exporting import EXPORTS, agreed, drafted, export
from edml.trainer.folded import Folded
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.self_test_rows import choose
from edml.trainer.span import Span

_LIBRARIES: Final = ("keras", "lightgbm", "numpy", "onnx", "onnxruntime", "polars", "tensorflow")

EVERY: Final = 5
"""Of so many weeks, one is held out."""

FEW: Final = timedelta(weeks=2 * EVERY)
"""Of a longer past, two such weeks or more are held out; else the last tenth of the rows is."""

_TEST_SHARE: Final = 0.1

Tell = Callable[[str, float], None]
"""Told what is being done, in a few words, and which share of that is done."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be trained, on what, and where it goes.

    Without ``test``, one week in five is held out (see `held_out`); ``test_rows`` bounds how many
    rows are tested. The artefact goes to the folder ``artefact``, or else to one of the version's
    name below ``home``. ``job_dir`` takes TensorBoard's logs and checkpoints.
    """

    train: Span
    test: Span | None = None
    data: Path | None = None
    artefact: Path | None = None
    home: Path = Path("artefacts")
    job_dir: Path = Path("job")
    parameters: Hyperparameters = field(default_factory=Hyperparameters)
    flavours: Sequence[str] = ("savedmodel", "onnx")
    lightgbm: bool = True
    test_rows: int | None = None
    threads: int = 2

    def __post_init__(self) -> None:
        unknown = [name for name in self.flavours if name not in EXPORTS]
        if unknown or not self.flavours:
            raise UsageError(
                f"flavours are {', '.join(self.flavours) or 'none'}",
                todo=f"name some of {', '.join(EXPORTS)}",
            )


@dataclass(frozen=True)
class Result:
    """A trained model, and how good it is on rows that it has not seen."""

    artefact: Artefact
    evaluation: Evaluation
    past: Dataset
    rows: int
    seconds: float

    def figures(self) -> dict[str, Any]:
        """What a program wants to know, ready for JSON; the baselines by their RMSE."""
        whole = self.evaluation.whole
        return {
            "version": self.artefact.version,
            "artefact": str(self.artefact.folder),
            "rmse": whole.rmse,
            "mae": whole.mae,
            "bias": whole.bias,
            "baselines": {name: each.rmse for name, each in self.evaluation.baselines.items()},
            "rows": self.rows,
            "test_rows": whole.rows,
            "left_out": dict(self.past.left_out),
            "source": self.past.source,
            "seconds": round(self.seconds, 1),
        }


def run(application: Application, job: Job, now: datetime, tell: Tell) -> Result:
    """Read history, train, export, judge on the rows held out, and describe all of it.

    An artefact that is in the folder already is replaced once the new one is whole.

    Raises:
        DataError: history cannot be read, or something else is in the artefact's folder.
        TrainingError: nothing can be learnt from it.
    """
    began = time.monotonic()
    tell(f"reading {job.train}", 0)
    past, learned, tested = _read(application, job)
    version = _version(job, now)
    folder = job.artefact or job.home / str(version)
    _check_free(folder)
    network = _train(application, learned, job, tell)
    draft = drafted(folder)
    tell(f"exporting {' and '.join(job.flavours)}", 0)
    predictors = [export(network, name, draft, job.threads) for name in job.flavours]
    predictions = agreed(application, predictors, tested)
    compared = _baselines(application, job, learned, tested, tell)
    evaluation = evaluate(application, tested, predictions, compared)
    description = Description(
        version=str(version),
        application=application.name,
        signature=network.signature,
        self_test=self_test.record(application, predictors[0], choose(application, learned)),
        metadata=_metadata(application, job, Trained(past, learned, evaluation), now),
    )
    for predictor in predictors:
        self_test.run(application, predictor, description.self_test)
    Artefact.write(draft, description)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    seconds = time.monotonic() - began
    return Result(Artefact(folder, description), evaluation, past, learned.rows, seconds)


def _read(application: Application, job: Job) -> tuple[Dataset, Examples, Examples]:
    """The past, and of its examples those to learn from and those to be tested on."""
    past = dataset.read(application, job.data, job.train)
    if job.test is None:
        learned, tested = held_out(application, past.examples)
    else:
        learned = past.examples
        tested = dataset.read(application, job.data, job.test).examples
    if not learned.rows or not tested.rows:
        raise TrainingError(
            f"{past.examples.rows} rows are too few to learn from and test on",
            where=past.source,
            todo="choose a longer span of time",
        )
    return past, learned, tested if job.test_rows is None else tested.thinned(job.test_rows)


def held_out(application: Application, examples: Examples) -> tuple[Examples, Examples]:
    """What is learnt from, and what is only tested on: one week in `EVERY`.

    How good a model is tells later what is normal, in every season: so its hold-out is of all of
    them. Of a past that is too short for that, it is the last tenth of the rows.
    """
    when = application.event.time
    span = examples.events.select(pl.col(when).max() - pl.col(when).min()).item()
    if span is None or span <= FEW:
        return examples.split(_TEST_SHARE)
    return examples.spread_weeks(when, EVERY)


def _check_free(folder: Path) -> None:
    """Raise `DataError` when something else than an artefact lies there: we must not replace it."""
    free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not free and not (folder / DESCRIPTION).is_file():
        raise DataError(
            "there is something else than an artefact in the way",
            where=str(folder),
            todo="name another folder with --output",
        )


def _train(application: Application, learned: Examples, job: Job, tell: Tell) -> Folded:
    """The trained network; TensorFlow is imported from here on."""
    import_tensorflow()
    from edml.trainer import model

    what = f"learning from {learned.rows:,} rows"
    tell(what, 0)
    model.use_threads(job.threads)

    def told(done: float, rmse: float) -> None:
        tell(f"{what}, RMSE {rmse:.2f} on those held back", done)

    parts = learned.split(job.parameters.held_back)
    return model.train_and_evaluate(application, parts, job.parameters, job.job_dir, told)


def _baselines(
    application: Application, job: Job, learned: Examples, tested: Examples, tell: Tell
) -> dict[str, NDArray[np.float64]]:
    """What the baselines predict for the same rows."""
    tell("comparing with baselines", 0)
    found = baselines.simple(application, learned, tested)
    if job.lightgbm:
        parameters = job.parameters
        trees = baselines.LightGbm(
            application=application, seed=parameters.seed, threads=job.threads
        )
        # It learns from the rows that the network learnt from, and stops by those held back.
        parts = learned.split(parameters.held_back)
        found[baselines.LIGHTGBM] = trees.predict(
            *parts, tested, lambda done: tell("comparing with LightGBM", done)
        )
    return found


@dataclass(frozen=True)
class Trained:
    """What there is to say of a training."""

    past: Dataset
    learned: Examples
    evaluation: Evaluation


def _metadata(application: Application, job: Job, trained: Trained, now: datetime) -> Metadata:
    return Metadata(
        trained_at=now,
        commit=current_commit(Path.cwd()),
        data_source=trained.past.source,
        data_from=datetime.combine(job.train.start, clock(), UTC),
        data_to=datetime.combine(job.train.end, clock(), UTC),
        rows=trained.learned.rows,
        metrics=trained.evaluation.metrics(),
        distributions=distributions(application, trained.learned),
        libraries=libraries(),
        parameters={name: str(value) for name, value in asdict(job.parameters).items()},
    )


def libraries() -> dict[str, str]:
    """The versions of the libraries that a model comes from."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _version(job: Job, now: datetime) -> Version:
    """The model's name; trainings of the same commit are counted where it is going to lie."""
    home = job.home if job.artefact is None else job.artefact.parent
    known = [
        Artefact.read(path.parent).version
        for path in home.glob(f"*/{DESCRIPTION}")
        if not path.parent.name.startswith(".")
    ]
    return Version.following(
        known, package=edml.__version__, trained_at=now, commit=current_commit(Path.cwd())
    )
