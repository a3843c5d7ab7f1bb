"""Watches from outside how a topic grows, and stops when enough was seen."""

import os
import time
from collections.abc import Sequence

from bench.measure import Sample, advances
from bench.processes import Child, cpu_s, machine_cpu_s
from bench.stage import Stage

EVERY_S = 0.05
FIRST_PATIENCE_S = 90.0
PATIENCE_S = 15.0
STILL_S = 2.5
FEWEST = 3


def watch(  # noqa: PLR0913  each has its name where it is called
    stage: Stage,
    topic: str,
    children: Sequence[Child],
    *,
    since: int,
    records: int,
    seconds: float,
) -> list[Sample]:
    """Samples from now until ``seconds`` after the first output, or until nothing more comes.

    Nothing does when ``records`` were written from offset ``since`` on. Whoever commits seldom is
    watched for longer, until `FEWEST` commits were seen. Raises when the child has ended, and
    `TimeoutError` when nothing came.
    """
    samples = [Sample(time.perf_counter(), since)]
    while True:
        time.sleep(EVERY_S)
        for child in children:
            child.check()
        samples.append(_sample(stage, topic, children))
        seen = advances(samples)
        now = samples[-1].at_s
        if not seen:
            if now > samples[0].at_s + FIRST_PATIENCE_S:
                raise TimeoutError(f"nothing on {topic} within {FIRST_PATIENCE_S:.0f} s")
        elif seen[-1].offset - since >= records or enough(seen, now, seconds):
            return samples


def enough(seen: Sequence[Sample], now: float, seconds: float) -> bool:
    """Whether these advances are all that is wanted, or all that will come."""
    if len(seen) < FEWEST:
        return now > seen[-1].at_s + PATIENCE_S
    return now > min(seen[0].at_s + seconds, seen[-1].at_s + STILL_S)


def _sample(stage: Stage, topic: str, children: Sequence[Child]) -> Sample:
    end = stage.end(topic)
    peer = sum(cpu_s(child.pid) for child in children)
    broker, ours = cpu_s(stage.broker_pid), cpu_s(os.getpid())
    others = machine_cpu_s() - peer - broker - ours
    return Sample(time.perf_counter(), end, peer, broker, others)
