"""Runs and checks an application's feature function.

The function is written once, on narwhals frames, and runs unchanged on a Polars micro-batch while
serving, on DuckDB or Polars over history, and compiles to SQL through Ibis (`edml.features.sql`).
"""

from collections.abc import Mapping
from typing import Any, Final

import narwhals as nw
import polars as pl

from edml.application import Application
from edml.errors import FeatureError
from edml.features.looking import looking, lookup
from edml.features.traced import Traced

ROW: Final = "_row"
_DTYPES: Final = {"int": nw.Int64(), "float": nw.Float64(), "string": nw.String()}


def select(
    application: Application,
    events: nw.LazyFrame[Any],
    lookups: Mapping[str, nw.LazyFrame[Any]],
    *keep: str,
) -> nw.LazyFrame[Any]:
    """The application's feature columns of events, typed, on any backend of narwhals.

    ``lookups`` are the application's tables on the same backend as ``events``; ``keep`` names
    columns of ``events`` that are kept in front. Rows come in no stated order: keep a column to
    tell them apart.
    """
    wanted = [
        nw.col(name).cast(_DTYPES[column.type]) for name, column in application.columns.items()
    ]
    segment = nw.col(application.segment).cast(nw.String())
    featured = application.features(events, lookups)
    if application.segment in application.columns:
        return featured.select(*keep, *wanted)
    return featured.select(*keep, *wanted, segment)


class Features:
    """The feature function of an application, ready to be run on one batch after another.

    >>> from datetime import UTC, datetime
    >>> from edml.apps.taxi import taxi
    >>> trip = {
    ...     "pickup_at": datetime(2019, 11, 28, 19, 30, tzinfo=UTC),
    ...     "pickup_local": datetime(2019, 11, 28, 14, 30),
    ...     "pickup_zone": 161,
    ...     "dropoff_zone": 230,
    ...     "passengers": None,
    ... }
    >>> Features(taxi).compute(pl.DataFrame([trip])).row(0, named=True)
    {'day_of_week': 4, 'hour_of_day': 14, ... 'pickup_borough': 'Manhattan'}
    """

    def __init__(self, application: Application) -> None:
        lookups = {name: lookup(table) for name, table in application.lookups.items()}
        self._name = application.name
        self._run = Traced(
            lambda events: select(application, looking(events.to_native()), lookups, ROW)
        )

    def compute(self, events: pl.DataFrame) -> pl.DataFrame:
        """The segment and one column a feature, one row an event, in order.

        Raises `FeatureError` when the function fails, forgets a column, or does not keep the rows.
        """
        numbered = events.with_row_index(ROW)
        try:
            computed = self._run(numbered)
        except Exception as error:
            raise FeatureError(
                f"the features of {self._name!r} cannot be computed: "
                f"{type(error).__name__}: {error}",
                todo="add columns with `events.with_columns(...)`, and keep those that are there",
            ) from error
        found, wanted = computed.drop_in_place(ROW), numbered[ROW]
        return computed if found.equals(wanted) else self._in_order(computed, found, wanted)

    def _in_order(
        self, computed: pl.DataFrame, found: pl.Series, wanted: pl.Series
    ) -> pl.DataFrame:
        """The rows as they came in: joins may give them back in another order."""
        order = found.arg_sort()
        if found.gather(order).equals(wanted):
            return computed[order]
        lost = len(wanted) - found.n_unique()
        raise FeatureError(
            f"the features of {self._name!r} gave {len(found)} rows for {len(wanted)} events, "
            + (f"and lost {lost} of them" if lost else "and doubled some of them"),
            todo="keep every row once: join lookups with how='left', on a column of unique values",
        )


def compute(application: Application, events: pl.DataFrame) -> pl.DataFrame:
    """The features of one batch of events: `Features.compute`, for those who have only one."""
    return Features(application).compute(events)


def missing(application: Application, features: pl.DataFrame) -> pl.Series:
    """For each row, why its features cannot be given to a model (a null), or null when they can."""
    causes = [
        pl.when(pl.col(column.name).is_null()).then(pl.lit(f"feature {column.name!r} is missing"))
        for column in features.get_columns()
        if column.has_nulls() and column.name in application.columns
    ]
    if not causes:
        return pl.Series("cause", [None], pl.String).new_from_index(0, features.height)
    return features.select(cause=pl.coalesce(*causes)).to_series()
