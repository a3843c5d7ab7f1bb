"""A model is swapped under load: what readers notice, and whether anything is lost or doubled."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import applications, verify
from bench.flow import Arrivals, Flow, Live
from bench.latency import RATE
from bench.measure import latency
from bench.scene import Scene
from bench.verify import Answers, WrongOutputError
from edml import wiring
from edml.application import Application
from edml.serving.records import prediction_schema

FLAVOURS = ("onnx", "savedmodel")
CALM_S = 5.0
SWAP_S = 5.0
LEAD_S = 0.5
CHAMPION = "\x10champion"
"""The role as Avro writes it: its length, and its text. What is served in the shadow has not it."""


@dataclass(frozen=True)
class Noticed:
    """The p99 before a swap, and from shortly before the model is on the log until it serves."""

    before_ms: float
    during_ms: float

    @property
    def ratio(self) -> float:
        """By how much the swap is noticed."""
        return self.during_ms / self.before_ms


def swap(scene: Scene) -> dict[str, Any]:
    """Some swaps of an ONNX model; in the full form of a SavedModel, too."""
    figures = {
        flavour: _swapped(scene, f"swap_{flavour}", flavour)
        for flavour in (FLAVOURS[:1] if scene.plan.quick else FLAVOURS)
    }
    return {**figures[FLAVOURS[0]], **figures}


def _swapped(scene: Scene, variable: str, flavour: str) -> dict[str, Any]:
    application: Application = getattr(applications, variable)
    live, ours = Live(scene), scene.edml(variable, flavour, name=f"edml, {flavour}")
    swaps = scene.plan.swaps
    folders = [scene.artefact_as(variable, number + 2) for number in range(swaps)]
    flow = Flow(RATE, scene.plan.latency_warm_s + swaps * (CALM_S + SWAP_S))
    with live.started(ours, "exactly_once"):
        since = scene.stage.ends(ours.output)
        with live.sent(flow, ours.output, marker=CHAMPION) as sending:
            _sleep_until(sending.start + scene.plan.latency_warm_s)
            at = []
            for folder in folders:
                time.sleep(CALM_S)
                _publish(scene, application, folder, flavour)
                at.append(time.monotonic() - sending.start)
                _sleep_until(sending.start + at[-1] + SWAP_S)
            arrivals = sending.finished()
    answers = Answers(scene.expected, scene.registry, prediction_schema(application))
    versions = verify.versions(scene.stage, ours.output, since, answers)
    if len(versions) != swaps + 1:
        raise WrongOutputError(f"{swaps} swaps, but the champions were {', '.join(versions)}")
    return _told([_noticed(arrivals, each) for each in at], arrivals, flavour)


def _publish(scene: Scene, application: Application, folder: Path, flavour: str) -> None:
    with scene.stage.cluster(application) as cluster:
        wiring.publish(cluster, folder, flavour=flavour, role="champion", by="bench")


def _noticed(arrivals: Arrivals, at_s: float) -> Noticed:
    begins = at_s - LEAD_S
    before = arrivals.latency_s(since=begins - CALM_S + LEAD_S, until=begins)
    during = arrivals.latency_s(since=begins, until=at_s + SWAP_S)
    return Noticed(latency(before).p99_ms, latency(during).p99_ms)


def _told(noticed: list[Noticed], arrivals: Arrivals, flavour: str) -> dict[str, Any]:
    ratio = median(each.ratio for each in noticed)
    print(f"  {flavour:<12} p99 × {ratio:.2f}, {arrivals.lost} lost, {arrivals.repeated} doubled")
    return {
        "p99_before_ms": median(each.before_ms for each in noticed),
        "p99_during_ms": median(each.during_ms for each in noticed),
        "p99_ratio": ratio,
        "p99_ratios": [each.ratio for each in noticed],
        "lost": arrivals.lost,
        "doubled": arrivals.repeated,
    }


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
