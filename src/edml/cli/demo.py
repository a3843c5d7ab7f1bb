"""``edml demo``: all of it in one terminal."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edml.cli.dates import Day
from edml.errors import UsageError
from edml.settings import Settings

if TYPE_CHECKING:
    from edml.demo.months import Months

SPAN: Final = timedelta(days=90)
"""How many days happen again where nobody says to which."""


@click.command(
    epilog="""\b
Example:
  edml demo
  edml demo --drift
  edml demo --drift --data trips/ --from 2020-02-15 --to 2020-05-15 --json demo.json"""
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of the TLC's trip records.  [default: EDML_DATA, or simulated trips]",
)
@click.option(
    "--drift",
    is_flag=True,
    help="Let the city change: the loop notices, trains, tries and promotes by itself.",
)
@click.option(
    "--from", "start", type=Day("first"), help="With --drift: the first day that happens again."
)
@click.option(
    "--to",
    "end",
    type=Day("last"),
    help="The last one, which is included.  [default: three months later]",
)
@click.option("--rate", type=click.IntRange(1, 5000), help="Events a second.  [default: 250]")
@click.option("--quick", is_flag=True, help="Smaller trainings, fewer trips, worse models.")
@click.option("--plain", is_flag=True, help="Lines instead of a live view.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write what it came to into this file, as JSON.",
)
@click.pass_context
def command(  # noqa: PLR0917  a command has its options
    context: click.Context,
    data: Path | None,
    rate: int | None,
    json_file: Path | None,
    start: date | None,
    end: date | None,
    *,
    drift: bool,
    quick: bool,
    plain: bool,
) -> None:
    """See the whole loop in under three minutes, with a real Kafka.

    A model is trained, published and served; trips flow, are predicted and scored; a better model
    is trained meanwhile and takes over. With --drift, in under five minutes, the city changes while
    its trips flow: the error rises, `edml monitor` raises an alarm, `edml retrain` learns, the new
    model is tried in the shadow and promoted, and the error falls. Ctrl-C ends it at any time, and
    leaves nothing running. The demo has a home of its own, EDML_HOME/demo, which the next demo
    begins by emptying.
    """
    from edml.demo import plan as plans
    from edml.demo.farewell import farewell
    from edml.demo.home import Home
    from edml.demo.run import run
    from edml.demo.signals import StoppedError

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise UsageError(
            f"{json_file} cannot be written: there is no folder {json_file.parent}",
            todo="make the folder, or name another one with --json",
        )
    settings = Settings.read()
    found = data or settings.data
    plan = plans.Plan(data=None if found is None else found.absolute())
    if drift:
        plan = plans.drifting(plan, _days(start, end))
    elif start or end:
        raise UsageError("--from and --to are for --drift", todo="add --drift, or leave them out")
    plan = plans.quick(plan) if quick else plan
    plan = plan if rate is None else replace(plan, rate_per_s=rate)
    home = Home.below(settings)
    try:
        report = run(plan, home, plain=plain)
    except StoppedError as stopped:
        context.exit(stopped.exit_code)
    if json_file is not None:
        report.write(json_file)
    click.echo(farewell(report, home))


def _days(first: date | None, end: date | None) -> "Months | None":
    """The days that happen again, up to before ``end``; None when nobody names them."""
    from edml.demo.months import Months

    if first is None:
        if end is not None:
            raise UsageError("--to names an end without a beginning", todo="add --from")
        return None
    last = first + SPAN if end is None else end - timedelta(days=1)
    if last <= first:
        raise UsageError(f"{first} to {last} holds nothing", todo="name an end that is later")
    return Months(first.isoformat(), last.isoformat())
