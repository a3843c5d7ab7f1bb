"""A function on narwhals frames, traced once and then run on one Polars batch after another.

To walk through such a function costs milliseconds, which a single record would pay alone. So the
function is shown a lazy frame whose rows are not there yet, and gives back Polars' plan of what
is to be done with them; from then on, only the plan is run.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final

import narwhals as nw
import polars as pl
from polars.io.plugins import register_io_source

_AS_TRACED: Final = pl.QueryOptFlags.none()
"""To optimise the plan of a few small joins takes longer than to run it."""

_ENGINE: Final = "in-memory"
"""The streaming engine starts its tasks anew for each batch, which takes twice as long."""


class Traced:
    """A pure function from lazy frame to lazy frame. Threads take turns.

    A function that looks into the frame (``collect``) is called for each batch instead.
    """

    def __init__(self, function: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]) -> None:
        self._function = function
        self._columns: tuple[list[str], list[pl.DataType]] | None = None
        self._plan: pl.LazyFrame | None = None
        self._batch = pl.DataFrame()
        self._looked_into = False
        self._lock = Lock()

    def __call__(self, batch: pl.DataFrame) -> pl.DataFrame:
        """What the function makes of a batch."""
        with self._lock:
            columns = batch.columns, batch.dtypes
            if columns != self._columns:
                self._plan = self._traced(batch.clear())
                self._columns = columns
            if self._plan is None:
                plan: pl.LazyFrame = self._function(nw.from_native(batch.lazy())).to_native()
                return plan.collect()
            self._batch = batch
            return self._plan.collect(optimizations=_AS_TRACED, engine=_ENGINE)

    def _traced(self, empty: pl.DataFrame) -> pl.LazyFrame | None:
        """The plan for all batches with such columns, or None."""
        self._batch, self._looked_into = empty, False
        source = register_io_source(self._rows, schema=empty.schema)
        plan: pl.LazyFrame = self._function(nw.from_native(source)).to_native()
        return None if self._looked_into else plan

    def _rows(
        self,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        count: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        """Polars asks for the rows: those of the batch at hand."""
        del batch_size
        self._looked_into = True
        rows = self._batch
        if predicate is not None:
            rows = rows.filter(predicate)
        if count is not None:
            rows = rows.head(count)
        yield rows if columns is None else rows.select(columns)
