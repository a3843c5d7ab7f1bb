"""``edml demo``: all of it in one terminal."""

from dataclasses import replace
from pathlib import Path

import click

from edml.errors import UsageError
from edml.settings import Settings


@click.command(
    epilog="""\b
Example:
  edml demo
  edml demo --data trips/ --json demo.json"""
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of the TLC's trip records.  [default: EDML_DATA, or simulated trips]",
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
def command(
    context: click.Context,
    data: Path | None,
    rate: int | None,
    json_file: Path | None,
    *,
    quick: bool,
    plain: bool,
) -> None:
    """See the whole loop in under three minutes, with a real Kafka.

    A model is trained, published and served; trips flow, are predicted and scored; a better model
    is trained meanwhile and takes over. Ctrl-C ends it at any time, and leaves nothing running. The
    demo has a home of its own, EDML_HOME/demo, which the next demo begins by emptying.
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
