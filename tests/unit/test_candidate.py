"""A candidate from what the log has seen, against the champion that was trained before."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree

import numpy as np
import polars as pl
import pytest

from edml.errors import TrainingError
from edml.models.admission import admit
from edml.models.artefact import Artefact
from edml.models.evidence import Training
from edml.models.records import Model
from edml.retraining import candidate
from edml.retraining.assignment import Assignment, Result, Workplace
from edml.retraining.candidate import best
from edml.scoring.records import scored_dtypes
from edml.trainer import tables
from edml.trainer.choosing import Candidate
from edml.trainer.recipes import Recipe
from tests.parcels import parcels
from tests.seen import scored

pytestmark = pytest.mark.timeout(400)  # one of them trains a network

CHANGED = datetime(2026, 4, 1, tzinfo=UTC)
AS_OF = datetime(2026, 4, 25, tzinfo=UTC)
VERSION = "0.1.0-20260425000000-1a2b3c4-2"
ALARM = Training(reason="alarm", as_of=AS_OF, alarm="v1/bias@2026-04-08T00:00:00+00:00")
DAY = timedelta(days=1)
TODAY = AS_OF.date()


def seen(*, later: float, until: date = TODAY) -> pl.DataFrame:
    """What the log has since April: each parcel takes so many hours more than it did."""
    rows = scored(parcels, parcels.history(None, CHANGED.date(), until).frame)
    return rows.with_columns(outcome=pl.col("outcome") + later)


def workplace(
    folder: Path,
    champion: Artefact,
    rows: pl.DataFrame,
    training: Training = ALARM,
    version: str = VERSION,
) -> Workplace:
    """A training's folder as a worker prepares it."""
    place = Workplace(folder)
    place.scored.mkdir(parents=True)
    rows.write_ipc(place.scored / "00000000.arrow")
    copytree(champion.folder, place.champion)
    place.assign(
        Assignment(
            application="tests.parcels:parcels",
            training=training,
            known_to=training.as_of,
            data=None,
            version=version,
            champion=champion.version,
            flavour="savedmodel",
            time_s=300,
            threads=1,
            changed=CHANGED,
        )
    )
    return place


def make(place: Workplace) -> Result:
    """What the training's process does."""
    assignment = place.assignment()
    assert assignment is not None
    return candidate.make(parcels, assignment, place, lambda _what, _done: None)


def test_what_has_changed_is_learnt_and_admitted(artefact: Artefact, tmp_path: Path) -> None:
    """Parcels take a day longer: the candidate knows, and says where it is from."""
    place = workplace(tmp_path, artefact, seen(later=24.0))
    result = make(place)
    assert result.admitted
    assert result.admission["rmse"] < 1 < result.admission["rmse_champion"]
    made = Artefact.read(place.candidate)
    assert made.version == VERSION
    metadata = made.description.metadata
    assert metadata.metrics["rmse"] < 1
    assert metadata.metrics["baseline.champion.rmse"] > 20
    assert metadata.data_to <= AS_OF - parcels.outcome.wait
    assert metadata.data_from >= CHANGED
    told = metadata.parameters
    assert (told["alarm"], told["training"], told["as_of"]) == (
        ALARM.alarm,
        ALARM.id,
        AS_OF.isoformat(),
    )
    assert told["against"] == artefact.version
    assert result.chosen is not None
    assert json.loads(told["recipe"])["recipe"] == result.chosen["recipe"]
    model: Model = made.model("savedmodel")
    assert admit(parcels, model).model == model


def test_a_renewal_corrects_anew_what_the_champion_corrects(
    artefact: Artefact, tmp_path: Path
) -> None:
    """By the champion's own recipe, with all since the change; nothing else is tried."""
    rows = seen(later=24.0, until=date(2026, 5, 15))
    first = workplace(tmp_path / "first", artefact, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidate, "best", lambda _: [Recipe(window=28 * DAY, correction=True)])
        assert make(first).admitted
    champion = Artefact.read(first.candidate)
    renewal = replace(ALARM, reason="follow_up", as_of=AS_OF + 20 * DAY, renews=champion.version)
    place = workplace(tmp_path / "second", champion, rows, renewal, f"{VERSION}0")
    copytree(artefact.folder, place.base)
    result = make(place)
    assert result.admitted
    assert [each["window_days"] for each in result.tried] == [44.0]
    told = Artefact.read(place.candidate).description.metadata.parameters
    assert (told["renews"], told["corrects"]) == (champion.version, artefact.version)
    assert json.loads(told["recipe"])["window_days"] == 44.0


def test_where_the_champion_is_right_nothing_is_admitted(
    artefact: Artefact, tmp_path: Path
) -> None:
    """What only seems better by chance stops here, with its cause."""
    champion = tables.kept(parcels, artefact.folder)
    assert champion is not None
    rows = seen(later=0.0)
    right = tables.answers(champion, rows["features"].struct.unnest())
    noise = np.random.default_rng(1).normal(size=rows.height)
    place = workplace(tmp_path, artefact, rows.with_columns(outcome=right + noise))
    result = make(place)
    assert not result.admitted
    assert "not better than the champion" in result.cause
    assert not place.candidate.exists()


def test_without_rows_there_is_no_candidate(artefact: Artefact, tmp_path: Path) -> None:
    """It is told how many outcomes were known."""
    place = workplace(tmp_path, artefact, pl.DataFrame(schema=scored_dtypes(parcels)))
    with pytest.raises(TrainingError, match="0 outcomes were known at 2026-04-25"):
        make(place)


def test_two_recipes_are_left_to_the_network() -> None:
    """The best correction, and what begins anew if it seems better; none that made no model."""
    week, month = timedelta(days=7), timedelta(days=28)
    no_time = Candidate(recipe=Recipe(), rows=1, cause="no time was left to try it")
    anew = [
        Candidate(recipe=Recipe(window=week), rows=1, rmse=3.0),
        Candidate(recipe=Recipe(window=month), rows=1, rmse=2.0),
        no_time,
    ]
    correction = Candidate(recipe=Recipe(window=week, correction=True), rows=1, rmse=2.5)
    assert best([*anew, correction]) == [anew[1].recipe, correction.recipe]
    assert best([anew[0], correction]) == [correction.recipe]
    assert best(anew) == [anew[1].recipe]
    assert best([no_time]) == []
