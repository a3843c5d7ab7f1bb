"""Serving beside its peers: who is measured, and what is told of it."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from bench import applications, world
from bench.measure import ratios, spread
from bench.peers.kafka_streams import KafkaStreams
from bench.peers.naive import NaiveJava, NaivePython
from bench.peers.peer import Guarantee, Peer
from bench.peers.pipe import Pipe
from bench.peers.quix import Quix
from bench.scene import Scene
from bench.serving import Run, Runs, rounds
from bench.verify import Answers
from edml.kafka.codec.encode import Encoder
from edml.serving.records import prediction_schema

STREAMS = "kafka_streams"
SAVED_MODEL = "_savedmodel"
SOME = 10_000


def serving(scene: Scene) -> dict[str, Any]:
    """The throughput of edml, of its limit and of its peers, with each guarantee."""
    guarantees: tuple[Guarantee, ...] = ("exactly_once",)
    if not scene.plan.quick:
        guarantees = ("exactly_once", "at_least_once")
    ours = (
        scene.edml("onnx", "onnx", name="onnx"),
        scene.edml("savedmodel", "savedmodel", name="savedmodel"),
    )
    answers = Answers(scene.expected, scene.registry, prediction_schema(applications.onnx))
    return {
        each: told(rounds(scene, answers, [*ours, *peers(scene, each)], each))
        for each in guarantees
    }


def peers(scene: Scene, guarantee: Guarantee) -> list[Peer]:
    """Everybody else; the naive loops are exactly once alone."""
    tools = scene.tools
    found: list[Peer] = [Pipe(tools, value_bytes(scene))]
    if guarantee == "exactly_once":
        found += [NaivePython(tools), NaiveJava(tools)]
    if not scene.plan.quick:
        found.append(KafkaStreams(tools, name=f"{STREAMS}_1", threads=1))
    found.append(KafkaStreams(tools, name=f"{STREAMS}_2", threads=2))
    found += [Quix(tools), Quix(tools, name=f"quix{SAVED_MODEL}", flavour="savedmodel")]
    wanted = scene.plan.peers
    return [each for each in found if not wanted or each.name in wanted]


def value_bytes(scene: Scene) -> int:
    """How many bytes edml writes of a prediction, on average."""
    frame = world.predicted(scene.artefact, "onnx", scene.trips.head(SOME))
    values = Encoder(prediction_schema(applications.onnx), scene.tools.prediction_id).encode(frame)
    return round(sum(map(len, values)) / len(values))


def told(runs: Runs) -> dict[str, Any]:
    """What is written down: edml's two flavours with their ratios, and the peers."""
    theirs = _with_best_streams({name: each for name, each in runs.items() if name not in OURS})
    return {
        "onnx": _beside(runs["onnx"], theirs, saved_model=False),
        "savedmodel": _beside(runs["savedmodel"], theirs, saved_model=True),
        "peers": {name: _figures(each) for name, each in theirs.items()},
    }


OURS = frozenset({"onnx", "savedmodel"})


def _with_best_streams(runs: Runs) -> Runs:
    """Kafka Streams is as fast as it is with its better number of threads."""
    threads = [each for name, each in runs.items() if name.startswith(STREAMS)]
    return {**runs, STREAMS: max(threads, key=_middle_rate)} if threads else runs


def _beside(ours: Sequence[Run], theirs: Runs, *, saved_model: bool) -> dict[str, Any]:
    comparable = {
        name: ratios(_rates(ours), _rates(each))
        for name, each in theirs.items()
        if name == "pipe" or name.endswith(SAVED_MODEL) == saved_model
    }
    return {
        **_figures(ours),
        "ratio_to": {name: each.median for name, each in comparable.items()},
        "ratio_spread_to": {name: asdict(each) for name, each in comparable.items()},
    }


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    def middle(name: str) -> float:
        return float(median(getattr(each, name) for each in runs))

    return {
        "records_per_s": asdict(spread(_rates(runs))),
        **{
            name: middle(name)
            for name in ("cpu_us", "broker_cpu_us", "rss_mb", "startup_s", "seconds", "load")
        },
        "verified_records": sum(each.records for each in runs),
        "repeated_records": sum(each.repeated for each in runs),
    }


def _rates(runs: Sequence[Run]) -> list[float]:
    return [each.records_per_s for each in runs]


def _middle_rate(runs: Sequence[Run]) -> float:
    return spread(_rates(runs)).median
