"""Throughput: how fast a backlog is worked off, seen from outside; round by round."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, TypeVar

from bench.measure import advances, ratios, spread, steady
from bench.peers.edml import Edml
from bench.peers.peer import Guarantee, Peer, Work
from bench.processes import rss_mb, running
from bench.scene import Scene
from bench.verify import Verified, WrongOutputError
from bench.watch import watch
from edml.errors import EdmlError


@dataclass(frozen=True)
class Run:
    """What one run of one peer showed.

    Processor time is that of the peer and of the broker, in µs a record: it tells the work apart
    from who else uses the machine. ``load`` is the machine's at the end.
    """

    records_per_s: float
    startup_s: float
    seconds: float
    records: int
    repeated: int
    cpu_us: float
    broker_cpu_us: float
    rss_mb: float
    others_cores: float


T = TypeVar("T")
TRIES = 2

MIDDLES = ("cpu_us", "broker_cpu_us", "rss_mb", "startup_s", "seconds", "others_cores")
"""Of these the median of the rounds is told."""

Runs = Mapping[str, Sequence[Run]]
"""The runs of each peer, round by round."""

Verify = Callable[[Peer, Mapping[int, int]], Verified]
"""Reads what a peer has written since some offsets; raises `WrongOutputError`."""


def rounds(
    scene: Scene, peers: Sequence[Peer], guarantee: Guarantee, backlog: str, check: Verify
) -> Runs:
    """Every peer once a round, in turn, so that what slows the machine slows them all.

    A peer that fails twice in a row is told of and left out, with what it has done before; edml
    itself must not fail.
    """
    found: dict[str, list[Run]] = {each.name: [] for each in peers}
    for number in range(scene.plan.rounds):
        for peer in [each for each in peers if each.name in found]:
            done = tried(lambda: run(scene, peer, guarantee, backlog, check), peer)  # noqa: B023
            if done is None:
                del found[peer.name]
                continue
            found[peer.name].append(done)
            print(
                f"  {guarantee:<13} {peer.name:<18} round {number + 1}: "
                f"{done.records_per_s:>9,.0f} records/s, "
                f"{done.cpu_us:6.1f} + {done.broker_cpu_us:4.1f} µs a record, "
                f"{done.rss_mb:5.0f} MB, first after {done.startup_s:4.1f} s, "
                f"others {done.others_cores:.2f}",
                flush=True,
            )
    return found


def tried(measure: Callable[[], T], peer: Peer) -> T | None:
    """What a peer shows; None when it fails twice. Raises when edml itself fails."""
    if isinstance(peer, Edml):
        return measure()
    for _ in range(TRIES):
        try:
            return measure()
        except EdmlError as error:
            print(f"  {peer.name} fails: {error}", flush=True)
    return None


def run(scene: Scene, peer: Peer, guarantee: Guarantee, backlog: str, check: Verify) -> Run:
    """Start a peer on a backlog, watch it, stop it, and verify what it has written."""
    stage, plan = scene.stage, scene.plan
    stage.create(peer.output)
    peer.prepare(stage)
    since = stage.ends(peer.output)
    before = sum(since.values())
    serial = f"{peer.name}-{guarantee}-{time.time_ns()}"
    work = Work(guarantee, serial, backlog, peer.output, stage.folder / "state")
    warm_s = plan.warmed_s(compiles=peer.compiles)
    logs = [stage.folder / "logs" / f"{serial}-{number}.log" for number in range(peer.instances)]
    with ExitStack() as stack:
        children = [stack.enter_context(running(peer.command(work), log)) for log in logs]
        samples = watch(
            stage,
            peer.output,
            children,
            since=before,
            records=stage.end(backlog),
            seconds=warm_s + plan.measure_s,
        )
        memory = sum(rss_mb(child.pid) for child in children)
    verified = check(peer, since)
    # Transactions leave a marker in each partition: not every offset is a record.
    density = verified.records / (stage.end(peer.output) - before)
    stage.truncate(peer.output)
    if guarantee == "exactly_once" and verified.repeated:
        raise WrongOutputError(f"{peer.name} wrote {verified.repeated} records again")
    window = steady(samples, warm_s=warm_s)
    if window is None:
        raise WrongOutputError(f"{peer.name} was never steady: {len(advances(samples))} advances")
    records = window.offsets * density
    return Run(
        records_per_s=records / window.seconds,
        startup_s=advances(samples)[0].at_s - children[0].started_s,
        seconds=window.seconds,
        records=verified.records,
        repeated=verified.repeated,
        cpu_us=window.peer_cpu_s / records * 1e6,
        broker_cpu_us=window.broker_cpu_s / records * 1e6,
        rss_mb=memory,
        others_cores=window.others_cores,
    )


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """What is written down of a peer's runs."""

    def middle(name: str) -> float:
        return float(median(getattr(each, name) for each in runs))

    return {
        "records_per_s": asdict(spread(rates(runs))),
        **{name: middle(name) for name in MIDDLES},
        "verified_records": sum(each.records for each in runs),
        "repeated_records": sum(each.repeated for each in runs),
    }


def beside(ours: Sequence[Run], theirs: Runs) -> dict[str, Any]:
    """Our figures with how many times we do what each of them does."""
    found = {name: ratios(rates(ours), rates(each)) for name, each in theirs.items()}
    return {
        **figures(ours),
        "ratio_to": {name: each.median for name, each in found.items()},
        "ratio_spread_to": {name: asdict(each) for name, each in found.items()},
    }


def with_the_better_of(runs: Runs, name: str) -> Runs:
    """The runs, and under ``name`` those of the fastest whose name begins with it."""
    candidates = [each for peer, each in runs.items() if peer.startswith(name)]
    if not candidates:
        return runs
    return {**runs, name: max(candidates, key=lambda each: spread(rates(each)).median)}


def rates(runs: Sequence[Run]) -> list[float]:
    """Records a second, round by round."""
    return [each.records_per_s for each in runs]
