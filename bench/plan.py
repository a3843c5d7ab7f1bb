"""How much is measured: the full form, and the quick one."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of one run of the bench.

    The ``backlog`` lasts the fastest peer for ``warm_s`` and ``measure_s``; whoever empties it
    sooner is measured up to its end. A peer that compiles itself while it runs warms up for
    ``compiling_warm_s``. Before a flow of events everybody works off a backlog of ``burst`` events.
    ``commit_intervals_ms`` are those of Kafka Streams with two threads, by the rate of a flow, and
    ``one_thread_ms`` those with one thread. ``peers`` names those that edml is compared with; all
    when it is empty.
    """

    quick: bool
    backlog: int
    to_score: int
    warm_s: float
    compiling_warm_s: float
    measure_s: float
    rounds: int
    burst: int
    latency_warm_s: float
    latency_s: float
    commit_intervals_ms: Mapping[int, tuple[int, ...]]
    one_thread_ms: tuple[int, ...]
    swaps: int
    kills: int
    open_records: tuple[int, ...]
    peers: tuple[str, ...] = ()

    def warmed_s(self, *, compiles: bool) -> float:
        """How long a peer warms up that compiles itself while it runs, or does not."""
        return self.compiling_warm_s if compiles else self.warm_s


FULL = Plan(
    quick=False,
    backlog=2_400_000,
    to_score=1_200_000,
    warm_s=3.0,
    compiling_warm_s=10.0,
    measure_s=7.0,
    rounds=3,
    burst=100_000,
    latency_warm_s=3.0,
    latency_s=10.0,
    commit_intervals_ms={
        500: (5, 25, 100),
        5_000: (5, 10, 25, 50, 100, 250),
        20_000: (25, 100, 250),
    },
    one_thread_ms=(10, 50),
    swaps=4,
    kills=4,
    open_records=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK = Plan(
    quick=True,
    backlog=600_000,
    to_score=300_000,
    warm_s=1.0,
    compiling_warm_s=4.0,
    measure_s=2.5,
    rounds=1,
    burst=30_000,
    latency_warm_s=1.0,
    latency_s=4.0,
    commit_intervals_ms={5_000: (50,)},
    one_thread_ms=(),
    swaps=1,
    kills=1,
    open_records=(1_000, 100_000),
)
