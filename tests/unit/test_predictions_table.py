from datetime import timedelta

import polars as pl

from edml.monitoring import inputs
from edml.monitoring.inputs import tally
from edml.monitoring.predictions_table import REMEMBERED, PredictionsTable
from tests.parcel_predictions import BINS, DAY, MIDNIGHT, predictions
from tests.parcels import parcels

END = MIDNIGHT + 70 * DAY


def taken(frame: pl.DataFrame, *, parts: int = 7) -> PredictionsTable:
    """A table that took predictions from two partitions, a few days at a time."""
    table = PredictionsTable(parcels, partitions=2)
    for number in range(parts):
        part = frame.gather_every(parts, number)
        table.take(part.gather_every(2, 0), 0, {"v1": BINS})
        table.take(part.gather_every(2, 1), 1, {"v1": BINS})
    return table


def test_inputs_that_change_are_noticed() -> None:
    """However the stream was cut, the alarms are those of all predictions at once."""
    frame = predictions(70, change=60)
    table = taken(frame)
    table.ended(0)
    table.ended(1)
    alarms = table.alarms("v1", BINS, END)
    whole = tally(frame, {"v1": BINS}, parcels)
    assert alarms == inputs.alarms(whole, {"v1": BINS}, parcels.policy)
    assert alarms


def test_only_whole_blocks_count() -> None:
    """A block is whole when every partition is past it, or silent where the scores are past it."""
    table = PredictionsTable(parcels, partitions=2)
    assert table.complete_until(END) is None
    table.take(predictions(2), 0, {"v1": BINS})
    assert table.complete_until(END) is None
    table.ended(1)
    latest = predictions(2)["event_time"].max()
    assert latest is not None
    assert table.complete_until(END) == latest - parcels.lateness  # type: ignore[operator]
    table.ended(0)
    assert table.complete_until(END) == END
    table.take(predictions(2), 1, {"v1": BINS})
    assert table.complete_until(END) == latest - parcels.lateness  # type: ignore[operator]


def test_what_is_long_past_is_forgotten() -> None:
    """The number of blocks is bounded, for years of predictions."""
    table = taken(predictions(2 * REMEMBERED, per_day=20))
    table.ended(0)
    table.ended(1)
    late = MIDNIGHT + timedelta(days=2 * REMEMBERED)
    assert table.alarms("v1", BINS, late) == []
    assert table.blocks <= REMEMBERED
