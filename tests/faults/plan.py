"""How much of each fault: little beside all other tests, much when it is asked for.

``FAULTS=long`` asks for it (`make faults` does), and ``FAULTS_<FIELD>=N`` changes one count, such
as ``FAULTS_KILLS=20``. Nothing else differs between the two forms.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from tests.form import LONG


@dataclass(frozen=True)
class Plan:
    """Counts, and durations in seconds; rates in events per second.

    ``report`` says whether one is written.
    """

    rate: int = 500
    seed: int = 1
    kills: int = 2
    strikes: int = 1
    frozen_s: int = 4
    dead_s: int = 1
    stutters: int = 4
    instances: int = 2
    rounds: int = 1
    stops: int = 1
    hostile: int = 10_000
    mutants: int = 2_500
    examples: int = 40
    timeout_ms: int = 3_000
    soak_s: int = 0
    soak_rate: int = 2_000
    report: int = 0

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The plan that the environment asks for."""
        plan = LONG_FORM if LONG else SHORT_FORM
        counts = {each.name: f"FAULTS_{each.name.upper()}" for each in fields(cls)}
        told = {name: int(environment[v]) for name, v in counts.items() if v in environment}
        return replace(plan, **told)  # type: ignore[return-value]


SHORT_FORM = Plan()
LONG_FORM = Plan(
    rate=1_000,
    kills=100,
    strikes=3,
    frozen_s=30,
    dead_s=25,
    stutters=40,
    instances=4,
    rounds=3,
    stops=20,
    hostile=200_000,
    mutants=25_000,
    examples=1_000,
    timeout_ms=10_000,
    soak_s=1_200,
    report=1,
)
