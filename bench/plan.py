"""How much is measured: the full form, and the quick one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of one run of the bench.

    The ``backlog`` lasts the fastest peer for ``warm_s`` and ``measure_s``; whoever empties it
    sooner is measured up to its end. ``peers`` names those that edml is compared with; all when it
    is empty.
    """

    quick: bool
    backlog: int
    warm_s: float
    measure_s: float
    rounds: int
    rates: tuple[int, ...]
    latency_warm_s: float
    latency_s: float
    commit_intervals_ms: tuple[int, ...]
    swaps: int
    kills: int
    open_records: tuple[int, ...]
    peers: tuple[str, ...] = ()


FULL = Plan(
    quick=False,
    backlog=3_600_000,
    warm_s=4.0,
    measure_s=11.0,
    rounds=5,
    rates=(500, 5_000, 20_000),
    latency_warm_s=8.0,
    latency_s=20.0,
    commit_intervals_ms=(100, 25, 10, 5),
    swaps=4,
    kills=5,
    open_records=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK = Plan(
    quick=True,
    backlog=1_000_000,
    warm_s=2.0,
    measure_s=3.5,
    rounds=1,
    rates=(5_000,),
    latency_warm_s=3.0,
    latency_s=5.0,
    commit_intervals_ms=(10,),
    swaps=1,
    kills=1,
    open_records=(1_000, 100_000),
)
