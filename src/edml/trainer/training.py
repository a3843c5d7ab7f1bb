"""A training from history to artefact: the shell around the model."""

import importlib
import importlib.metadata
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from datetime import time as midnight
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import edml
from edml.application import Application
from edml.errors import DataError, TrainingError, UsageError
from edml.models import flavours, self_test
from edml.models.artefact import DESCRIPTION, Artefact, Description
from edml.models.binding import beside
from edml.models.flavour import Predictor
from edml.models.records import Metadata
from edml.models.version import Version, current_commit
from edml.trainer import baselines, dataset
from edml.trainer.dataset import Dataset, Examples
from edml.trainer.distributions import distributions
from edml.trainer.evaluation import Score, score, score_by
from edml.trainer.folded import Folded
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.self_test_rows import choose

_LIBRARIES: Final = ("keras", "lightgbm", "numpy", "onnx", "onnxruntime", "polars", "tensorflow")
_TEST_SHARE: Final = 0.1

EXPORTS: Final = {
    "savedmodel": "edml.trainer.export_savedmodel",
    "onnx": "edml.trainer.export_onnx",
}
"""Who writes which flavour: modules with ``export(network, path)``."""

Tell = Callable[[str, float], None]
"""Told what is being done, in a few words, and which share of that is done."""


@dataclass(frozen=True)
class Span:
    """Days from ``start`` up to before ``end``."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise UsageError(f"nothing lies between {self.start} and {self.end}")

    def __str__(self) -> str:
        return f"{self.start} … {self.end}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be trained, on what, and where it goes.

    Without ``test``, the last tenth of the rows is held out. ``artefact`` is the folder that is
    written, None for one by the version's name below ``home``. ``job_dir`` takes TensorBoard's logs
    and checkpoints.
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
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class Result:
    """A trained model, and how good it is on rows that it has not seen, beside its baselines."""

    artefact: Artefact
    hold_out: Score
    baselines: Mapping[str, Score]
    segments: Mapping[str, Score]
    hours: Mapping[str, Score]
    rows: int
    left_out: Mapping[str, int]
    noted: Mapping[str, int]
    source: str
    seconds: float


def run(
    application: Application, job: Job, now: datetime, tell: Tell = lambda what, done: None
) -> Result:
    """Read history, train, export, judge on the rows held out, and describe all of it.

    An artefact that is in the folder already is replaced once the new one is whole.

    Raises:
        DataError: history cannot be read.
        TrainingError: nothing can be learnt from it.
    """
    began = time.monotonic()
    tell(f"reading {job.train}", 0)
    past, learned, tested = _read(application, job)
    network = _train(application, learned, job, tell)
    version = _version(job, now)
    folder = job.artefact or job.home / str(version)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    tell("exporting " + " and ".join(job.flavours), 0)
    predictors = _export(network, job, draft)
    predictions = _agreed(application, predictors, tested)
    hours = dataset.hours(application, tested.events)
    judged = {
        "hold_out": score(tested.labels, predictions),
        "baselines": _compare(application, job, learned, tested, tell),
        "segments": score_by(tested.features[application.segment], tested.labels, predictions),
        "hours": score_by(hours, tested.labels, predictions),
    }
    description = Description(
        version=str(version),
        application=application.name,
        signature=predictors[0].signature,
        self_test=self_test.record(application, predictors[0], choose(application, learned)),
        metadata=_metadata(application, job, past, learned, judged, now),
    )
    for predictor in predictors[1:]:
        self_test.run(application, predictor, description.self_test)
    Artefact.write(draft, description)
    _replace(folder, draft)
    return Result(
        artefact=Artefact(folder, description),
        rows=learned.rows,
        left_out=past.left_out,
        noted=past.noted,
        source=past.source,
        seconds=time.monotonic() - began,
        **judged,
    )


def _read(application: Application, job: Job) -> tuple[Dataset, Examples, Examples]:
    """The past, and of its examples those to learn from and those to be tested on."""
    past = dataset.read(application, job.data, job.train.start, job.train.end)
    if job.test is None:
        learned, tested = past.examples.split(_TEST_SHARE)
        return past, learned, tested
    test = dataset.read(application, job.data, job.test.start, job.test.end)
    return past, past.examples, test.examples


def _train(application: Application, learned: Examples, job: Job, tell: Tell) -> Folded:
    """The trained network; TensorFlow is imported from here on."""
    from edml.trainer import model

    what = f"learning from {learned.rows:,} rows"
    tell(what, 0)
    model.use_threads(job.threads)
    return model.train_and_evaluate(
        application,
        learned,
        job.parameters,
        job.job_dir,
        lambda epoch, rmse: tell(
            f"{what}, RMSE {rmse:.2f} on those held back", epoch / job.parameters.epochs
        ),
    ).network


def _export(network: Folded, job: Job, folder: Path) -> list[Predictor]:
    """Write each flavour, and load it again."""
    loaded = []
    for name in job.flavours:
        flavour = flavours.named(name)
        if name not in EXPORTS:
            raise UsageError(f"{name!r} cannot be exported, only {', '.join(EXPORTS)}")
        module = importlib.import_module(EXPORTS[name])
        module.export(network, folder / flavour.path)
        loaded.append(flavour.load(folder, threads=job.threads))
    return loaded


def _agreed(
    application: Application, predictors: Sequence[Predictor], tested: Examples
) -> NDArray[np.float64]:
    """The predictions of the first flavour, once all others have been seen to give the same."""
    frame = beside(tested.events, tested.features)
    first, *others = (
        self_test.predict(application, predictor, frame).astype(np.float64)
        for predictor in predictors
    )
    for other in others:
        off = np.abs(other - first) / np.maximum(1, np.abs(first))
        if off.max() > self_test.TOLERANCE:
            raise TrainingError(
                f"the flavours of the model differ by {off.max():.1e}: "
                f"more than {self_test.TOLERANCE}",
                todo="please report this with the application's declaration",
            )
    return first


def _compare(
    application: Application, job: Job, learned: Examples, tested: Examples, tell: Tell
) -> dict[str, Score]:
    """How good the baselines are on the same rows."""
    tell("comparing with baselines", 0)
    scores = {
        name: score(tested.labels, predict(learned, tested))
        for name, predict in baselines.simple(application).items()
    }
    if job.lightgbm:
        fitted, held_back = learned.split(job.parameters.held_back)
        predictions = baselines.lightgbm(
            application,
            fitted,
            held_back,
            tested,
            seed=job.parameters.seed,
            threads=job.threads,
            tell=lambda done: tell("comparing with LightGBM", done),
        )
        scores[baselines.LIGHTGBM] = score(tested.labels, predictions)
    return scores


def _metadata(
    application: Application,
    job: Job,
    past: Dataset,
    learned: Examples,
    judged: Mapping[str, Any],
    now: datetime,
) -> Metadata:
    metrics = judged["hold_out"].named()
    for part, prefix in (("baselines", "baseline"), ("segments", "segment"), ("hours", "hour")):
        for name, found in judged[part].items():
            metrics |= found.named(f"{prefix}.{name}.")
    return Metadata(
        trained_at=now,
        commit=current_commit(Path.cwd()),
        data_source=past.source,
        data_from=datetime.combine(job.train.start, midnight(), UTC),
        data_to=datetime.combine(job.train.end, midnight(), UTC),
        rows=learned.rows,
        metrics=metrics,
        distributions=distributions(application, learned),
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
        parameters={name: str(value) for name, value in asdict(job.parameters).items()},
    )


def _version(job: Job, now: datetime) -> Version:
    """The name of the new model; trainings of the same commit are counted where it is going to lie."""
    home = job.home if job.artefact is None else job.artefact.parent
    known = [
        Artefact.read(path.parent).version
        for path in home.glob(f"*/{DESCRIPTION}")
        if not path.parent.name.startswith(".")
    ]
    return Version.following(
        known, package=edml.__version__, trained_at=now, commit=current_commit(Path.cwd())
    )


def _replace(folder: Path, draft: Path) -> None:
    if folder.exists():
        if any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
            raise DataError(
                "there is something else than an artefact in the folder",
                where=str(folder),
                todo=f"name another folder; the new artefact lies in {draft}",
            )
        shutil.rmtree(folder)
    draft.rename(folder)
