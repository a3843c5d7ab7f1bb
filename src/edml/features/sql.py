"""The feature function where the data is: on DuckDB, on Ibis, and as a warehouse's SQL.

The same lines as while serving; the lookup tables go where the events are. Needs the extra
``edml[history]``.
"""

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from edml.application import Application, dtypes_of
from edml.errors import DataError
from edml.features import select

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation


def on_duckdb(
    application: Application,
    events: "DuckDBPyRelation",
    connection: "DuckDBPyConnection",
    *keep: str,
) -> "DuckDBPyRelation":
    """The features of events that are a relation of this connection, in no stated order.

    >>> import duckdb
    >>> from edml.apps.taxi import taxi
    >>> connection = duckdb.connect()
    >>> trips = connection.sql(
    ...     "select 'a' as uuid, timestamp '2019-11-28 14:30' as pickup_local, 161 as pickup_zone, "
    ...     "230 as dropoff_zone, 2 as passengers"
    ... )
    >>> on_duckdb(taxi, trips, connection, "uuid").select(
    ...     "uuid, hour_of_day, pickup_borough"
    ... ).fetchall()
    [('a', 14, 'Manhattan')]
    """
    lookups = {
        name: nw.from_native(connection.from_arrow(table.to_arrow()))
        for name, table in application.lookups.items()
    }
    featured: DuckDBPyRelation = select(
        application, nw.from_native(events), lookups, *keep
    ).to_native()
    return featured


def on_ibis(application: Application, events: Any, *keep: str) -> Any:
    """The features of events that are an Ibis table, as an Ibis table, in no stated order."""
    import ibis

    lookups = {
        name: nw.from_native(ibis.memtable(table)) for name, table in application.lookups.items()
    }
    return select(application, nw.from_native(events), lookups, *keep).to_native()


def sql(application: Application, dialect: str = "bigquery", *, events: str = "events") -> str:
    """The query that computes the features in a warehouse, with the event's key in front.

    The table ``events`` has a column for each field of the event; each lookup is a table of its
    own name. ``dialect`` is one that Ibis can write: ``bigquery``, ``snowflake``, ``postgres``…
    Raises `DataError` when it is none.
    """
    import ibis

    def table(name: str, schema: pl.Schema) -> nw.LazyFrame[Any]:
        unbound: Any = ibis.table(ibis.Schema.from_polars(schema), name=name)
        frame: nw.LazyFrame[Any] = nw.from_native(unbound)
        return frame

    lookups = {name: table(name, frame.schema) for name, frame in application.lookups.items()}
    typed = table(events, dtypes_of(application.event.schema))
    featured = select(application, typed, lookups, application.event.key)
    try:
        return str(ibis.to_sql(featured.to_native(), dialect=dialect))
    except ValueError as error:
        raise DataError(
            f"there is no dialect {dialect!r}",
            todo="choose one that Ibis can write: bigquery, snowflake, postgres, duckdb…",
        ) from error
