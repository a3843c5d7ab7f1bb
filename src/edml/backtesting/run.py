"""One backtest: a recording and models in, errors and differences out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import polars as pl

from edml.application import EVENT_TIME, Application, dtypes_of
from edml.backtesting.answering import Answered, answered
from edml.backtesting.comparing import errors, paired, selected
from edml.backtesting.playing import AGAINST, CANDIDATE, AsOfLive, Playing
from edml.backtesting.recording import NARROW, Moments, Recording
from edml.events import PARTITION
from edml.serving import records as served
from edml.serving.served import Predicts

LIVE: Final = "champion"
"""The role of the models whose recorded predictions were the answer."""

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Up to then, outcomes are known when there are none."""

Load = Callable[[str], Predicts]
"""Gives the model of a version."""


@dataclass(frozen=True)
class Result:
    """What came of a backtest.

    ``first`` and ``last`` are the times of the earliest and the latest event, ``recorded`` the
    predictions on the log (`NARROW`). ``answered`` holds the candidate's predictions (role
    `CANDIDATE`), those of the models beside it (`AGAINST`), and the recorded ones by their roles.

    ``left_out`` counts, by cause, the events of which the candidate has predicted none, and
    ``undecodable``, by topic, the records that are none. ``reached`` is the time up to which
    outcomes are known; None when all are. ``compared`` are, where it was asked for, the champions'
    recorded predictions beside what their models give now.
    """

    events: int
    first: datetime | None
    last: datetime | None
    recorded: pl.DataFrame
    answered: Answered
    left_out: Mapping[str, int]
    undecodable: Mapping[str, int]
    reached: datetime | None
    compared: pl.DataFrame | None

    @property
    def scored(self) -> pl.DataFrame:
        """The predictions with outcomes that count."""
        return self.answered.scored

    def candidate(self) -> pl.DataFrame:
        """The candidate's scored predictions."""
        return selected(self.scored, [CANDIDATE])

    def summary(self) -> pl.DataFrame:
        """One row a role and version, the candidate first: its errors, and the candidate's beside.

        ``shared`` counts the events that both have predicted, ``candidate_rmse`` is the candidate's
        RMSE on these, ``gain`` by how much the candidate's mean squared error is the lesser there.
        """
        order = pl.Enum([CANDIDATE, AGAINST, LIVE, "challenger", "previous"])
        whole = errors(self.scored, served.ROLE, served.VERSION)
        candidate = self.candidate()
        beside = [
            paired(candidate, group).select(
                pl.lit(role).alias(served.ROLE),
                pl.lit(version).alias(served.VERSION),
                pl.col("count").alias("shared"),
                pl.col("rmse").alias("candidate_rmse"),
                "gain",
            )
            for (role, version), group in self.scored.group_by(served.ROLE, served.VERSION)
            if role != CANDIDATE
        ]
        nothing = pl.DataFrame(
            schema={
                served.ROLE: pl.String,
                served.VERSION: pl.String,
                "shared": pl.UInt32,
                "candidate_rmse": pl.Float64,
                "gain": pl.Float64,
            }
        )
        return whole.join(
            pl.concat([nothing, *beside]), on=[served.ROLE, served.VERSION], how="left"
        ).sort(pl.col(served.ROLE).cast(order), served.VERSION)


def run(  # noqa: PLR0913 - a past, a span of it, the models
    application: Application,
    recording: Recording,
    moments: Moments,
    now: datetime,
    *,
    models: Mapping[str, Predicts],
    as_of_live: Load | None = None,
) -> Result:
    """Play a recording: with ``models``, the candidate first, and as it was live.

    ``now`` bounds how far ahead an event's time may be. Either may be left out: no models, or None
    for the loading of those that were live.
    """
    recorded = _narrow(application, recording.predictions, moments)
    playing = Playing(application, models) if models else None
    live = None
    if as_of_live is not None:
        champions = selected(recorded, [LIVE])
        versions = champions[served.VERSION].unique().sort().to_list()
        live = AsOfLive(application, champions, {each: as_of_live(each) for each in versions})
    at = [pl.Series(EVENT_TIME, [], pl.Datetime("us", "UTC"))]
    predicted, compared = [recorded], list[pl.DataFrame]()
    for batch in recording.events:
        events = moments.of(batch, application.event.time)
        if events.is_empty():
            continue
        at.append(events[application.event.time].alias(EVENT_TIME))
        if playing is not None:
            predicted.append(playing(events, now))
        if live is not None:
            compared.append(live(events, now))
    outcomes, reached = _outcomes(application, recording, moments)
    times = pl.concat(at)
    return Result(
        events=len(times),
        first=cast("datetime | None", times.min()),
        last=cast("datetime | None", times.max()),
        recorded=recorded,
        answered=answered(application, pl.concat(predicted), outcomes),
        left_out={} if playing is None else dict(playing.left_out),
        undecodable={topic: count for topic, count in recording.undecodable.items() if count},
        reached=reached,
        compared=pl.concat(compared) if compared else None,
    )


def _narrow(
    application: Application, frames: Iterable[pl.DataFrame], moments: Moments
) -> pl.DataFrame:
    dtypes = served.prediction_dtypes(application)
    nothing = pl.DataFrame(schema={name: dtypes[name] for name in NARROW})
    return pl.concat([nothing, *(moments.of(each, EVENT_TIME).select(NARROW) for each in frames)])


def _outcomes(
    application: Application, recording: Recording, moments: Moments
) -> tuple[pl.DataFrame, datetime | None]:
    """The outcomes that may belong to events of the span, and up to when outcomes are known."""
    stream = application.outcome
    end = None if moments.end is None else moments.end + stream.wait
    span = Moments(moments.start, end)
    latest: dict[int, datetime] = {}
    kept = []
    for frame in recording.outcomes:
        for partition, time in frame.group_by(PARTITION).agg(pl.col(stream.time).max()).iter_rows():
            latest[partition] = max(time, latest.get(partition, time))
        kept.append(span.of(frame, stream.time))
    reached = None if recording.whole else min(latest.values(), default=NEVER)
    nothing = pl.DataFrame(schema=dtypes_of(stream.schema))
    return pl.concat([nothing, *(each.select(nothing.columns) for each in kept)]), reached
