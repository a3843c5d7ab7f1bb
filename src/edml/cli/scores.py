"""``edml scores``: how far each model is off, as scored so far."""

from typing import TYPE_CHECKING, Any, Final

import click

from edml.cli.options import application_option, json_option
from edml.cli.tables import console, is_wide, minute, number, print_json, table

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from edml.wiring import Cluster

COLUMNS: Final = {"segment": "segment", "window": "window_start"}
"""The column behind each word of ``--by``."""

ROLES: Final = ("champion", "challenger", "previous")
FIGURES: Final = ("predictions", "count", "missing", "invalid", "late", "duplicates")
ERRORS: Final = ("rmse", "mae", "bias")


@click.command(
    epilog="""\b
Example:
  edml scores
  edml scores --by segment --complete
  edml scores --by window --last 12
  edml scores --json | jq '.scores[] | {version, rmse}'"""
)
@application_option
@click.option(
    "--by",
    type=click.Choice(list(COLUMNS)),
    multiple=True,
    help="Tell errors apart by segment, by window of the event, or by both.",
)
@click.option("--last", type=click.IntRange(1), help="Only so many of the last windows.")
@click.option("--complete", is_flag=True, help="Only windows in which no outcome is awaited.")
@json_option
def command(
    app: str | None, by: tuple[str, ...], last: int | None, *, complete: bool, as_json: bool
) -> None:
    """Show count, RMSE, MAE and bias of each model, by version and role.

    A window is complete when the longest wait for an outcome is over. Before, only the outcomes
    that came soon are there: the error of an open window is biased, and is marked.
    """
    from edml import wiring

    columns = [COLUMNS[each] for each in dict.fromkeys(by)]
    with wiring.cluster(app) as cluster:
        outcome = cluster.application.outcome
        found = _windows(cluster)
    starts = found["window_start"].unique().sort()
    if last is not None:
        found = found.filter(found["window_start"].is_in(starts.tail(last).implode()))
    if complete:
        found = found.filter("complete")
    rows = _rows(found, columns)
    if as_json:
        print_json({"unit": outcome.unit, "label": outcome.label, "scores": rows})
    elif rows:
        console().print(_table(rows, columns, outcome.unit))
        if not all(row["windows"] == row["complete_windows"] for row in rows):
            click.echo("* not all windows are complete: --complete leaves out the open ones.")
    elif starts.is_empty():
        click.echo("Nothing is scored yet: `edml serve` predicts, `edml score` scores.")
    else:
        click.echo(f"None of {len(starts)} windows is complete yet: outcomes are still awaited.")


def _windows(cluster: "Cluster") -> "pl.DataFrame":
    """The sums of each version, role, segment and window."""
    import polars as pl

    from edml.kafka.codec.schema import avro_schema
    from edml.kafka.spans import span
    from edml.kafka.tail import read
    from edml.scoring.reading import windows
    from edml.scoring.records import Score

    app, client = cluster.application, cluster.settings.client()
    partitions = len(span(client, app.predictions_topic).end)
    scores = read(
        client, cluster.registry, app.scores_topic, schema=avro_schema(Score), latest=True
    ).frame
    return windows(scores.filter(pl.col("application") == app.name), partitions)


def _rows(windows: "pl.DataFrame", columns: list[str]) -> list[dict[str, Any]]:
    """One row a version and role, and what else errors are told apart by."""
    if windows.is_empty():
        return []
    import polars as pl

    from edml.scoring.reading import summary

    keys = ["version", "role", *columns]
    # The segments of one window are complete together: count windows, not segments.
    once = windows.unique([*keys, "window_start"])
    counts = once.group_by(keys).agg(complete_windows=pl.col("complete").sum(), windows=pl.len())
    found = summary(windows, *keys, complete_only=False).drop("windows").join(counts, on=keys)
    rows = found.select(*keys, "windows", "complete_windows", *FIGURES, *ERRORS).to_dicts()
    return sorted(
        rows,
        key=lambda row: (
            *(row[each] for each in columns),
            ROLES.index(row["role"]),
            row["version"],
        ),
    )


def _table(rows: list[dict[str, Any]], columns: list[str], unit: str) -> "Table":
    wide = is_wide()
    figures = [_figures(row, columns, wide=wide) for row in rows]
    names = [each.removesuffix("_start") for each in columns]
    right = tuple(figures[0])
    whole = ("version", "role") if wide and not columns else ("role",)
    made = table("version", "role", *names, *right, right=right, whole=whole)
    made.caption = f"Errors in {unit}; windows: complete ones of all"
    made.caption_justify = "left"
    for row, shown in zip(rows, figures, strict=True):
        apart = [minute(row[each]) if each == "window_start" else row[each] for each in columns]
        made.add_row(row["version"], row["role"], *apart, *shown.values())
    return made


def _figures(row: dict[str, Any], columns: list[str], *, wide: bool) -> dict[str, str]:
    """The numbers of a row, by heading; the less important ones where there is room."""
    open_mark = "" if row["windows"] == row["complete_windows"] else "*"
    shown = {}
    if wide or not columns:
        shown["windows"] = f"{row['complete_windows']:,}/{row['windows']:,}"
    shown["scored"] = f"{row['count']:,}"
    if wide and not columns:
        shown |= {each: f"{row[each]:,}" for each in ("missing", "invalid", "late")}
    shown["RMSE"] = f"{number(row['rmse'])}{open_mark}"
    if wide or not columns:
        shown["MAE"] = number(row["mae"])
    shown["bias"] = number(row["bias"])
    return shown
