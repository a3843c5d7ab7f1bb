"""``edml query``: SQL over topics."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from edml.cli.options import application_option, json_option
from edml.cli.tables import console, print_json, table
from edml.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    from rich.table import Table

    from edml.wiring import Cluster

SHOWN: Final = 100

GAP: Final = 3
"""Columns of the terminal between two columns of a table."""


@click.command(
    epilog="""\b
Example:
  edml query "SELECT version, count(*), avg(prediction) FROM taxi_predictions GROUP BY ALL"
  edml query "SELECT cause, count(*) FROM edml_dead_letters GROUP BY cause"
  edml query --json --last 1000 "SELECT uuid, _partition, _offset FROM taxi_pickups" """
)
@click.argument("sql")
@application_option
@click.option(
    "--last", type=click.IntRange(1), help="Read only so many of the last records of each topic."
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=SHOWN,
    show_default=True,
    help="Show so many rows at most.",
)
@json_option
def command(sql: str, app: str | None, last: int | None, limit: int, *, as_json: bool) -> None:
    """Ask topics in SQL, as DuckDB has it.

    Every topic is a table, with underscores for the dots and dashes in its name. It has a column
    for each field and, beside these, _partition, _offset and _timestamp. Topics that a query names
    are read to their end first; what cannot be decoded is left out, and counted.
    """
    from edml import wiring

    connection = _connection()
    with wiring.cluster(app) as cluster:
        tables = _tables(cluster)
        for name in _named(connection, sql, list(tables)):
            frame, bad = _read(cluster, tables[name], last)
            connection.register(name, frame)
            if bad:
                click.echo(f"{tables[name]}: {bad:,} records cannot be decoded", err=True)
    found = _asked(connection, sql)
    shown = found.head(limit)
    if as_json:
        print_json(shown.to_dicts())
    else:
        _print(shown)
    if found.height > limit:
        click.echo(f"… {found.height - limit:,} rows more: see them with --limit", err=True)


def _connection() -> "duckdb.DuckDBPyConnection":
    try:
        import duckdb
    except ImportError as error:
        raise UsageError(
            "queries need DuckDB, which is not installed",
            todo="install it with `pip install 'edml[history]'`",
        ) from error
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _tables(cluster: "Cluster") -> dict[str, str]:
    """The topic behind each table's name."""
    from edml.kafka.spans import topic_names

    names = topic_names(cluster.settings.client())
    return {name.replace(".", "_").replace("-", "_"): name for name in names}


def _named(connection: "duckdb.DuckDBPyConnection", sql: str, tables: Sequence[str]) -> list[str]:
    """The tables that a query names; a name that no topic has may be DuckDB's to know."""
    import duckdb

    try:
        named = {name.strip('"') for name in connection.get_table_names(sql)}
    except duckdb.Error as error:
        raise _refused(error) from error
    # DuckDB takes names in upper and lower case alike.
    lower = {name.lower() for name in named}
    unknown = [each for each in sorted(named) if each.lower() not in {t.lower() for t in tables}]
    for name in unknown:
        if name.replace("_", "").isalnum() and not _is_known(connection, name):
            near = get_close_matches(name.lower(), tables, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"there is no topic behind the table {name}",
                todo=f"{meant}The tables are {', '.join(tables) or 'none yet: see `edml topics`'}",
            )
    return [each for each in tables if each.lower() in lower]


def _is_known(connection: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Whether DuckDB has a table or a view of this name."""
    found = connection.execute(
        "SELECT count(*) FROM (SELECT view_name AS name FROM duckdb_views() "
        "UNION ALL SELECT table_name FROM duckdb_tables()) WHERE name = lower(?)",
        [name],
    ).fetchone()
    return found is not None and bool(found[0])


def _read(cluster: "Cluster", topic: str, last: int | None) -> "tuple[pl.DataFrame, int]":
    """The records of a topic as a frame, and how many cannot be decoded."""
    from edml.kafka.codec.schema import avro_schema
    from edml.kafka.dead_letters import dead_letters, frame
    from edml.kafka.tail import read
    from edml.scoring.records import Score, scored_schema
    from edml.serving.records import prediction_schema

    client = cluster.settings.client()
    if topic == cluster.dead_letters:
        letters = dead_letters(client, topic)
        return frame(letters if last is None else letters[-last:]), 0
    app = cluster.application
    # Nobody may have written to these yet; what we would write is known all the same.
    ours = {
        app.predictions_topic: prediction_schema(app),
        app.scored_topic: scored_schema(app),
        app.scores_topic: avro_schema(Score),
    }
    found = read(client, cluster.registry, topic, schema=ours.get(topic), last=last)
    return found.frame, len(found.bad)


def _asked(connection: "duckdb.DuckDBPyConnection", sql: str) -> "pl.DataFrame":
    import duckdb

    try:
        relation = connection.sql(sql)
        if relation is None:
            raise UsageError(
                "the query has no rows to show", todo='give one that has: "SELECT … FROM …"'
            )
        found: pl.DataFrame = relation.pl()
    except duckdb.Error as error:
        raise _refused(error) from error
    return found


def _refused(error: Exception) -> UsageError:
    return UsageError(
        f"DuckDB refuses the query: {error}",
        todo='see the columns of a table with `edml query "DESCRIBE taxi_predictions"`',
    )


def _print(frame: "pl.DataFrame") -> None:
    out = console()
    if frame.is_empty():
        click.echo(f"No rows. The columns are {', '.join(frame.columns)}.")
        return
    if sum(len(name) + GAP for name in frame.columns) > out.width:
        for record in frame.iter_rows(named=True):
            out.print(_record(record))
        return
    numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric()]
    shown = table(*frame.columns, right=numbers)
    for row in frame.iter_rows():
        shown.add_row(*("" if value is None else _cell(value) for value in row))
    out.print(shown)


def _record(row: dict[str, Any]) -> "Table":
    """A row by itself, for a table that would be too wide."""
    shown = table("column", "value")
    for name, value in row.items():
        shown.add_row(name, "" if value is None else _cell(value))
    return shown


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items())
    return str(value)
