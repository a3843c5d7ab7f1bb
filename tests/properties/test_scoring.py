"""Scoring against a recomputation in plain Python: any order, any batches, any crash."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edml.application import (
    EVENT_TIME,
    OUTCOME_TIME,
    Application,
    EventStream,
    Number,
    OutcomeStream,
    Past,
)
from edml.component import Step
from edml.events import OFFSET, PARTITION, TIMESTAMP, Batch, TopicPartition
from edml.scoring.component import Scores, Scoring
from edml.scoring.records import PROGRESS, SCORE_KEY
from edml.scoring.sums import COUNTED, SUMMED

MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
WAIT, LATENESS, WINDOW = 30, 10, 10
REACH = WAIT + LATENESS
VALID = (2.0, 25.0)
PARTITIONS = 2


@dataclass(frozen=True)
class Asked:
    """An event that asks for a prediction."""

    uuid: str
    at: datetime


@dataclass(frozen=True)
class Answered:
    """What became of it."""

    uuid: str
    answered_at: datetime


def no_history(data: Path | None, start: date, end: date) -> Past:
    """There is none."""
    return Past(pl.DataFrame(), {}, f"{data} from {start} to {end}")


def features(events: nw.LazyFrame[Any], _: Mapping[str, nw.LazyFrame[Any]]) -> nw.LazyFrame[Any]:
    """One number and one segment, the same for all."""
    return events.with_columns(nw.lit(0.5).alias("x"), nw.lit("x").alias("kind"))


APPLICATION = Application(
    name="questions",
    event=EventStream(topic="questions.asked", schema=Asked, time="at"),
    outcome=OutcomeStream(
        topic="questions.answered",
        schema=Answered,
        time="answered_at",
        label="minutes",
        value=(nw.col(OUTCOME_TIME) - nw.col(EVENT_TIME)).dt.total_microseconds() / 60e6,
        unit="minutes",
        valid=VALID,
        wait=WAIT * MINUTE,
    ),
    features=features,
    wide=[],
    deep=[Number("x")],
    history=no_history,
    segment="kind",
    window=WINDOW * MINUTE,
    lateness=LATENESS * MINUTE,
)
PREDICTIONS, OUTCOMES = APPLICATION.predictions_topic, APPLICATION.outcome.topic


@dataclass(frozen=True)
class Prediction:
    """One record of the predictions topic; times are minutes since the start."""

    uuid: str
    role: str
    source: int
    at: int
    value: float
    segment: str


@dataclass(frozen=True)
class Outcome:
    """One record of the outcomes topic."""

    uuid: str
    at: int


@dataclass(frozen=True)
class Logs:
    """The two topics, by partition."""

    predictions: tuple[tuple[Prediction, ...], ...]
    outcomes: tuple[tuple[Outcome, ...], ...]

    def ends(self) -> dict[TopicPartition, int]:
        """How many records there are."""
        return {
            TopicPartition(topic, p): len(log)
            for topic, logs in ((PREDICTIONS, self.predictions), (OUTCOMES, self.outcomes))
            for p, log in enumerate(logs)
        }

    def batch(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> Batch:
        """The records of these offsets."""
        rows: dict[str, list[dict[str, object]]] = defaultdict(list)
        for (topic, partition), (start, end) in spans.items():
            for offset in range(start, end):
                at = {PARTITION: partition, OFFSET: offset, TIMESTAMP: START + 500 * MINUTE}
                if topic == PREDICTIONS:
                    rows[topic].append(at | self._prediction(partition, offset))
                else:
                    outcome = self.outcomes[partition][offset]
                    answered = {"uuid": outcome.uuid, "answered_at": START + outcome.at * MINUTE}
                    rows[topic].append(at | answered)
        return Batch(
            {topic: pl.DataFrame(each, schema=_SCHEMAS[topic]) for topic, each in rows.items()},
            {each: end for each, (_, end) in spans.items()},
        )

    def _prediction(self, partition: int, offset: int) -> dict[str, object]:
        record = self.predictions[partition][offset]
        return {
            "uuid": record.uuid,
            "prediction": record.value,
            "version": f"version of {record.role}",
            "role": record.role,
            "event_time": START + record.at * MINUTE,
            "segment": record.segment,
            "event_partition": partition,
            "event_offset": record.source,
            "features": {"x": 0.5},
        }


_INSTANT = pl.Datetime("us", "UTC")
_PLACE = {PARTITION: pl.Int32, OFFSET: pl.Int64, TIMESTAMP: _INSTANT}
_SCHEMAS: dict[str, dict[str, Any]] = {
    PREDICTIONS: {
        **_PLACE,
        "uuid": pl.String,
        "prediction": pl.Float64,
        "version": pl.String,
        "role": pl.String,
        "event_time": _INSTANT,
        "segment": pl.String,
        "event_partition": pl.Int32,
        "event_offset": pl.Int64,
        "features": pl.Struct({"x": pl.Float64}),
    },
    OUTCOMES: {**_PLACE, "uuid": pl.String, "answered_at": _INSTANT},
}


# The recomputation: definitions, word by word, over whole logs.


def usable(log: tuple[Any, ...]) -> Iterator[Any]:
    """The records that are not too late, in order."""
    watermark = -math.inf
    for record in log:
        if record.at >= watermark - LATENESS:
            yield record
        watermark = max(watermark, record.at)


def first_outcomes(log: tuple[Outcome, ...]) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes that count, and those that repeat another."""
    earlier: list[Outcome] = []
    firsts: list[Outcome] = []
    repeats: list[Outcome] = []
    for each in usable(log):
        again = any(o.uuid == each.uuid and abs(o.at - each.at) <= REACH for o in earlier)
        (repeats if again else firsts).append(each)
        earlier.append(each)
    return firsts, repeats


def first_predictions(
    log: tuple[Prediction, ...],
) -> tuple[list[Prediction], list[Prediction], set[Prediction]]:
    """The predictions that count, those that repeat another, and the first one of each event."""
    earlier: list[Prediction] = []
    firsts, repeats, opening = [], [], set()
    for each in usable(log):
        near = [p for p in earlier if p.uuid == each.uuid and abs(p.at - each.at) <= REACH]
        if any(
            p.source < each.source or (p.source, p.role) == (each.source, each.role) for p in near
        ):
            repeats.append(each)
        else:
            firsts.append(each)
            if all(p.source != each.source for p in near):
                opening.add(each)
        earlier.append(each)
    return firsts, repeats, opening


@dataclass
class Expected:
    """What the logs come to."""

    scored: Counter[tuple[str, str, int, int]] = field(default_factory=Counter)
    sums: dict[tuple[str, str, str, int, int], defaultdict[str, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )


def recompute(logs: Logs) -> Expected:
    """Every record beside every other."""
    expected = Expected()
    for p in range(PARTITIONS):
        firsts, repeats, opening = first_predictions(logs.predictions[p])
        outcomes, again = first_outcomes(logs.outcomes[p])
        for o in outcomes:
            expected.sums[_unnamed(o, p)]["outcomes"] += 1
        for o in again:
            expected.sums[_unnamed(o, p)]["duplicates"] += 1
        for e in repeats:
            expected.sums[_kind(e, p)]["duplicates"] += 1
        for e in firsts:
            expected.sums[_kind(e, p)]["predictions"] += 1
            for o in outcomes:
                if o.uuid == e.uuid and 0 <= o.at - e.at <= REACH:
                    expected.sums[_unnamed(o, p)]["matched"] += e in opening
                    _judge(expected, e, o, p)
    return expected


def _judge(expected: Expected, e: Prediction, o: Outcome, partition: int) -> None:
    sums, minutes = expected.sums[_kind(e, partition)], o.at - e.at
    if minutes > WAIT:
        sums["late"] += 1
    elif not VALID[0] <= minutes <= VALID[1]:
        sums["invalid"] += 1
    else:
        expected.scored[e.uuid, e.role, e.at, o.at] += 1
        error = e.value - minutes
        sums["count"] += 1
        sums["sum_error"] += error
        sums["sum_absolute_error"] += abs(error)
        sums["sum_squared_error"] += error**2
        clipped = min(max(error, -APPLICATION.clip), APPLICATION.clip)
        sums["sum_clipped_error"] += clipped
        sums["sum_clipped_squared"] += clipped**2
        sums["sum_outcome"] += minutes
        sums["sum_squared_outcome"] += minutes**2


def _unnamed(o: Outcome, partition: int) -> tuple[str, str, str, int, int]:
    return "", "", "", o.at // WINDOW * WINDOW, partition


def _kind(e: Prediction, partition: int) -> tuple[str, str, str, int, int]:
    return f"version of {e.role}", e.role, e.segment, e.at // WINDOW * WINDOW, partition


# The shell, in short: what it commits, it keeps; after a crash, it rebuilds.


@dataclass
class Shell:
    """Reads logs as it is told, and remembers what was written."""

    logs: Logs
    component: Scoring
    now: datetime = START
    state: Scores = field(init=False)
    positions: dict[TopicPartition, int] = field(init=False)
    rewind: dict[TopicPartition, int] = field(default_factory=dict)
    note: dict[int, Mapping[str, int]] = field(default_factory=dict)
    scored: Counter[tuple[str, str, int, int]] = field(default_factory=Counter)
    scores: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    rejected: int = 0

    def __post_init__(self) -> None:
        self.state = self.component.initial()
        self.positions = dict.fromkeys(self.logs.ends(), 0)

    def read(self, wanted: Mapping[TopicPartition, int], *, commit: bool = True) -> None:
        """Read so many more records of each partition; without a commit, forget them."""
        spans = {
            each: (self.positions[each], min(self.positions[each] + n, self.logs.ends()[each]))
            for each, n in wanted.items()
            if n and self.positions[each] < self.logs.ends()[each]
        }
        batch = replace(self.logs.batch(spans), caught_up=self._caught_up(spans))
        step = self.component.step(self.state, batch, self.now)
        if commit:
            self._commit(step, batch)

    def _caught_up(
        self, spans: Mapping[TopicPartition, tuple[int, int]]
    ) -> frozenset[TopicPartition]:
        at = self.positions | {each: end for each, (_, end) in spans.items()}
        return frozenset(each for each, end in self.logs.ends().items() if at[each] == end)

    def _commit(self, step: Step[Scores], batch: Batch) -> None:
        if not batch.positions and step.outputs.empty:
            return
        self.state = self.component.settle(step.state)
        self.positions |= batch.positions
        self.rewind = {
            each: min(step.rewind.get(each, offset), offset)
            for each, offset in self.positions.items()
        }
        self.note = dict(step.note)
        self.rejected += sum(each.frame.height for each in step.outputs.rejected)
        for row in _rows(step, APPLICATION.scored_topic):
            at, answered = (_minutes(row[name]) for name in ("event_time", "outcome_time"))
            self.scored[row["uuid"], row["role"], at, answered] += 1
        for row in _rows(step, APPLICATION.scores_topic):
            self.scores[tuple(row[name] for name in SCORE_KEY)] = row

    def crash(self, size: int) -> None:
        """Lose the state, and rebuild it from what is committed, ``size`` records at a time."""
        self._rebuild(self.component.initial(), list(self.positions), size)

    def rebalance(self, lost: int) -> None:
        """Lose one partition to another instance, and get it back."""
        kept = frozenset(each.partition for each in self.positions if each.partition != lost)
        again = [each for each in self.positions if each.partition == lost]
        self._rebuild(self.component.keep(self.state, kept), again, 3)

    def _rebuild(self, state: Scores, places: list[TopicPartition], size: int) -> None:
        for each in places:
            state = self.component.restore(state, each.partition, self.note.get(each.partition, {}))
        for each in places:
            end = self.positions[each]
            for start in range(self.rewind.get(each, end), end, size):
                batch = self.logs.batch({each: (start, min(start + size, end))})
                state = self.component.settle(self.component.step(state, batch, self.now).state)
        self.state = state


def _rows(step: Step[Scores], topic: str) -> list[dict[str, Any]]:
    frame = step.outputs.frames.get(topic)
    return [] if frame is None else frame.to_dicts()


def _minutes(at: datetime) -> int:
    return (at - START) // MINUTE


class SmallChunks(Scoring):
    """Scoring that begins another chunk of records after a few."""

    def __init__(self, fewest: int) -> None:
        super().__init__(APPLICATION)
        self._fewest = fewest

    def initial(self) -> Scores:
        """Nothing seen."""
        state = super().initial()
        return replace(state, rows=replace(state.rows, fewest=self._fewest))


# Logs and runs that are made up.

UUIDS = st.sampled_from("abcdef")
JUMPS = st.one_of(st.integers(-2, 4), st.integers(-15, 12), st.sampled_from([60, 120]))


@st.composite
def prediction_logs(draw: st.DrawFn) -> tuple[Prediction, ...]:
    """Predictions of one to three models, in the order of their events; some are written twice."""
    at, log = 0, list[Prediction]()
    for source, (uuid, jump) in enumerate(draw(st.lists(st.tuples(UUIDS, JUMPS), max_size=14))):
        at = max(0, at + jump)
        segment = draw(st.sampled_from("xy"))
        for role in draw(
            st.sampled_from(
                [["champion"], ["champion", "challenger"], ["champion", "champion", "previous"]]
            )
        ):
            log.append(Prediction(uuid, role, source, at, draw(st.floats(0, 30)), segment))
    return tuple(log)


@st.composite
def outcome_logs(draw: st.DrawFn) -> tuple[Outcome, ...]:
    """Outcomes, some out of order, some twice."""
    at, log = 0, list[Outcome]()
    for uuid, jump in draw(st.lists(st.tuples(UUIDS, JUMPS), max_size=16)):
        at = max(0, at + jump)
        log.append(Outcome(uuid, at))
    return tuple(log)


LOGS = st.builds(
    Logs,
    st.tuples(*[prediction_logs()] * PARTITIONS),
    st.tuples(*[outcome_logs()] * PARTITIONS),
)
PLACES = [TopicPartition(topic, p) for topic in (PREDICTIONS, OUTCOMES) for p in range(PARTITIONS)]
READS = st.tuples(
    st.just("read"), st.fixed_dictionaries({each: st.integers(0, 5) for each in PLACES})
)
ABORTS = st.tuples(
    st.just("abort"), st.fixed_dictionaries({each: st.integers(0, 5) for each in PLACES})
)
REBALANCES = st.tuples(st.just("rebalance"), st.integers(0, PARTITIONS - 1))
CRASHES = st.tuples(st.just("crash"), st.integers(1, 6))
PAUSES = st.tuples(st.just("pause"), st.integers(-70, 70))
RUNS = st.lists(st.one_of(READS, READS, ABORTS, CRASHES, REBALANCES, PAUSES), max_size=25)


@st.composite
def crowded_prediction_logs(draw: st.DrawFn) -> tuple[Prediction, ...]:
    """Many predictions of few keys; one model's of some events come before the other's of them."""
    at, source, log = 0, 0, list[Prediction]()
    for size, jump in draw(st.lists(st.tuples(st.integers(1, 16), LEAPS), max_size=6)):
        at = max(0, at + jump)
        steps = draw(st.lists(STEPS, min_size=size, max_size=size))
        events = [
            (uuid, source + number, max(0, at + step)) for number, (uuid, step) in enumerate(steps)
        ]
        source += size
        log += [
            Prediction(uuid, role, number, time, 1.0 + number, "x")
            for role in draw(st.sampled_from(["a", "ab", "aa"]))
            for uuid, number, time in events
        ]
    return tuple(log)


@st.composite
def crowded_outcome_logs(draw: st.DrawFn) -> tuple[Outcome, ...]:
    """Many outcomes of few keys."""
    at, log = 0, list[Outcome]()
    for size, jump in draw(st.lists(st.tuples(st.integers(1, 30), LEAPS), max_size=6)):
        at = max(0, at + jump)
        steps = draw(st.lists(STEPS, min_size=size, max_size=size))
        log += [Outcome(uuid, max(0, at + step)) for uuid, step in steps]
    return tuple(log)


LEAPS = st.one_of(st.integers(-12, 12), st.integers(25, 60))
STEPS = st.tuples(st.sampled_from("aaab"), st.integers(0, 12))
CROWDED_LOGS = st.builds(
    Logs,
    st.tuples(st.just(()), crowded_prediction_logs()),
    st.tuples(st.just(()), crowded_outcome_logs()),
)
SIZES = st.one_of(st.integers(0, 3), st.integers(0, 40))
CROWDED_RUNS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["read", "read", "abort"]), st.tuples(SIZES, SIZES)),
        st.tuples(st.just("crash"), st.integers(1, 40)),
        REBALANCES,
    ),
    max_size=20,
)


def run(logs: Logs, moves: list[tuple[str, Any]], fewest: int = 3) -> Shell:
    """Do as told, then read to the end and let the clock tick once more."""
    shell = Shell(logs, SmallChunks(fewest))
    for move, how in moves:
        match move:
            case "read":
                shell.read(how)
            case "abort":
                shell.read(how, commit=False)
            case "crash":
                shell.crash(how)
            case "rebalance":
                shell.rebalance(how)
            case _:
                shell.now += timedelta(seconds=how)
                shell.read({})
    shell.read(dict.fromkeys(PLACES, 1000))
    shell.now += timedelta(seconds=2)
    shell.read({})
    return shell


def assert_same(expected: Expected, shell: Shell) -> None:
    """What was written is what the logs come to."""
    assert expected.scored == shell.scored
    told = {
        (
            row["version"],
            row["role"],
            row["segment"],
            _minutes(row["window_start"]),
            row["source_partition"],
        ): row
        for row in shell.scores.values()
        if row["window_start"] != PROGRESS
    }
    assert set(expected.sums) == set(told)
    for key, sums in expected.sums.items():
        for name in COUNTED:
            assert (key, name, sums[name]) == (key, name, told[key][name])
        for name in SUMMED:
            assert math.isclose(sums[name], told[key][name], rel_tol=1e-9, abs_tol=1e-9)


def alone(*predictions: Prediction, outcomes: tuple[Outcome, ...]) -> Logs:
    """Logs of which the first partition is empty."""
    return Logs(((), predictions), ((), outcomes))


def second(predictions: int, outcomes: int) -> tuple[str, Any]:
    """A read of the second partition alone."""
    return "read", dict(zip(PLACES, (0, predictions, 0, outcomes), strict=True))


CLOSED_WHEN_IDLE = alone(
    Prediction("a", "champion", 0, 2, 1.0, "x"),
    Prediction("a", "champion", 1, 62, 1.0, "x"),
    outcomes=tuple(Outcome("a", at) for at in (9, 11, 11, 71, 75)),
)


FULL_WHEN_ABORTED = alone(
    *(Prediction("a", "champion", source, 0, 1.0, "x") for source in range(3)),
    Prediction("a", "champion", 3, 120, 1.0, "x"),
    outcomes=(Outcome("a", 120),),
)
"""The last chunk is full when an aborted step has added to it."""


@settings(max_examples=60, deadline=None)
@given(LOGS, RUNS)
@example(CLOSED_WHEN_IDLE, [second(2, 5), ("crash", 1), ("pause", 5), ("crash", 1)])
@example(CLOSED_WHEN_IDLE, [("pause", 0), second(1, 4), second(1, 1), ("crash", 1)])
@example(FULL_WHEN_ABORTED, [second(3, 0), ("abort", second(0, 1)[1])])
def test_any_order_any_batches_any_crash(logs: Logs, moves: list[tuple[str, Any]]) -> None:
    """Order, batches, aborts, crashes, rebalances and ticks change neither scored nor sums."""
    assert_same(recompute(logs), run(logs, moves))


def answers(*times: int) -> tuple[Outcome, ...]:
    """Outcomes of one key."""
    return tuple(Outcome("a", at) for at in times)


def of_one(*records: tuple[str, int, int]) -> tuple[Prediction, ...]:
    """Predictions of one key: role, event and time."""
    return tuple(Prediction("a", role, source, at, 1.0, "x") for role, source, at in records)


# A key's first record is out of reach of the last ones; a hidden one is not.
HIDDEN_WITHIN_REACH = alone(outcomes=answers(9, 12, 18, *[55] * 10))
HIDDEN_OF_THE_SAME_EVENT = alone(
    *of_one(("a", 0, 9), ("a", 0, 18), *[("b", 0, 55)] * 10), outcomes=answers(60)
)
# What stands for the second one stands not for the third, or else the last one would find nobody.
NONE_HIDDEN_STANDS_FOR_ANOTHER = alone(outcomes=answers(0, 8, 16, 56))
# The first record of a key is let go, with its chunk or from it, before those that come after it.
ELSEWHERE = Prediction("z", "a", 0, 60, 1.0, "x")
LET_GO_WITH_ITS_CHUNK, CROWD_LET_GO = (
    alone(
        ELSEWHERE,
        outcomes=(
            *(Outcome("c", 1), Outcome("d", 2)),
            *answers(9, *[12] * count),
            *(Outcome("b", 60), *answers(52)),
        ),
    )
    for count in (1, 10)
)
LET_GO_FROM_ITS_CHUNK = alone(
    replace(ELSEWHERE, at=70),
    replace(ELSEWHERE, at=90),
    outcomes=(*answers(39, 48), Outcome("b", 70), Outcome("b", 90), *answers(85)),
)
TICK = "pause", 2


@settings(max_examples=60, deadline=None)
@given(CROWDED_LOGS, CROWDED_RUNS, st.sampled_from([3, 30, 1000]))
@example(HIDDEN_WITHIN_REACH, [("read", (0, 3)), ("read", (0, 10))], 1000)
@example(HIDDEN_WITHIN_REACH, [("read", (0, 3)), ("read", (0, 1))], 1000)
@example(HIDDEN_OF_THE_SAME_EVENT, [("read", (2, 0)), ("read", (10, 0))], 1000)
@example(HIDDEN_OF_THE_SAME_EVENT, [("read", (2, 0)), ("read", (1, 0))], 1000)
@example(NONE_HIDDEN_STANDS_FOR_ANOTHER, [("read", (0, 1)), ("read", (0, 2))], 1000)
@example(LET_GO_WITH_ITS_CHUNK, [("read", (0, 3)), ("read", (0, 1)), ("read", (1, 1)), TICK], 3)
@example(CROWD_LET_GO, [("read", (0, 3)), ("read", (0, 10)), ("read", (1, 1)), TICK], 3)
@example(LET_GO_FROM_ITS_CHUNK, [("read", (1, 3)), TICK, ("read", (1, 1)), TICK], 1000)
def test_keys_that_come_all_the_time(logs: Logs, moves: list[tuple[str, Any]], fewest: int) -> None:
    """Repetitions that are not kept among what is looked up change nothing of what is told."""
    moves = [
        (move, dict(zip(PLACES, (0, how[0], 0, how[1]), strict=True)))
        if move in {"read", "abort"}
        else (move, how)
        for move, how in moves
    ]
    assert_same(recompute(logs), run(logs, moves, fewest))
