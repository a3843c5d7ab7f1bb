"""What a record costs as models, partitions, the width of events and open records grow."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from bench import applications, verify, world
from bench.peers.edml import Edml
from bench.peers.peer import Peer
from bench.runs import Run, run
from bench.scene import Scene
from bench.verify import Verified
from bench.world import Writer
from edml.application import Application, Role
from edml.wiring.publishing import publish

ROLES: tuple[Role, ...] = ("challenger", "champion")
"""How the second and the third model are published; the first champion then is the previous."""


def growth(scene: Scene) -> dict[str, Any]:
    """By what grows: records a second, and the processor time that one takes."""
    return {
        "models": _models(scene),
        "partitions": _partitions(scene),
        "note_bytes": _widths(scene),
        "open_records": _open_records(scene),
    }


def _models(scene: Scene) -> dict[str, Any]:
    """A champion alone, with a challenger, and with a previous champion, too."""
    application = applications.shadowed
    ours = scene.edml("shadowed", "onnx", name="edml")
    found = {"1": _event(_run(scene, ours, scene.backlog))}
    for number, role in enumerate(ROLES, start=2):
        folder = scene.artefact_as("shadowed", number)
        with scene.stage.cluster(application) as cluster:
            publish(cluster, folder, flavour="onnx", role=role, by="bench")
        found[str(number)] = _event(_run(scene, ours, scene.backlog, models=number), models=number)
    return _printed("models", found)


def _partitions(scene: Scene) -> dict[str, Any]:
    """One partition, and many."""
    found = {}
    for count in (1, 16):
        variable = f"partitions_{count}"
        ours = scene.edml(variable, "onnx", name="edml", partitions=count)
        Writer.of_events(scene.stage, scene.registry, ours.application).write(_trips(scene))
        found[str(count)] = _event(_run(scene, ours, ours.application.event.topic))
    return _printed("partitions", found)


def _widths(scene: Scene) -> dict[str, Any]:
    """Events with a text of so many bytes beside what the model needs."""
    found = {}
    for width in (100, 1000):
        ours = scene.edml(f"wide_{width}", "onnx", name="edml")
        trips = _trips(scene).with_columns(note=pl.lit("x" * width))
        Writer.of_events(scene.stage, scene.registry, ours.application).write(trips)
        found[str(width)] = _event(_run(scene, ours, ours.application.event.topic))
        scene.stage.truncate(ours.application.event.topic)
    return _printed("note_bytes", found)


def _open_records(scene: Scene) -> dict[str, Any]:
    """Scoring, with the same trips squeezed into less and less time: more wait at a time."""
    predictions = world.predicted(scene.artefact, "onnx", _trips(scene))
    ends = _trips(scene).select(
        "uuid", "dropoff_at", lasted=pl.col("dropoff_at") - pl.col("pickup_at")
    )
    found = {}
    for times in (1, 30, 720):
        application: Application = getattr(applications, f"squeezed_{times}")
        with scene.stage.cluster(application) as cluster:
            cluster.create()
        squeezed = _squeezed(predictions, times)
        outcomes = (
            squeezed.select("uuid", "event_time")
            .join(ends, on="uuid")
            .select("uuid", dropoff_at=pl.col("event_time") + pl.col("lasted"))
            .sort("dropoff_at")
        )
        Writer.of_predictions(scene.stage, scene.registry, application).write(squeezed)
        Writer.of_outcomes(scene.stage, scene.registry, application).write(outcomes)
        ours = Edml(application, f"squeezed_{times}", scene.stage.environment, "edml", verb="score")
        found[str(_within_the_wait(squeezed, application))] = _event(
            _run(scene, ours, application.predictions_topic)
        )
    return _printed("open_records", found)


def _trips(scene: Scene) -> pl.DataFrame:
    return scene.trips.head(scene.plan.to_score)


def _squeezed(predictions: pl.DataFrame, times: int) -> pl.DataFrame:
    first = pl.col("event_time").min()
    return predictions.with_columns(event_time=first + (pl.col("event_time") - first) / times)


def _within_the_wait(predictions: pl.DataFrame, application: Application) -> int:
    """How many events lie within the wait, on average: so many records scoring holds."""
    times = predictions["event_time"]
    last, first = times.max(), times.min()
    span: timedelta = last - first  # type: ignore[operator, assignment]
    return round(predictions.height * min(1.0, application.outcome.wait / span))


def _run(scene: Scene, peer: Edml, backlog: str, *, models: int = 1) -> Run:
    def check(peer: Peer, since: Mapping[int, int]) -> Verified:
        found = verify.count(scene.stage, peer.output, since)
        events = found.records - found.repeated
        return Verified(found.records, found.records - events * models)

    return run(scene, peer, "exactly_once", backlog, check)


def _event(done: Run, *, models: int = 1) -> dict[str, float]:
    """What an event costs; each model writes a record of it."""
    return {
        "events_per_s": done.records_per_s / models,
        "cpu_us": done.cpu_us * models,
        "broker_cpu_us": done.broker_cpu_us * models,
        "rss_mb": done.rss_mb,
    }


def _printed(what: str, found: dict[str, dict[str, float]]) -> dict[str, Any]:
    for size, each in found.items():
        print(
            f"  {what} {size:>9}: {each['events_per_s']:>9,.0f} events/s, "
            f"{each['cpu_us']:5.1f} + {each['broker_cpu_us']:.1f} µs an event, "
            f"{each['rss_mb']:,.0f} MB",
            flush=True,
        )
    return dict(found)
