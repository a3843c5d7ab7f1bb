import time
from itertools import pairwise

import numpy as np
import psutil
import pytest

from tests.faults.ledger import Arrival
from tests.faults.report import Outcome
from tests.faults.scene import Scene
from tests.faults.traffic import number_of

COMMANDS = ("serve", "score")
MINUTE_S = 60.0
WARM_UP = 0.2
"""The part of the run after which memory and latency have to be flat."""

GROWTH = 0.10
"""What memory may grow by from there to the end, by a straight line through the samples."""

SLOWER = 1.5
"""What the p99 of the second half of that time may be of that of the first half."""


def latencies(scene: Scene, arrivals: list[Arrival]) -> tuple[np.ndarray, np.ndarray]:
    """For each prediction, when its trip was due, and how long it took from there, in seconds."""
    numbers = np.array([number_of(key) for each in arrivals for key in each.keys])
    arrived = np.repeat([each.at_s for each in arrivals], [len(each.keys) for each in arrivals])
    due = scene.traffic.due(numbers)
    return due, arrived - due


def grown(samples: list[tuple[float, int]]) -> float:
    """What a straight line through times and sizes rises by, relative to where it begins."""
    times, sizes = np.array(samples, float).T
    slope, start = np.polyfit(times - times[0], sizes, 1)
    return float(slope * (times[-1] - times[0]) / start)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_memory_and_latency_stay_flat(soak: Scene) -> None:
    """A long run at half of what the machine can do: nothing grows, nothing gets slower."""
    running = [soak.start(command) for command in COMMANDS]
    soak.ready(*running)
    begun = time.monotonic()
    ends = begun + soak.plan.soak_s
    memory: dict[str, list[tuple[float, int]]] = {command: [] for command in COMMANDS}
    told = begun
    while (now := time.monotonic()) < ends:
        for each in running:
            memory[each.command].append((now, psutil.Process(each.process.pid).memory_info().rss))
        if now - told > MINUTE_S:
            told = now
            sizes = (f"{name} {each[-1][1] / 1e6:.0f} MB" for name, each in memory.items())
            soak.report.say(f"{soak.traffic.written:,} events; {', '.join(sizes)}")
        time.sleep(1)
    due, late = latencies(soak, list(soak.ledger.arrivals("serve")))
    minutes = [
        np.percentile(late[(due >= at) & (due < at + MINUTE_S)], (50, 99)) * 1000
        for at in np.arange(begun, ends, MINUTE_S)
    ]
    for number, (p50, p99) in enumerate(minutes):
        soak.report.say(f"minute {number + 1}: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    warm = begun + WARM_UP * soak.plan.soak_s
    growth = {c: grown([s for s in each if s[0] > warm]) for c, each in memory.items()}
    before, last = (
        float(np.percentile(late[(due >= since) & (due < until)], 99))
        for since, until in pairwise(np.linspace(warm, ends, 3))
    )
    soak.report.say(f"memory grew by {growth}; p99 {before * 1e3:.0f}, then {last * 1e3:.0f} ms")
    verdict = soak.settle()
    figures = {
        "faults": 0,
        **verdict.counts,
        "memory_growth": growth,
        "p99_ms": [before * 1000, last * 1000],
        "by_minute_p50_p99_ms": [each.tolist() for each in minutes],
    }
    soak.report.add("soak", Outcome(figures))
    assert verdict.clean, verdict
    assert max(growth.values()) < GROWTH
    assert last < SLOWER * before
