"""What a kill -9 costs: until serving answers again, and until scoring has its state again."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from bench import applications, world
from bench.flow import Arrivals, Flow, Live
from bench.latency import RATE
from bench.measure import spread
from bench.peers.edml import Edml
from bench.peers.peer import Work
from bench.processes import Child, running
from bench.scene import Scene
from bench.world import Writer
from edml.kafka.group_offsets import committed

PATIENCE_S = 120.0
POLL_S = 0.01
CALM_S = 3.0
AFTER_S = 12.0
UNDER_WAY_S = 0.3
"""What was committed before the kill is read by then, and nobody starts as fast."""

BEGIN = datetime(2019, 11, 28, 12, tzinfo=UTC)
WITHIN = timedelta(hours=2)
LASTED = timedelta(minutes=10)


def recovery(scene: Scene) -> dict[str, Any]:
    """Serving under load, and scoring with more and more predictions that wait for outcomes."""
    return {
        "serving": _serving(scene),
        "scoring": _scoring(scene),
    }


def _serving(scene: Scene) -> dict[str, Any]:
    """Seconds from the kill of a loaded instance to the first output of the one after it."""
    live, ours = Live(scene), scene.edml("live", "onnx", name="edml")
    found, lost, repeated = [], 0, 0
    for _ in range(scene.plan.kills):
        flow = Flow(RATE, CALM_S + AFTER_S)
        with live.started(ours, "exactly_once") as child, live.sent(flow, ours.output) as sending:
            time.sleep(max(0.0, sending.start + CALM_S - time.monotonic()))
            child.kill()
            killed_s = time.monotonic() - sending.start
            with running(child.command, child.output.with_suffix(".again.log")):
                arrivals = sending.finished()
        found.append(_first_after(arrivals, killed_s) - killed_s)
        lost, repeated = lost + arrivals.lost, repeated + arrivals.repeated
        scene.stage.truncate(ours.output)
        print(f"  serving: first record {found[-1]:.1f} s after kill -9", flush=True)
    return {"first_record_s": asdict(spread(found)), "lost": lost, "doubled": repeated}


def _first_after(arrivals: Arrivals, killed_s: float) -> float:
    """When the first output came of whoever was started after the kill."""
    later = arrivals.arrived[arrivals.arrived > killed_s + UNDER_WAY_S]
    return float(later.min())


def _scoring(scene: Scene) -> dict[str, Any]:
    """Seconds from the start of an instance to a score that needs the state of the one before."""
    application, stage = applications.recovering, scene.stage
    ours = Edml(application, "recovering", stage.environment, "edml", verb="score")
    with stage.cluster(application) as cluster:
        cluster.create()
    predictions = Writer.of_predictions(stage, scene.registry, application)
    outcomes = Writer.of_outcomes(stage, scene.registry, application)
    waiting = _waiting(scene, max(scene.plan.open_records))
    written, found = 0, {}
    for number in scene.plan.open_records:
        predictions.write(waiting[written:number])
        written = number
        found[str(number)] = _after_a_kill(scene, ours, outcomes, waiting[number - 1 : number])
        print(
            f"  scoring: {number:,} open, first score after {found[str(number)]:.1f} s", flush=True
        )
    return {"first_score_s": found}


def _waiting(scene: Scene, count: int) -> pl.DataFrame:
    """Predictions of events that all still wait for their outcomes."""
    frame = world.predicted(scene.artefact, "onnx", scene.trips.head(count))
    step = WITHIN / count
    return frame.with_columns(event_time=pl.lit(BEGIN) + pl.int_range(pl.len()) * step)


def _after_a_kill(scene: Scene, ours: Edml, outcomes: Writer, last: pl.DataFrame) -> float:
    """Read all there is, be killed, and score one more outcome: how long the last step takes."""
    stage, topic = scene.stage, ours.application.predictions_topic
    work = Work("exactly_once", ours.group, topic, ours.output, stage.folder / "state")
    log = stage.folder / "logs" / f"score-{time.time_ns()}.log"
    with running(ours.command(work), log) as child:
        ends = stage.ends(topic)
        _wait(lambda: _places(scene, ours.group, topic) == ends, child)
        child.kill()
    before = stage.end(ours.output)
    outcomes.write(last.select("uuid", dropoff_at=pl.col("event_time") + LASTED))
    with running(ours.command(work), log.with_suffix(".again.log")) as child:
        _wait(lambda: stage.end(ours.output) > before, child)
        return time.perf_counter() - child.started_s


def _places(scene: Scene, group: str, topic: str) -> dict[int, int]:
    places = committed(scene.stage.client, group)
    return {each.partition: offset for each, offset in places.items() if each.topic == topic}


def _wait(until: Callable[[], bool], child: Child) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not until():
        child.check()
        if time.monotonic() > patience:
            raise TimeoutError(f"{child.output.stem} is not ready after {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)
