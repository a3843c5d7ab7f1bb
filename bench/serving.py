"""Serving beside its limit and its peers: trips to predictions."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from bench import applications, verify, world
from bench.peers.kafka_streams import KafkaStreams
from bench.peers.naive import NaiveJava, NaivePython
from bench.peers.peer import Guarantee, Peer
from bench.peers.pipe import Pipe
from bench.peers.quix import Quix
from bench.runs import Runs, beside, figures, rounds, with_the_better_of
from bench.scene import Scene
from bench.verify import Answers, Verified
from edml.kafka.codec.encode import Encoder
from edml.serving.records import prediction_schema

PIPE = "pipe"
STREAMS = "kafka_streams"
SAVED_MODEL = "_savedmodel"
FLAVOURS = ("onnx", "savedmodel")
TWO = "onnx_2"
"""Two instances of edml with the ONNX model, as one starts them when one is not enough."""

OURS = (*FLAVOURS, TWO)
SOME = 10_000


def serving(scene: Scene) -> dict[str, Any]:
    """The throughput of edml, of its limit and of its peers, with each guarantee.

    In the quick form, exactly once and with ONNX alone: TensorFlow takes long to start.
    """
    guarantees: tuple[Guarantee, ...] = ("exactly_once",)
    flavours: tuple[str, ...] = FLAVOURS[:1]
    if not scene.plan.quick:
        guarantees, flavours = ("exactly_once", "at_least_once"), FLAVOURS
    with ThreadPoolExecutor() as pool:
        published = pool.map(lambda flavour: scene.edml(flavour, flavour, name=flavour), flavours)
        answers = Answers(scene.expected, scene.registry, prediction_schema(applications.onnx))
        backlog, ours = scene.backlog, list(published)
    if not scene.plan.quick:
        ours.append(replace(ours[0], name=TWO, instances=2))

    def check(peer: Peer, since: Mapping[int, int]) -> Verified:
        if peer.name == PIPE:
            return verify.count(scene.stage, peer.output, since)
        return verify.predictions(scene.stage, peer.output, since, answers)

    return {
        each: told(rounds(scene, [*ours, *peers(scene, each)], each, backlog, check))
        for each in guarantees
    }


def peers(scene: Scene, guarantee: Guarantee) -> list[Peer]:
    """Everybody else; some are measured exactly once alone."""
    tools = scene.tools
    found: list[Peer] = [Pipe(tools, value_bytes(scene))]
    if guarantee == "exactly_once":
        found += [NaivePython(tools), NaiveJava(tools)]
    if not scene.plan.quick:
        found.append(KafkaStreams(tools, name=f"{STREAMS}_1", threads=1))
    found += [KafkaStreams(tools, name=f"{STREAMS}_2", threads=2), Quix(tools)]
    if guarantee == "exactly_once" and not scene.plan.quick:
        found.append(Quix(tools, name=f"quix{SAVED_MODEL}", flavour="savedmodel"))
    wanted = scene.plan.peers
    return [each for each in found if not wanted or each.name in wanted]


def value_bytes(scene: Scene) -> int:
    """How many bytes edml writes of a prediction, on average."""
    frame = world.predicted(scene.artefact, "onnx", scene.trips.head(SOME))
    values = Encoder(prediction_schema(applications.onnx), scene.tools.prediction_id).encode(frame)
    return round(sum(map(len, values)) / len(values))


def told(runs: Runs) -> dict[str, Any]:
    """Each flavour with its ratios to those who call a model of its kind, and the peers."""
    peers = {name: each for name, each in runs.items() if name not in OURS}
    saved = {name: each for name, each in peers.items() if name.endswith(SAVED_MODEL)}
    pipe = {name: each for name, each in peers.items() if name == PIPE}
    others = with_the_better_of({n: e for n, e in peers.items() if n not in saved}, STREAMS)
    ours = {name: beside(runs[name], others) for name in ("onnx", TWO) if name in runs}
    if "savedmodel" in runs:
        ours["savedmodel"] = beside(runs["savedmodel"], {**pipe, **saved})
    return {
        **ours,
        "peers": {name: figures(each) for name, each in peers.items()},
    }
