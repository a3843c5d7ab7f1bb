"""``edml data``: how one comes by past events, and what is in them."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edml.cli.dates import Day
from edml.cli.options import application_option, json_option
from edml.errors import UsageError

if TYPE_CHECKING:
    from edml.application import Application, Past
    from edml.settings import Settings

FOLDER: Final = click.Path(path_type=Path, file_okay=False)

LEVELS: Final = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)

output_option = click.option(
    "--output",
    type=FOLDER,
    help="The folder for the files.  [default: EDML_DATA, or .edml/data]",
)


@click.group(
    epilog="""\b
Example:
  edml data fetch --month 2019-10 --month 2019-11
  edml data simulate --from 2019-01 --to 2019-12 --output city
  edml data describe --data city --from 2019-11 --to 2019-11"""
)
def command() -> None:
    """Fetch, simulate and describe past events."""


@command.command(
    epilog="""\b
Example:
  edml data fetch --month 2019-10 --month 2019-11
  edml data fetch --from 2019-01 --to 2019-12 --output trips"""
)
@application_option
@click.option(
    "--month",
    "months",
    type=Day("first"),
    metavar="MONTH",
    multiple=True,
    help="Such as 2019-04; as often as you like.",
)
@click.option("--from", "start", type=Day("first"), metavar="MONTH", help="Or the first of many …")
@click.option("--to", "end", type=Day("last"), metavar="MONTH", help="… and the last, included.")
@output_option
@click.option("--from-url", metavar="URL", help="Fetch from a mirror instead of the publisher.")
@json_option
def fetch(
    *,
    app: str | None,
    months: tuple[date, ...],
    start: date | None,
    end: date | None,
    output: Path | None,
    from_url: str | None,
    as_json: bool,
) -> None:
    """Download past events where their owner publishes them.

    What is here already is checked by its sha256 and not fetched again; a download that breaks off
    is continued.
    """
    from edml import downloads
    from edml.application.finding import find_application
    from edml.cli.download_progress import download_progress
    from edml.cli.tables import print_json
    from edml.settings import Settings

    settings = Settings.read()
    application = find_application(app or settings.application)
    if application.downloads is None:
        raise UsageError(
            f"nobody publishes past events of {application.name}",
            todo="see with `edml data simulate --help` whether they can be simulated",
        )
    folder = _folder(output, settings)
    base = (from_url or application.downloads.url).rstrip("/")
    paths = application.downloads.paths(_months(months, start, end))
    found = []
    with download_progress() as progress:
        for path in paths:
            file, outcome = downloads.fetch(f"{base}/{path}", folder, progress)
            entry = downloads.manifest(folder)[file.name]
            found.append({"file": str(file), "outcome": outcome, **asdict(entry)})
            if not as_json:
                click.echo(f"{file}  {entry.size_bytes / 1e6:,.1f} MB, {outcome}")
    if as_json:
        print_json(found)


@command.command(
    epilog="""\b
Example:
  edml data simulate --from 2019-01 --to 2019-12
  edml data simulate --from 2019-01 --to 2020-06 --regime-change 2020-03-22 --output city"""
)
@application_option
@click.option(
    "--from", "start", type=Day("first"), required=True, metavar="MONTH", help="The first month."
)
@click.option(
    "--to", "end", type=Day("last"), required=True, metavar="MONTH", help="The last one, included."
)
@click.option(
    "--per-day",
    type=click.IntRange(1),
    default=1_000,
    show_default=True,
    help="Events a day, about.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Another seed, other events.",
)
@click.option(
    "--regime-change",
    type=Day("first"),
    metavar="DAY",
    help="From this day on, the world is another one, and models age.",
)
@output_option
@json_option
def simulate(
    *,
    app: str | None,
    start: date,
    end: date,
    per_day: int,
    seed: int,
    regime_change: date | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make up past events that resemble real ones, for whoever has none.

    Whole months are written, in the format of real data. The same options give the same files.
    """
    from edml.application import Simulation
    from edml.application.finding import find_application
    from edml.cli.tables import print_json
    from edml.settings import Settings

    settings = Settings.read()
    application = find_application(app or settings.application)
    if application.simulate is None:
        raise UsageError(
            f"{application.name} has no simulation",
            todo="declare one: Application(simulate=…), or name a folder of data with --data",
        )
    folder = _folder(output, settings)
    folder.mkdir(parents=True, exist_ok=True)
    world = Simulation(per_day=per_day, seed=seed, regime_change=regime_change)
    months = _months((), start, end)
    with click.progressbar(
        application.simulate(folder, start, end, world),
        length=len(months),
        label="Simulating",
        file=sys.stderr,
    ) as files:
        written = [str(file) for file in files]
    if as_json:
        print_json({"files": written, **asdict(world)})
    else:
        span = " to ".join(dict.fromkeys((months[0], months[-1])))
        click.echo(f"Simulated events of {span} are in {folder}: use them with --data {folder}")


@command.command(
    epilog="""\b
Example:
  edml data describe --data trips --from 2019-11 --to 2019-11"""
)
@application_option
@click.option("--data", type=FOLDER, help="The folder.  [default: EDML_DATA, or simulated events]")
@click.option(
    "--from",
    "start",
    type=Day("first"),
    required=True,
    metavar="DAY",
    help="The first month or day.",
)
@click.option(
    "--to", "end", type=Day("last"), required=True, metavar="DAY", help="The last one, included."
)
@json_option
def describe(*, app: str | None, data: Path | None, start: date, end: date, as_json: bool) -> None:
    """Say what there is, what cleaning leaves out and why, and how labels are distributed."""
    from edml.application.finding import find_application
    from edml.cli.tables import console, number, print_json, table
    from edml.settings import Settings

    settings = Settings.read()
    application = find_application(app or settings.application)
    past = application.history(data or settings.data, start, end)
    description = Description.of(application, past)
    if as_json:
        print_json(asdict(description))
        return
    click.echo(f"{application.name}: {description.source}")
    facts = table("", "rows", right=("rows",))
    for name, rows in description.rows():
        facts.add_row(name, f"{rows:,}")
    console().print(facts)
    unit = application.outcome.unit
    labels = table("quantile", unit, right=(unit,), title=application.outcome.label)
    for level, value in description.label_quantiles.items():
        labels.add_row(level, number(value, 2))
    console().print(labels)


@dataclass(frozen=True)
class Description:
    """What is in a past."""

    source: str
    events: int
    counting: int
    dropped: Mapping[str, int]
    noted: Mapping[str, int]
    label_quantiles: Mapping[str, float | None]

    @staticmethod
    def of(application: "Application", past: "Past") -> "Description":
        """Count and measure; labels are those that count by the application's outcome rule."""
        import narwhals as nw
        import polars as pl

        from edml.application import EVENT_TIME, OUTCOME_TIME

        event, outcome = application.event, application.outcome
        times = {EVENT_TIME: pl.col(event.time), OUTCOME_TIME: pl.col(outcome.time)}
        known = nw.from_native(past.frame.with_columns(**times))
        rows = known.select(EVENT_TIME, OUTCOME_TIME, label=outcome.value).to_native()
        counting = rows.filter(
            pl.col("label").is_between(*outcome.valid),
            (pl.col(OUTCOME_TIME) - pl.col(EVENT_TIME)).is_between(timedelta(0), outcome.wait),
        )["label"]
        return Description(
            source=past.source,
            events=past.frame.height,
            dropped=past.dropped,
            noted=past.noted,
            counting=len(counting),
            label_quantiles={f"{level:.1%}": counting.quantile(level) for level in LEVELS},
        )

    def rows(self) -> Iterator[tuple[str, int]]:
        """What is counted, as a person reads it."""
        yield "events", self.events
        yield from ((f"  {flaw}", count) for flaw, count in self.noted.items())
        yield "  whose outcome counts", self.counting
        yield "left out", sum(self.dropped.values())
        yield from ((f"  {cause}", count) for cause, count in self.dropped.items())


def _folder(output: Path | None, settings: "Settings") -> Path:
    return output or settings.data or settings.home / "data"


def _months(named: tuple[date, ...], start: date | None, end: date | None) -> list[str]:
    """The months that are named, or those from the first to the last."""
    if named and start is None and end is None:
        return [f"{month:%Y-%m}" for month in named]
    if named or start is None or end is None or start >= end:
        raise UsageError(
            "it is not said which months",
            todo="name them with --month 2019-04, or with --from 2019-01 --to 2019-12",
        )
    days = [start + timedelta(days=number) for number in range((end - start).days)]
    return list(dict.fromkeys(f"{day:%Y-%m}" for day in days))
