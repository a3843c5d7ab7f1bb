"""A part of the trips where there are millions: the demo shows a loop, not a large training."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Final

import polars as pl

from edml.demo.months import Months, files

MOST: Final = 15_000
"""So many rows of a month are enough."""


def thinned(data: Path, months: Months, into: Path, tell: Callable[[str], None]) -> Path:
    """The folder to use: ``data``, or ``into`` with every n-th row of months that have many.

    ``tell`` is told which month is being read.
    """
    found = {month: path for month, path in files(data).items() if month in months.each}
    sizes = {month: _rows(path) for month, path in found.items()}
    if max(sizes.values()) <= MOST:
        return data
    into.mkdir(parents=True)
    for month, path in found.items():
        tell(f"taking {MOST:,} trips of the {sizes[month]:,} of {month}")
        every = ceil(sizes[month] / MOST)
        pl.scan_parquet(path).gather_every(every).sink_parquet(into / path.name)
    return into


def _rows(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())
