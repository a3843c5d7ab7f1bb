"""``edml backtest``: the past once more, through another model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from edml.cli.dates import Moment
from edml.cli.options import application_option, json_option
from edml.cli.pages import write_page
from edml.cli.tables import console, is_wide, minute, number, print_json, table
from edml.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from edml.backtesting.recording import Moments, Recording
    from edml.backtesting.run import Load, Result
    from edml.serving.served import Predicts
    from edml.wiring import Cluster

TOLERANCE: Final = 1e-5
SHOWN: Final = 5


@click.command(
    epilog="""\b
Example:
  edml backtest --model build/model --from 2020-03 --to 2020-04 --data trips/
  edml backtest --model 1a2b3c4-2 --from 2026-11-23 --to 2026-11-24 --output backtest.html
  edml backtest --as-of live --from 2026-11-23T10:00Z --to 2026-11-23T11:00Z
  edml backtest --model 1a2b3c4-2 --json | jq '.models[] | {role, version, rmse}'"""
)
@click.option("--model", "name", metavar="V", help="A published version, or an artefact's folder.")
@click.option(
    "--against",
    "others",
    metavar="V",
    multiple=True,
    help="Another model to play beside it; may be given several times.",
)
@click.option(
    "--from", "start", type=Moment("first"), metavar="DAY", help="The first month, day or time."
)
@click.option(
    "--to", "end", type=Moment("last"), metavar="DAY", help="The last month or day, included."
)
@click.option(
    "--as-of",
    type=click.Choice(["live"]),
    help="Predict with the models that were champion then, and compare with what is recorded.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=TOLERANCE,
    show_default=True,
    help="How far that may be apart; relative to the prediction where this is more than 1.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of past events instead of the log.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page with plots, too: one HTML file that needs nothing else.",
)
@application_option
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    name: str | None,
    others: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    as_of: Literal["live"] | None,
    tolerance: float,
    data: Path | None,
    output: Path | None,
    app: str | None,
    threads: int,
    as_json: bool,
) -> None:
    """Play past events through a model, and compare it with those that were live then.

    Events are read from the log, from its beginning to its end, or from a folder of history with
    --data. The span is one of the events' own times, in UTC on the log, in local days in a folder.
    Nothing is written, no consumer group is joined: what serves now notices nothing.

    With --as-of live, each event is predicted by the model that was champion when it was served, as
    the recorded prediction names it. The exit code is 1 when a prediction comes out differently.
    """
    from edml.backtesting.document import document
    from edml.reports.backtest import backtest_page

    asked = Asked(name, tuple(others), start, end, as_of, data, threads)
    asked.check()
    with _cluster(asked, app) as cluster:
        result = _result(cluster, asked)
        found = document(cluster.application, result, tolerance)
    if output is not None:
        write_page(output, backtest_page(found, datetime.now(UTC)))
    if as_json:
        print_json(found)
    else:
        _show(found)
    again = found["as_of_live"]
    if again is not None and again["differing"]:
        context.exit(1)


@dataclass(frozen=True)
class Asked:
    """What is to be played, through what."""

    name: str | None
    others: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    as_of: Literal["live"] | None
    data: Path | None
    threads: int

    def check(self) -> None:
        """Raise `UsageError` for what makes no sense together."""
        if self.name is None and self.as_of is None:
            raise UsageError(
                "it is not said which model to play the past through",
                todo="name one with --model, or take those that were live with --as-of live",
            )
        if self.name is None and self.others:
            raise UsageError("--against needs a --model that is compared with it")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(
                f"nothing lies from {self.start} to before {self.end}",
                todo="name an end that is not before the start",
            )
        if self.data is None:
            return
        if self.as_of is not None:
            raise UsageError(
                "what was live is known of events on the log alone",
                todo="leave out --data, or --as-of live",
            )
        for moment in (self.start, self.end):
            if moment is None or moment.time() != time():
                raise UsageError(
                    "a folder of history is read by whole days",
                    todo="name them with --from 2020-03-01 --to 2020-03-31",
                )


@contextmanager
def _cluster(asked: Asked, app: str | None) -> "Iterator[Cluster]":
    """The cluster, for the application that is named, or that the candidate's artefact is for."""
    from edml import wiring
    from edml.cli.named_models import artefact_at

    artefact = None if asked.name is None else artefact_at(asked.name)
    its_own = None if artefact is None else artefact.description.application
    with wiring.cluster(app or its_own) as cluster:
        yield cluster


def _result(cluster: "Cluster", asked: Asked) -> "Result":
    from edml.backtesting.recording import Moments
    from edml.backtesting.run import run

    moments = Moments(asked.start, asked.end)
    models = _models(cluster, asked)
    with _recording(cluster, asked, moments) as recording:
        # History is read by local days: the folder's own span is the one that is asked for.
        span = moments if asked.data is None else Moments()
        live = None if asked.as_of is None else _live(cluster, asked.threads)
        result = run(
            cluster.application,
            recording,
            span,
            datetime.now(UTC),
            models=models,
            as_of_live=live,
        )
    if not result.events:
        raise DataError(
            f"there are no events of {_told(moments)}",
            where=str(asked.data or cluster.application.event.topic),
            todo="see what there is with `edml data`"
            if asked.data
            else "choose another span; `edml topics` shows how many records there are",
        )
    if result.compared is not None and result.compared.is_empty():
        raise DataError(
            f"no prediction of a champion is recorded for events of {_told(moments)}",
            where=cluster.application.predictions_topic,
            todo="choose another span, or serve first: `edml serve`",
        )
    return result


def _models(cluster: "Cluster", asked: Asked) -> "dict[str, Predicts]":
    """The candidate and the models beside it, by version."""
    from edml.cli.named_models import find, load

    found = [find(cluster, each) for each in (asked.name, *asked.others) if each is not None]
    versions = [each.version for each in found]
    if len(set(versions)) < len(versions):
        raise UsageError(f"a model is named twice: {', '.join(versions)}")
    return {each.version: load(cluster.application, each, asked.threads) for each in found}


def _live(cluster: "Cluster", threads: int) -> "Load":
    """Loads published models by their versions."""
    from edml.cli.named_models import load, published_models

    def of(version: str) -> "Predicts":
        with published_models(cluster) as models:
            if version not in models.versions:
                raise DataError(
                    f"version {version} has answered, but is not published any more",
                    where=cluster.control.models,
                    todo="publish it again from its folder, or choose a span without it",
                )
            return load(cluster.application, models.model(version), threads)

    return of


@contextmanager
def _recording(cluster: "Cluster", asked: Asked, moments: "Moments") -> "Iterator[Recording]":
    """The past that is asked for, with a display of how far it is read."""
    from edml.backtesting.recording import of_history
    from edml.cli.playing_progress import playing_progress

    app = cluster.application
    if asked.data is not None and moments.start is not None and moments.end is not None:
        past = app.history(asked.data, moments.start.date(), moments.end.date())
        with playing_progress("Playing history", past.frame.height) as tell:
            yield of_history(app, past, tell)
        return
    playback = cluster.playback()
    topics = (app.predictions_topic, app.event.topic, app.outcome.topic)
    with playing_progress("Playing the log", playback.records(*topics)) as tell:
        yield playback.recording(app, tell)


def _told(moments: "Moments") -> str:
    """A span, as a person says it."""
    start, end = (
        None if each is None else f"{each:%Y-%m-%d %H:%M} UTC"
        for each in (moments.start, moments.end)
    )
    if start is None and end is None:
        return "any time"
    return " ".join(
        [*([] if start is None else [f"from {start}"]), *([] if end is None else [f"to {end}"])]
    )


def _show(found: dict[str, Any]) -> None:
    out = console()
    click.echo(
        f"{found['events']:,} events from {minute(found['first'])} to {minute(found['last'])} UTC"
    )
    if found["models"]:
        out.print(_table(found["models"], found["unit"]))
    else:
        click.echo("No prediction has an outcome that counts: there are no errors to tell.")
    for cause, count in found["left_out"].items():
        click.echo(f"  {count:,} events left out: {cause}")
    for topic, count in found["undecodable"].items():
        click.echo(f"  {count:,} records of {topic} cannot be decoded")
    if found["as_of_live"] is not None:
        _show_again(found["as_of_live"])


def _table(models: Sequence[dict[str, Any]], unit: str) -> "Table":
    wide = is_wide()
    more = ("MAE", "shared", "candidate") if wide else ()
    right = ("scored", "RMSE", "bias", "candidate MSE", *more)
    heads = ("scored", "RMSE", *more[:1], "bias", *more[1:], "candidate MSE")
    made = table("role", "version", *heads, right=right, whole=("role", "version") if wide else ())
    made.caption = (
        f"Errors in {unit}; candidate MSE: its mean squared error beside this one's, on the events "
        "that both have predicted"
    )
    made.caption_justify = "left"
    for row in models:
        figures = {
            "scored": f"{row['count']:,}",
            "RMSE": number(row["rmse"]),
            "MAE": number(row["mae"]),
            "bias": number(row["bias"]),
            "shared": "" if row["shared"] is None else f"{row['shared']:,}",
            "candidate": number(row["candidate_rmse"]),
            "candidate MSE": _beside(row),
        }
        made.add_row(row["role"], row["version"], *(figures[each] for each in heads))
    return made


def _beside(row: dict[str, Any]) -> str:
    """By how much the candidate's mean squared error is larger, or smaller, than this one's."""
    if row["shared"] in {None, 0}:
        return ""
    candidate = row["candidate_rmse"] ** 2
    return f"{-row['gain'] / (candidate + row['gain']):+.1%}"


def _show_again(again: dict[str, Any]) -> None:
    click.echo(
        f"As of live: {again['compared']:,} recorded predictions of {len(again['versions'])} "
        f"versions are compared; {again['differing']:,} differ by more than {again['tolerance']:g}."
    )
    if again["largest"] is not None:
        click.echo(f"  The largest difference is {again['largest']:.2g}.")
    for row in again["worst"]:
        now = "none" if row["again"] is None else f"{row['again']:.6f}"
        click.echo(
            f"  {row['uuid']}: {row['recorded']:.6f} was recorded, {row['version']} now gives {now}"
        )
    if again["unanswered"]:
        click.echo(f"  {again['unanswered']:,} events have no recorded prediction of a champion.")
    if again["without_event"]:
        click.echo(f"  Of {again['without_event']:,} recorded predictions, the events are gone.")
