"""Latency at a steady rate: from when an event is due to when it is read, committed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from bench import applications, verify
from bench.flow import Arrivals, Flow, Live
from bench.measure import Latency, latency, ratios, spread
from bench.peers.kafka_streams import LATENCY, KafkaStreams
from bench.peers.naive import NaiveJava, NaivePython
from bench.peers.peer import Guarantee, Peer, Tools
from bench.peers.pipe import Pipe
from bench.peers.quix import Quix
from bench.runs import tried
from bench.scene import Scene
from bench.serving import PIPE, STREAMS, value_bytes
from bench.verify import Answers
from edml.serving.records import prediction_schema

OURS = "edml"
KEEPS_UP_S = 1.0
RATE = 5_000
"""The rate that is measured in rounds; the others show once where it goes from there."""

WARM_UPS = 3
"""On a new broker, who comes first would wait for the broker's compiler."""

GUARANTEES: tuple[Guarantee, ...] = ("exactly_once", "at_least_once")


@dataclass(frozen=True)
class Taken:
    """The latency of one peer at one rate; whether it keeps up, and how late its sender was."""

    latency: Latency
    keeps_up: bool
    sender_behind_ms: float

    def told(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            **asdict(self.latency),
            "keeps_up": self.keeps_up,
            "sender_behind_ms": self.sender_behind_ms,
        }


def latencies(scene: Scene) -> dict[str, Any]:
    """By rate and guarantee: edml, its limit and its peers; Kafka Streams by commit interval."""
    live, ours = Live(scene), scene.edml("live", "onnx", name=OURS)
    if not scene.plan.quick:
        for _ in range(WARM_UPS):
            take(live, Pipe(scene.tools, value_bytes(scene)), "exactly_once", RATE)
    return {
        str(rate): {
            guarantee: _at(live, rate, guarantee, [ours, *peers(scene, guarantee, rate)])
            for guarantee in (GUARANTEES[:1] if scene.plan.quick else GUARANTEES)
        }
        for rate in scene.plan.commit_intervals_ms
    }


def peers(scene: Scene, guarantee: Guarantee, rate: int) -> list[Peer]:
    """Kafka Streams with each commit interval, and in the full form others who may keep up.

    At least once, outputs are read before they are committed: one interval is enough.
    """
    tools, plan = scene.tools, scene.plan
    intervals = plan.commit_intervals_ms[rate]
    if guarantee == "at_least_once":
        intervals = intervals[-1:]
    found: list[Peer] = [streams(tools, each) for each in intervals]
    if not plan.quick:
        found.append(Pipe(tools, value_bytes(scene)))
        if rate <= RATE:
            found.append(Quix(tools, commit_interval_s=0.1, linger_ms=0))
        if rate == RATE and guarantee == "exactly_once":
            found += [streams(tools, each, threads=1) for each in plan.one_thread_ms]
            found += [NaivePython(tools), NaiveJava(tools)]
    return [each for each in found if not plan.peers or each.name in plan.peers]


def streams(tools: Tools, interval_ms: int, *, threads: int = 2) -> KafkaStreams:
    """Kafka Streams, set for latency, with one commit interval."""
    return KafkaStreams(
        tools,
        name=f"{STREAMS}_{threads}_{interval_ms}ms",
        threads=threads,
        properties={**LATENCY, "commit.interval.ms": str(interval_ms)},
    )


def _at(live: Live, rate: int, guarantee: Guarantee, peers: Sequence[Peer]) -> dict[str, Any]:
    rounds: dict[str, list[Taken]] = {each.name: [] for each in peers}
    left = list(peers)
    for _ in range(live.scene.plan.rounds if rate == RATE else 1):
        for each in list(left):
            found = tried(lambda: take(live, each, guarantee, rate), each)  # noqa: B023
            if found is None:
                del rounds[each.name]
            else:
                rounds[each.name].append(found)
            if found is None or not (found.keeps_up or each.name == OURS):
                left.remove(each)
    return told(rounds)


def told(rounds: Mapping[str, Sequence[Taken]]) -> dict[str, Any]:
    """Our figures beside the peers', and how our p99 stands to the best of Kafka Streams'.

    ``rounds`` holds those of each; who has fallen behind once was left out of those that followed.
    """
    taken = {name: typical(each) for name, each in rounds.items()}
    best = best_that_keeps_up({n: each for n, each in taken.items() if n.startswith(STREAMS)})
    by_name = {
        name: {**each.told(), "p99_rounds_ms": asdict(spread(_p99s(rounds[name])))}
        for name, each in taken.items()
    }
    figures = {**by_name.pop(OURS), "peers": by_name}
    if best is not None:
        ratio = ratios(_p99s(rounds[OURS]), _p99s(rounds[best]))
        figures["p99_ratio_to"] = {STREAMS: ratio.median}
        figures["p99_ratio_rounds"] = {STREAMS: asdict(ratio)}
        figures["best_kafka_streams"] = best
    return figures


def typical(rounds: Sequence[Taken]) -> Taken:
    """The median of each figure; who has fallen behind once does not keep up."""
    seen = [each.latency for each in rounds]
    return Taken(
        Latency(
            median(each.p50_ms for each in seen),
            median(each.p95_ms for each in seen),
            median(each.p99_ms for each in seen),
            max(each.worst_ms for each in seen),
            sum(each.events for each in seen),
        ),
        all(each.keeps_up for each in rounds),
        max(each.sender_behind_ms for each in rounds),
    )


def _p99s(rounds: Sequence[Taken]) -> list[float]:
    return [each.latency.p99_ms for each in rounds]


def best_that_keeps_up(taken: Mapping[str, Taken]) -> str | None:
    """Whose p99 is least among those that do not fall behind."""
    return min(
        (name for name, each in taken.items() if each.keeps_up),
        key=lambda name: taken[name].latency.p99_ms,
        default=None,
    )


def take(live: Live, peer: Peer, guarantee: Guarantee, rate: int) -> Taken:
    """Let events flow through a peer; the first seconds, in which it warms up, do not count."""
    scene = live.scene
    plan = scene.plan
    flow = Flow(rate, plan.latency_warm_s + plan.latency_s)
    with live.started(peer, guarantee):
        since = scene.stage.ends(peer.output)
        with live.sent(flow, peer.output) as sending:
            arrivals = sending.finished()
    if peer.name != PIPE:
        schema = prediction_schema(applications.live)
        answers = Answers(scene.expected, scene.registry, schema)
        verify.predictions(scene.stage, peer.output, since, answers)
    scene.stage.truncate(peer.output)
    found = judged(arrivals, plan.latency_warm_s)
    seen = found.latency
    print(
        f"  {rate:>6}/s {guarantee:<13} {peer.name:<20} p50 {seen.p50_ms:7.1f}  "
        f"p95 {seen.p95_ms:7.1f}  p99 {seen.p99_ms:7.1f} ms"
        f"{'' if found.keeps_up else ', falls behind'}",
        flush=True,
    )
    return found


def judged(arrivals: Arrivals, warm_s: float) -> Taken:
    """The latency of what was due after the warm-up.

    A peer keeps up when everything arrives, and the last quarter no later than in a second.
    """
    end_s = float(arrivals.due[-1])
    last = arrivals.latency_s(since=end_s - (end_s - warm_s) / 4)
    keeps_up = arrivals.lost == 0 and float(np.median(last)) < KEEPS_UP_S
    return Taken(latency(arrivals.latency_s(since=warm_s)), keeps_up, arrivals.behind_s * 1000)
