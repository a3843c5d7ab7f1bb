"""A model is swapped under load: what readers notice, and whether anything is lost or doubled."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import applications, verify
from bench.flow import Arrivals, Flow, Live
from bench.latency import RATE
from bench.measure import latency
from bench.scene import Scene
from bench.verify import Answers, WrongOutputError
from edml.application import Application
from edml.serving.records import prediction_schema
from edml.wiring.publishing import publish

FLAVOURS = ("onnx", "savedmodel")
CALM_S = 5.0
SWAP_S = {"onnx": 5.0, "savedmodel": 30.0}
"""How long a swap is watched, from when the model is on the log. To try a SavedModel, TensorFlow is
started, on what the hot path leaves of the processor."""

LEAD_S = 0.5
STEP_S = 0.25
PUBLISHED_S = 1.0
"""How long it takes to publish: the flow lasts for so much longer."""
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


@dataclass(frozen=True)
class Swaps:
    """A flow through which models were swapped, at so many seconds after its first event.

    Each swap was watched for ``watched_s``.
    """

    arrivals: Arrivals
    at_s: Sequence[float]
    watched_s: float


def swap(scene: Scene) -> dict[str, Any]:
    """Some swaps of an ONNX model; in the full form of a SavedModel, too."""
    flavours = FLAVOURS[:1] if scene.plan.quick else FLAVOURS
    return told({each: _swapped(scene, f"swap_{each}", each) for each in flavours})


def told(by_flavour: Mapping[str, Swaps]) -> dict[str, Any]:
    """The figures of each flavour; in front the worst ratio, and all that was lost or doubled."""
    found = {flavour: _told(each) for flavour, each in by_flavour.items()}
    for flavour, each in found.items():
        print(
            f"  {flavour:<12} p99 × {each['p99_ratio']:.2f}, "
            f"{each['lost']} lost, {each['doubled']} doubled"
        )
    return {
        "p99_ratio": max(each["p99_ratio"] for each in found.values()),
        "lost": sum(each["lost"] for each in found.values()),
        "doubled": sum(each["doubled"] for each in found.values()),
        **found,
    }


def _swapped(scene: Scene, variable: str, flavour: str) -> Swaps:
    application: Application = getattr(applications, variable)
    live, ours = Live(scene), scene.edml(variable, flavour, name=f"edml, {flavour}")
    swaps, watched_s = scene.plan.swaps, SWAP_S[flavour]
    folders = [scene.artefact_as(variable, number + 2) for number in range(swaps)]
    flow = Flow(RATE, scene.plan.latency_warm_s + swaps * (CALM_S + watched_s + PUBLISHED_S))
    with live.started(ours, "exactly_once"):
        since = scene.stage.ends(ours.output)
        with live.sent(flow, ours.output, marker=CHAMPION) as sending:
            _sleep_until(sending.start + scene.plan.latency_warm_s)
            at = []
            for folder in folders:
                time.sleep(CALM_S)
                _publish(scene, application, folder, flavour)
                at.append(time.monotonic() - sending.start)
                _sleep_until(sending.start + at[-1] + watched_s)
            arrivals = sending.finished()
    answers = Answers(scene.expected, scene.registry, prediction_schema(application))
    versions = verify.versions(scene.stage, ours.output, since, answers)
    if len(versions) != swaps + 1:
        raise WrongOutputError(f"{swaps} swaps, but the champions were {', '.join(versions)}")
    return Swaps(arrivals, at, watched_s)


def _publish(scene: Scene, application: Application, folder: Path, flavour: str) -> None:
    with scene.stage.cluster(application) as cluster:
        publish(cluster, folder, flavour=flavour, role="champion", by="bench")


def _noticed(arrivals: Arrivals, at_s: float, watched_s: float) -> Noticed:
    begins = at_s - LEAD_S
    before = arrivals.latency_s(since=begins - CALM_S + LEAD_S, until=begins)
    during = arrivals.latency_s(since=begins, until=at_s + watched_s)
    return Noticed(latency(before).p99_ms, latency(during).p99_ms)


def timeline(swaps: Swaps) -> list[tuple[float, float]]:
    """The p99 in ms of each `STEP_S` around the swaps, by the seconds from the swap to its begin.

    The median of all swaps; a step in which nothing was due that arrived is left out.
    """
    found = []
    for step in np.arange(-CALM_S + LEAD_S, swaps.watched_s, STEP_S).tolist():
        spans = [swaps.arrivals.latency_s(at + step, at + step + STEP_S) for at in swaps.at_s]
        p99s = [latency(each).p99_ms for each in spans if each.size]
        if p99s:
            found.append((step, median(p99s)))
    return found


def _told(swaps: Swaps) -> dict[str, Any]:
    arrivals = swaps.arrivals
    noticed = [_noticed(arrivals, each, swaps.watched_s) for each in swaps.at_s]
    return {
        "p99_before_ms": median(each.before_ms for each in noticed),
        "p99_during_ms": median(each.during_ms for each in noticed),
        "p99_ratio": median(each.ratio for each in noticed),
        "p99_ratios": [each.ratio for each in noticed],
        "lost": arrivals.lost,
        "doubled": arrivals.repeated,
        "timeline": timeline(swaps),
    }


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
