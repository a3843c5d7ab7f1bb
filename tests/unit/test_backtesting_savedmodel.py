"""A real model that was trained, as a SavedModel: what it said in small batches, said in one."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from edml.application import fields_of
from edml.backtesting.comparing import differences
from edml.backtesting.playing import AsOfLive
from edml.backtesting.recording import NARROW
from edml.events import OFFSET, PARTITION, Batch
from edml.models.admission import admit
from edml.models.artefact import Artefact
from edml.serving.predict import Predict
from edml.serving.served import Bound, ServedModel
from tests.parcels import history, parcels

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("flavour", ["savedmodel", "onnx"])
def test_the_size_of_a_batch_changes_no_more_than_the_last_bits(
    artefact: Artefact, flavour: str
) -> None:
    """Recorded in batches of 1 to 60 events, predicted again in one of 500."""
    admitted = admit(parcels, artefact.model(flavour), warm_sizes=())
    model = Bound(admitted.predictor, parcels.outcome.label)
    past = history(Path(), date(2026, 4, 1), date(2026, 5, 1)).frame.head(500)
    events = (
        past.select(*fields_of(parcels.event.schema))
        .with_row_index(OFFSET)
        .with_columns(pl.col(OFFSET).cast(pl.Int64), pl.lit(0, pl.Int32).alias(PARTITION))
    )
    predict, served = Predict(parcels), [ServedModel("champion", artefact.version, model)]
    recorded, place = [], 0
    while place < events.height:
        size = 1 + place % 60
        batch = Batch({parcels.event.topic: events[place : place + size]})
        recorded.append(predict(served, batch, NOW).frames[parcels.predictions_topic])
        place += size
    live = AsOfLive(parcels, pl.concat(recorded).select(NARROW), {artefact.version: model})
    found = differences(live(events, NOW), 1e-5)
    assert found.height == 500
    assert found["differs"].sum() == 0
