from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from edml.monitoring.baseline import Baseline
from edml.monitoring.blocks import blocks, counted, from_errors, paired
from edml.scoring.records import PROGRESS, Score
from tests.parcels import MORNING, parcels

DAY = timedelta(days=1)
MIDNIGHT = MORNING.replace(hour=0)
LATER = MIDNIGHT + 30 * DAY

BASELINE = Baseline.of({"rmse": 2.0, "bias": 0.5}, parcels)


def scored(start: datetime, count: int = 10, watermark: datetime = LATER, **changes: Any) -> Score:
    """A window of ten errors of 1 hour, unless told otherwise."""
    score = Score(
        application="parcels",
        version="v1",
        role="champion",
        segment="west",
        window_start=start,
        source_partition=0,
        predictions=count,
        count=count,
        invalid=0,
        late=0,
        duplicates=0,
        outcomes=0,
        matched=0,
        sum_error=float(count),
        sum_absolute_error=float(count),
        sum_squared_error=float(count),
        sum_outcome=4.0 * count,
        sum_squared_outcome=16.0 * count,
        complete_at=start + parcels.window + parcels.outcome.wait,
        watermark=watermark,
        complete=True,
        sum_clipped_error=float(count),
        sum_clipped_squared=float(count),
    )
    return replace(score, **changes)


def read(*scores: Score, partitions: int = 1) -> pl.DataFrame:
    """The windows of whole blocks in the order in which the log has them."""
    instant = pl.Datetime("us", "UTC")
    types: dict[str, pl.DataType] = {
        "window_start": instant,
        "complete_at": instant,
        "watermark": instant,
        "source_partition": pl.Int32(),
    }
    return counted(
        pl.DataFrame([asdict(each) for each in scores], schema_overrides=types),
        parcels,
        partitions,
    )


def test_a_block_is_told_when_all_its_outcomes_are_in() -> None:
    """Its last window ends at midnight, and parcels may take three days after that."""
    early = scored(MIDNIGHT, watermark=MIDNIGHT + 4 * DAY - timedelta(seconds=1))
    assert read(early).is_empty()
    assert read(replace(early, watermark=MIDNIGHT + 4 * DAY)).height == 1


def test_a_partition_that_tells_nothing_holds_blocks_back() -> None:
    """It may still hold anything; that it has come this far is enough."""
    score = scored(MIDNIGHT)
    progress = replace(
        score, version="", segment="", role="", window_start=PROGRESS, source_partition=1, count=0
    )
    assert read(score, partitions=2).is_empty()
    assert read(score, progress, partitions=2)["count"].to_list() == [10]


def test_later_records_replace_earlier_ones_and_roles_are_added_up() -> None:
    """Sums are cumulative; a version may have been challenger and champion in one window."""
    shadow = scored(MIDNIGHT, 5, role="challenger")
    found = read(scored(MIDNIGHT, 3), shadow, scored(MIDNIGHT, 4))
    assert found.rows(named=True) == [
        {
            "version": "v1",
            "segment": "west",
            "window_start": MIDNIGHT,
            "source_partition": 0,
            "count": 9,
            "sum_clipped_error": 9.0,
            "sum_clipped_squared": 9.0,
            "sum_prediction": 45.0,
        }
    ]


def test_blocks_add_up_windows_with_what_was_expected_of_them() -> None:
    """Of each segment, and of all of them; a version without a baseline is left out."""
    windows = read(
        scored(MIDNIGHT),
        scored(MORNING, segment="north"),
        scored(MIDNIGHT + DAY, 7),
        scored(MORNING, version="v2"),
    )
    found = blocks(windows, {"v1": BASELINE}, parcels)
    assert found.select(
        "segment", "start", "count", "expected_error", "expected_squared"
    ).rows() == [
        ("", MIDNIGHT, 20, 10.0, 80.0),
        ("north", MIDNIGHT, 10, 5.0, 40.0),
        ("west", MIDNIGHT, 10, 5.0, 40.0),
        ("", MIDNIGHT + DAY, 7, 3.5, 28.0),
        ("west", MIDNIGHT + DAY, 7, 3.5, 28.0),
    ]
    assert blocks(windows, {}, parcels).is_empty()
    assert blocks(windows.clear(), {"v1": BASELINE}, parcels).is_empty()


def test_pairs_are_of_the_same_events() -> None:
    """Only where both have the same count in a window, segment and partition."""
    windows = read(
        scored(MIDNIGHT),
        scored(MIDNIGHT, version="v2", sum_clipped_squared=40.0, sum_clipped_error=20.0),
        scored(MORNING, 8),
        scored(MORNING, 9, version="v2"),
        scored(MORNING, segment="north"),
        scored(MIDNIGHT + DAY, version="v2"),
    )
    assert paired(windows, "v2", "v1", parcels).rows(named=True) == [
        {
            "start": MIDNIGHT,
            "count": 10,
            "tried_squared": 40.0,
            "against_squared": 10.0,
            "tried_error": 20.0,
            "against_error": 10.0,
            "tried_prediction": 50.0,
            "against_prediction": 50.0,
        }
    ]


def test_single_errors_make_the_same_windows() -> None:
    """Errors are cut where the policy says; what is not a number does not count."""
    errors = pl.DataFrame(
        {
            "event_time": [MORNING, MORNING + timedelta(minutes=9), MORNING, MORNING],
            "segment": ["west", "west", "west", "north"],
            "error": [1.0, -20.0, float("nan"), 2.0],
            "prediction": [3.0, 4.0, 5.0, 6.0],
        },
        schema_overrides={"event_time": pl.Datetime("us", "UTC")},
    )
    found = from_errors(errors, parcels, "v1")
    sums = ("count", "sum_clipped_error", "sum_clipped_squared", "sum_prediction")
    assert found.select("segment", *sums).rows() == [
        ("north", 1, 2.0, 4.0, 6.0),
        ("west", 2, -8.0, 82.0, 7.0),
    ]
    counts = read(scored(MORNING))
    assert found.schema == counts.schema
    assert found["window_start"].to_list() == [MORNING] * 2
