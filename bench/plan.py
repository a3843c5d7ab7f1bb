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
    peers: tuple[str, ...] = ()


FULL = Plan(quick=False, backlog=3_600_000, warm_s=4.0, measure_s=11.0, rounds=5)
QUICK = Plan(quick=True, backlog=1_200_000, warm_s=2.0, measure_s=4.0, rounds=1)
