from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from edml.application import Policy
from edml.apps.taxi import taxi
from edml.monitoring.blocks import counted, paired
from edml.monitoring.scores_table import ScoresTable
from tests.score_records import DAY, START, frame, progress, score

KEPT = replace(taxi, policy=Policy(trial=(DAY, 400 * DAY)))
"""All windows are kept one by one."""

ADDED_UP = replace(taxi, policy=Policy(trial=(DAY, 2 * DAY)))
"""Windows of more than two days ago are added up by the hour."""

SOURCES = 2


def log_of(days: int, random: Random) -> list[list[dict[str, Any]]]:
    """What each of two Kafka partitions of the topic holds: some days of two versions.

    Each source tells of each window twice; keys are spread over the partitions at random.
    """
    found: list[list[dict[str, Any]]] = [[], []]
    for step in range(days * 4):
        at = START + step * DAY / 4
        for source in range(SOURCES):
            for version in ("v1", "v2"):
                first = score(taxi, version, at, partition=source, watermark=at, count=1)
                count = random.randint(1, 9)
                later = {
                    **score(taxi, version, at, partition=source, watermark=at, count=count),
                    "watermark": at + timedelta(hours=4),
                }
                found[random.randint(0, 1)] += [first, later]
            for rows in found:
                rows.append(progress(taxi, at + timedelta(hours=4), partition=source))
    return found


def read(
    table: ScoresTable, log: Sequence[Sequence[dict[str, Any]]], steps: Sequence[tuple[int, int]]
) -> None:
    """Read so many records of a partition at a time, and look in between; then read the rest."""
    places = [0, 0]
    for partition, number in [*steps, (0, 10**6), (1, 10**6)]:
        rows = log[partition][places[partition] : places[partition] + number]
        places[partition] += len(rows)
        table.take(frame(rows), partition)
        if places[partition] == len(log[partition]):
            table.ended(partition)
        table.windows()


@given(
    days=st.integers(1, 14),
    seed=st.integers(0, 2**32),
    steps=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 60)), max_size=20),
)
@settings(max_examples=30)
def test_it_does_not_matter_how_the_topic_is_read(
    days: int, seed: int, steps: list[tuple[int, int]]
) -> None:
    """Whatever partition comes first, and whatever is folded on the way, the sums are the same."""
    log = log_of(days, Random(seed))  # noqa: S311  no secret hangs on it
    every = counted(frame([*log[0], *log[1]]), taxi, SOURCES)
    kept = ScoresTable(KEPT, partitions=SOURCES, kafka_partitions=2)
    read(kept, log, steps)
    assert kept.caught_up
    assert_frame_equal(every, kept.windows(), check_row_order=False)
    added_up = ScoresTable(ADDED_UP, partitions=SOURCES, kafka_partitions=2)
    read(added_up, log, steps)
    assert_frame_equal(hours(every), hours(added_up.windows()))
    assert added_up.windows().height <= every.height
    assert_frame_equal(
        paired(every, "v1", "v1", taxi), paired(added_up.windows(), "v1", "v1", taxi)
    )
    answers = added_up.answers()
    assert answers["count"].sum() == answers["answered"].sum() == every["count"].sum()


def hours(windows: pl.DataFrame) -> pl.DataFrame:
    """The sums by version and hour."""
    return (
        windows.group_by("version", pl.col("window_start").dt.truncate("1h"))
        .agg(pl.col("count", "sum_clipped_error", "sum_clipped_squared", "sum_prediction").sum())
        .sort("version", "window_start")
    )
