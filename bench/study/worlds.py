"""Generated streams: a city that changes at once, slowly, with the seasons, or not at all.

Trips of the city before its change of regime and after it are mixed: a share of each day's trips is
of the changed city. The share is what makes a stream abrupt, gradual or seasonal.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from bench.study.plan import TAXIS, Plan
from edml.application import Simulation
from edml.apps.taxi_city import FILE, ORIGIN, simulated
from edml.trainer.span import Span

PER_DAY: Final = 329
"""As many trips as the sample of real ones has."""

_SEED: Final = 7
_CHANGED: Final = date(2020, 3, 11)
_SLOWLY_DAYS: Final = 60
_MOST_SEASONAL: Final = 0.3
_ALWAYS: Final = date(2000, 1, 1)


def _abrupt(day: date) -> float:
    return float(day >= _CHANGED)


def _gradual(day: date) -> float:
    return min(max((day - _CHANGED).days / _SLOWLY_DAYS, 0.0), 1.0)


def _seasonal(day: date) -> float:
    year = day.timetuple().tm_yday / 365.25
    return _MOST_SEASONAL * (1 - math.cos(2 * math.pi * year)) / 2


def _never(day: date) -> float:
    del day
    return 0.0


SHARES: Final[Mapping[str, Callable[[date], float]]] = {
    "abrupt": _abrupt,
    "gradual": _gradual,
    "seasonal": _seasonal,
    "no drift": _never,
}
"""Which share of a day's trips is of the changed city."""

_QUIET: Final = replace(TAXIS, normal=TAXIS.tested, changed=None, recovered=None)
PLANS: Final[Mapping[str, Plan]] = {
    "abrupt": TAXIS,
    "gradual": replace(TAXIS, recovered=Span(date(2020, 4, 1), date(2020, 7, 1))),
    "seasonal": _QUIET,
    "no drift": _QUIET,
}


def write(folder: Path, name: str, span: Span) -> Path:
    """Write a world's months as the TLC does, unless they are there; gives back the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    months = pl.date_range(span.start, span.end, "1mo", closed="left", eager=True)
    for month in months.dt.strftime("%Y-%m"):
        path = folder / FILE.format(month=month)
        if not path.exists():
            mixed(month, SHARES[name]).write_parquet(
                path, metadata={ORIGIN: f"trips of a simulated city, {name}"}
            )
    return folder


def mixed(month: str, share: Callable[[date], float]) -> pl.DataFrame:
    """A month's trips: each is of one of two cities, by chance."""
    begins = "tpep_pickup_datetime"
    cities = [
        simulated(month, Simulation(per_day=PER_DAY, seed=_SEED, regime_change=change))[0].collect()
        for change in (None, _ALWAYS)
    ]
    random = np.random.default_rng([_SEED, int(month.replace("-", ""))])
    kept = []
    for changed, trips in enumerate(cities):
        shares = np.array([share(each) for each in trips[begins].dt.date()])
        drawn = random.random(trips.height) < (shares if changed else 1 - shares)
        kept.append(trips.filter(pl.Series(drawn)))
    return pl.concat(kept).sort(begins, maintain_order=True)
