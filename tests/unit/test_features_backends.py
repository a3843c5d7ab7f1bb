import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import ibis
import narwhals as nw
import polars as pl
import pytest
import sqlglot
from polars.testing import assert_frame_equal
from sqlglot import exp

from edml import features
from edml.application import Application, dtypes_of
from edml.apps.taxi import taxi
from edml.errors import DataError
from edml.features import sql
from tests.parcels import parcels
from tests.trips import trips

BY_HAND = trips(1000).with_columns(
    pickup_zone=pl.when(pl.col("pickup_zone") % 50 == 0).then(pl.lit(265)).otherwise("pickup_zone"),
    passengers=pl.when(pl.col("passengers") > 0).then("passengers"),
)


def of(application: Application) -> pl.DataFrame:
    """Events of an application: real ones where there are, else some made by hand."""
    if application is parcels:
        past = parcels.history(None, date(2026, 1, 1), date(2026, 2, 1)).frame
    elif "EDML_DATA" in os.environ:
        data = Path(os.environ["EDML_DATA"])
        past = taxi.history(data, date(2019, 11, 20), date(2019, 12, 1)).frame
    else:
        past = BY_HAND
    return past.select(dtypes_of(application.event.schema).names())


def on_duckdb(application: Application, events: pl.DataFrame) -> pl.DataFrame:
    """The features computed by DuckDB."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        relation = connection.from_arrow(events.to_arrow())
        key = application.event.key
        found: pl.DataFrame = sql.on_duckdb(application, relation, connection, key).pl()
        return found


def on_ibis(application: Application, events: pl.DataFrame) -> pl.DataFrame:
    """The features computed by Ibis, on a DuckDB of its own."""
    table = ibis.memtable(events)
    featured = sql.on_ibis(application, table, application.event.key)
    return pl.DataFrame(ibis.duckdb.connect().to_polars(featured))


def on_lazy_polars(application: Application, events: pl.DataFrame) -> pl.DataFrame:
    """The features computed by Polars, as over a history: optimised, in no stated order."""
    lookups = {name: nw.from_native(each.lazy()) for name, each in application.lookups.items()}
    plan: pl.LazyFrame = features.select(
        application, nw.from_native(events.lazy()), lookups, application.event.key
    ).to_native()
    return plan.collect()


@pytest.mark.parametrize("compute", [on_duckdb, on_ibis, on_lazy_polars])
@pytest.mark.parametrize("application", [taxi, parcels], ids=lambda each: each.name)
def test_backends_agree(
    application: Application, compute: Callable[[Application, pl.DataFrame], pl.DataFrame]
) -> None:
    """Row for row, the features over history are those of a batch while serving."""
    events = of(application)
    key = application.event.key
    served = events.select(key).hstack(features.compute(application, events))
    found = compute(application, events)
    assert served.height > 100
    assert_frame_equal(served.sort(key), found.sort(key), abs_tol=1e-12, rel_tol=1e-12)


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake", "postgres", "duckdb"])
@pytest.mark.parametrize("application", [taxi, parcels], ids=lambda each: each.name)
def test_warehouse_sql(application: Application, dialect: str) -> None:
    """The warehouse's SQL parses in its dialect: one column a feature, from events and lookups."""
    query = sqlglot.parse_one(sql.sql(application, dialect, events="past"), dialect=dialect)
    assert isinstance(query, exp.Select)
    expected = [application.event.key, *application.columns]
    if application.segment not in application.columns:
        expected.append(application.segment)
    assert expected == [each.lower() for each in query.named_selects]
    assert {"past", *application.lookups} <= {each.name for each in query.find_all(exp.Table)}


def test_warehouse_sql_computes_the_features() -> None:
    """Run where it can be run, the query gives the features."""
    events = of(parcels)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("past", events.to_arrow())
        connection.register("depots", parcels.lookups["depots"].to_arrow())
        found = connection.sql(sql.sql(parcels, "duckdb", events="past")).pl()
    served = events.select("parcel").hstack(features.compute(parcels, events))
    assert_frame_equal(served.sort("parcel"), found.sort("parcel"), abs_tol=1e-12)


def test_sql_of_an_unknown_dialect() -> None:
    """Who asks for a dialect that there is not is told which there are."""
    with pytest.raises(DataError, match="no dialect 'dbase'"):
        sql.sql(parcels, "dbase")
