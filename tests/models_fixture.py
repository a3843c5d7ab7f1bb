"""A trained model for tests: parcels, whose history is made by hand, in every flavour."""

from datetime import UTC, date, datetime

import pytest

from edml.models.artefact import Artefact
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.span import Span
from edml.trainer.training import Job, Result, run
from tests.parcels import parcels

TRAINED_AT = datetime(2019, 11, 28, 14, 30, tzinfo=UTC)
JANUARY_TO_MARCH = Span(date(2026, 1, 1), date(2026, 4, 1))
QUICK = Hyperparameters(
    epochs=4, batch_size=64, members=2, hidden=(8, 4), intervals=4, learning_rate=2e-2
)


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A training on 2,160 parcels, done once for all tests."""
    folder = tmp_path_factory.mktemp("training")
    job = Job(
        train=JANUARY_TO_MARCH,
        artefact=folder / "artefact",
        job_dir=folder / "job",
        parameters=QUICK,
        lightgbm=False,
        threads=1,
    )
    return run(parcels, job, TRAINED_AT, lambda _what, _done: None)


@pytest.fixture(scope="session")
def artefact(training: Result) -> Artefact:
    """Its artefact: a SavedModel and an ONNX of the same network."""
    return training.artefact
