import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import onnx
import polars as pl
import pytest

from edml import features
from edml.application import Application, Category, Cross, Deep, Embedding, Number, Wide, dtypes_of
from edml.errors import DataError, TrainingError, UsageError
from edml.models import event_json, flavours
from edml.models.artefact import Artefact
from edml.models.binding import bind
from edml.trainer import dataset
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.span import Span
from edml.trainer.training import Job, Result, held_out, run
from tests.models_fixture import JANUARY_TO_MARCH, QUICK, TRAINED_AT
from tests.parcels import REGION, SERVICE, parcels

pytestmark = pytest.mark.timeout(400)  # each trains a network

WEIGHT = Category("weight_g", [0, 1000, 3000, 6000])  # no range: it takes a lookup


def train(application: Application, folder: Path, **changes: Any) -> Result:
    """Train quickly."""
    job = Job(
        train=JANUARY_TO_MARCH,
        artefact=folder / "artefact",
        job_dir=folder / "job",
        parameters=QUICK,
        lightgbm=False,
        threads=1,
    )
    return run(application, replace(job, **changes), TRAINED_AT, lambda _what, _done: None)


def of_columns(wide: Sequence[Wide], deep: Sequence[Deep]) -> Application:
    """Parcels, from other columns; ``weight_g`` is an integer here."""

    def with_integers(
        events: nw.LazyFrame[Any], lookups: Mapping[str, nw.LazyFrame[Any]]
    ) -> nw.LazyFrame[Any]:
        found = parcels.features(events, lookups)
        return found.with_columns(nw.col("weight_g", "hour").cast(nw.Int64()))

    return replace(parcels, wide=wide, deep=deep, features=with_integers)


SHAPES = {
    "only wide": of_columns([SERVICE, WEIGHT, Cross(REGION, WEIGHT)], []),
    "only deep": of_columns([], [Embedding(WEIGHT, 3), Number("hour")]),
    "only numbers": of_columns([], [Number("hour")]),
    "everything": of_columns(
        [WEIGHT, Category("hour", range(24)), Cross(SERVICE, WEIGHT), Cross(REGION, SERVICE)],
        [Embedding(REGION, 2), Number("hour"), Number("weight_g")],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_flavours_agree_whatever_the_columns(shape: str, tmp_path: Path) -> None:
    """SavedModel and ONNX give the same, also out of vocabulary and at the edges."""
    application = SHAPES[shape]
    folder = train(application, tmp_path, parameters=replace(QUICK, epochs=1)).artefact.folder
    predictors = [flavours.named(name).load(folder) for name in ("savedmodel", "onnx")]
    rows = 500
    random = np.random.default_rng(7)
    odd = pl.DataFrame(
        {
            "service": random.choice(["express", "standard", "", "teleport"], rows),
            "region": random.choice(["north", "west", "elsewhere", "mars"], rows),
            "hour": random.choice([-(1 << 62), -1, 0, 5, 23, 24, 1 << 62], rows),
            "weight_g": random.choice([-(1 << 62), 0, 999, 1000, 6000, 10**9], rows),
        }
    )
    one, other = (each.predict(bind(each.signature, odd))["hours"] for each in predictors)
    assert one.shape == (rows,)
    assert np.isfinite(one.astype(np.float64)).all()
    assert other == pytest.approx(one, rel=1e-4, abs=1e-4)


def test_categories_are_looked_up_and_not_multiplied(training: Result) -> None:
    """The ONNX graph gathers rows of its tables; no category becomes zeros and a one."""
    model = onnx.load(training.artefact.folder / "model.onnx")
    used = {node.op_type for node in model.graph.node}
    assert "Gather" in used
    assert not used & {"OneHot", "Equal", "Where"}


def test_the_description_tells_all(training: Result) -> None:
    """Where the model comes from and how good it is stands in the artefact."""
    description = Artefact.read(training.artefact.folder).description
    assert description == training.artefact.description
    assert description.application == "parcels"
    metadata = description.metadata
    assert description.version.startswith("0.1.0-20191128143000-")
    assert metadata.trained_at == TRAINED_AT
    assert metadata.data_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert metadata.data_to == datetime(2026, 4, 1, tzinfo=UTC)
    assert metadata.rows == training.rows == 70 * 24
    assert metadata.metrics["rmse"] == training.evaluation.whole.rmse
    assert metadata.metrics["rows"] == 20 * 24
    assert {"baseline.mean.rmse", "baseline.service_region.rmse", "segment.west.mae"} <= set(
        metadata.metrics
    )
    assert sum(metadata.metrics[f"hour.{hour}.rows"] for hour in range(24)) == 20 * 24
    assert {"tensorflow", "onnx"} <= set(metadata.libraries)
    distributions = json.loads(metadata.distributions)
    assert distributions["region"] == {"counts": {"north": 35 * 24, "west": 35 * 24}, "other": 0}
    assert len(distributions["hour"]["quantiles"]) == 21


def test_the_network_beats_the_mean(training: Result) -> None:
    """A few steps are enough to see that heavier parcels take longer."""
    evaluation = training.evaluation
    assert evaluation.whole.rmse < 0.8 * evaluation.baselines["mean"].rmse
    assert training.figures()["baselines"]["mean"] == evaluation.baselines["mean"].rmse


def test_one_week_in_five_is_held_out() -> None:
    """It is of the whole time, and the newest days are learnt from."""
    examples = dataset.read(parcels, None, JANUARY_TO_MARCH).examples
    learned, tested = held_out(parcels, examples)
    days = tested.events["handed_over_at"].dt.date().unique()
    assert days.dt.month().unique().sort().to_list() == [1, 2, 3]
    assert days.len() == 7 + 7 + 6
    assert learned.events["handed_over_at"][-1] == examples.events["handed_over_at"][-1]
    assert learned.rows + tested.rows == examples.rows


def test_of_a_short_past_the_last_tenth_is_held_out() -> None:
    """Ten weeks have no seasons to be known."""
    examples = dataset.read(parcels, None, Span(date(2026, 1, 1), date(2026, 3, 12))).examples
    learned, tested = held_out(parcels, examples)
    assert tested.rows == round(examples.rows / 10)
    assert tested.events["handed_over_at"][0] > learned.events["handed_over_at"][-1]


def test_self_test_rows_hold_odd_events(training: Result) -> None:
    """Among the events that a model is tried on are unknown categories and the extremes."""
    events = event_json.from_json(
        parcels.event.schema, [row.event for row in training.artefact.description.self_test]
    )
    assert events.height >= 8
    assert events.schema == dtypes_of(parcels.event.schema)
    assert "none of service" in events["service"].to_list()
    assert {0.0, 6.0} <= set(events["weight_kg"].to_list())
    assert (
        features.missing(parcels, features.compute(parcels, events)).null_count() == events.height
    )


def test_a_killed_training_goes_on_where_it_was(training: Result, tmp_path: Path) -> None:
    """Resumed after an epoch, it gives the model that it would have given.

    The same rows and the same seed predict the same, bit by bit.
    """

    class Killed(BaseException):
        """The process is gone."""

    def kill(what: str, done: float) -> None:
        if what.startswith("learning") and done > 0:
            raise Killed

    job = Job(
        train=JANUARY_TO_MARCH,
        artefact=tmp_path / "artefact",
        job_dir=tmp_path / "job",
        parameters=QUICK,
        lightgbm=False,
        threads=1,
    )
    with pytest.raises(Killed):
        run(parcels, job, TRAINED_AT, kill)
    assert (tmp_path / "job" / "training.npz").is_file()
    epochs: list[float] = []
    resumed = run(
        parcels,
        job,
        TRAINED_AT,
        lambda what, done: epochs.append(done) if what.startswith("learning") and done else None,
    )
    assert epochs == [0.5, 0.75, 1.0]
    assert resumed.evaluation.whole == training.evaluation.whole
    assert [row.prediction for row in resumed.artefact.description.self_test] == [
        row.prediction for row in training.artefact.description.self_test
    ]
    assert not (tmp_path / "job" / "training.npz").exists()
    assert list((tmp_path / "job" / "logs").rglob("events.out.tfevents.*"))


def test_what_else_lies_in_the_folder_is_not_replaced(tmp_path: Path) -> None:
    """Only an artefact gives way to a new one; that is found out before anything is trained."""
    (tmp_path / "artefact").mkdir()
    (tmp_path / "artefact" / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="something else than an artefact"):
        train(parcels, tmp_path)
    assert (tmp_path / "artefact" / "thesis.tex").read_text() == "years of work"


def test_too_few_rows_are_told(tmp_path: Path) -> None:
    """One hour of parcels is no history."""
    one = replace(
        parcels,
        history=lambda data, start, end: replace(
            parcels.history(data, start, end), frame=parcels.history(data, start, end).frame.head(1)
        ),
    )
    with pytest.raises(TrainingError, match="too few"):
        train(one, tmp_path)


def test_a_loss_that_is_not_a_number_is_told(tmp_path: Path) -> None:
    """A learning rate far too high ends in a message that says so, not in a model."""
    with pytest.raises(TrainingError, match="loss is not a number") as refused:
        train(parcels, tmp_path, parameters=replace(QUICK, learning_rate=1e30))
    assert "--learning-rate" in str(refused.value)
    assert not (tmp_path / "artefact").exists()


def test_unknown_flavours_are_told() -> None:
    """What cannot be exported is found out at once."""
    with pytest.raises(UsageError, match="pickle"):
        Job(train=JANUARY_TO_MARCH, flavours=["onnx", "pickle"])


def test_an_end_before_the_start_is_told() -> None:
    """A span holds a day at least."""
    with pytest.raises(UsageError, match="nothing lies"):
        Span(JANUARY_TO_MARCH.end, JANUARY_TO_MARCH.start)


def test_parameters_say_how_often_rows_are_seen() -> None:
    """By a number of epochs, of examples, or by default."""
    assert Hyperparameters(epochs=3).passes(10) == 3
    assert Hyperparameters(examples=25).passes(10) == 3
    assert Hyperparameters().passes(4_000_000) == 1


def test_categories_and_numbers_are_described() -> None:
    """Values out of vocabulary are counted apart."""
    from edml.trainer.distributions import distributions

    examples = dataset.read(parcels, None, JANUARY_TO_MARCH).examples
    strange = replace(examples, features=examples.features.with_columns(region=pl.lit("mars")))
    found = json.loads(distributions(parcels, strange))
    assert found["region"] == {"counts": {}, "other": examples.rows}
    assert found["weight_g"]["quantiles"][0] == 0
    assert found["weight_g"]["quantiles"][-1] == 6000


def test_rows_count_as_much_as_their_weights(tmp_path: Path) -> None:
    """Of rows that contradict each other, the network believes those that count for more."""
    from edml.trainer import model, tables

    examples = dataset.read(parcels, None, JANUARY_TO_MARCH).examples
    odd = np.random.default_rng(5).random(examples.rows) < 0.5  # nothing else tells them apart
    contradicting = replace(examples, labels=np.where(odd, 40.0, 10.0))
    weighted = contradicting.weighted(np.where(odd, 1.0, 1e-3))
    network = model.train_and_evaluate(
        parcels, weighted.spread(9), QUICK, tmp_path, lambda _done, _rmse: None
    )
    assert tables.answers(network, examples.features) == pytest.approx(40.0, abs=1)


def test_it_ends_when_it_is_enough(tmp_path: Path) -> None:
    """After the epoch in which its time is over; the best network so far is given back."""
    from edml.trainer import model

    examples = dataset.read(parcels, None, JANUARY_TO_MARCH).examples
    told: list[float] = []
    model.train_and_evaluate(
        parcels,
        examples.spread(9),
        QUICK,
        tmp_path,
        lambda done, _rmse: told.append(done),
        enough=lambda: len(told) == 2,
    )
    assert told == [0.25, 0.5]
