"""Runs, checks and fingerprints an application's feature function.

The function is written once, on narwhals frames, and runs unchanged on a Polars micro-batch while
serving, on DuckDB or Polars over history, and compiles to SQL through Ibis.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import narwhals as nw
import polars as pl

from edml.application import Application, Category, Number
from edml.errors import FeatureError

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


def compute(application: Application, events: pl.DataFrame) -> pl.DataFrame:
    """The features of a batch of events: segment and one column a feature, in the batch's order.

    Raises `FeatureError` when the function fails, forgets a column, or does not keep the rows.
    """
    numbered = events.with_row_index(ROW)
    lookups = {name: nw.from_native(table.lazy()) for name, table in application.lookups.items()}
    try:
        selected = select(application, nw.from_native(numbered.lazy()), lookups, ROW)
        frame: pl.DataFrame = selected.to_native().collect()
    except (nw.exceptions.NarwhalsError, pl.exceptions.PolarsError) as error:
        raise FeatureError(
            f"the features of {application.name!r} cannot be computed: {error}",
            todo="add columns with `events.with_columns(...)`, and keep those that are there",
        ) from error
    if not frame[ROW].is_sorted():
        frame = frame.sort(ROW)
    if not frame[ROW].equals(numbered[ROW]):
        raise FeatureError(
            f"the features of {application.name!r} gave {frame.height} rows for {events.height} "
            "events",
            todo="keep every row once: join lookups with how='left', on a column unique there",
        )
    return frame.drop(ROW)


def fingerprint(application: Application) -> str:
    """A hash of what the feature columns are: their names, types and vocabularies, in order."""
    digest = hashlib.sha256()
    for name, column in application.columns.items():
        digest.update(f"{name}:{column.type}:".encode())
        if isinstance(column, Category):
            digest.update(repr(list(column.values)).encode())
    return digest.hexdigest()


def missing(application: Application, features: pl.DataFrame) -> pl.Series:
    """For each row, why its features cannot be given to a model (a null), or null when they can."""
    causes = [
        pl.when(pl.col(name).is_null()).then(pl.lit(f"feature {name!r} is missing"))
        for name, column in application.columns.items()
        if isinstance(column, (Category, Number))
    ]
    return features.select(cause=pl.coalesce(*causes)).to_series()
