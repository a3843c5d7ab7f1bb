"""``edml serve``: predict events as they come."""

from typing import Literal

import click

from edml.cli.options import application_option
from edml.cli.running import log_to_terminal, stopped_by_signals


@click.command(
    epilog="""\b
Example:
  edml serve --app taxi
  edml serve --app path/to/app.py:parcels --guarantee at_least_once"""
)
@application_option
@click.option(
    "--guarantee",
    type=click.Choice(["exactly_once", "at_least_once"]),
    default="exactly_once",
    show_default=True,
    help="at_least_once answers sooner, and may answer twice after a failure.",
)
@click.option("--partitions", type=click.IntRange(1), help="Of topics that have to be created.")
@click.option("-v", "--verbose", is_flag=True, help="Log every batch.")
def command(
    app: str | None,
    guarantee: Literal["exactly_once", "at_least_once"],
    partitions: int | None,
    *,
    verbose: bool,
) -> None:
    """Predict every event with the champion, and in its shadow with the challenger.

    Follows the models on the log, and changes model between two batches. Start it again to have
    more instances: they share the partitions.
    """
    from edml import wiring

    log_to_terminal(verbose=verbose)
    with wiring.cluster(app, partitions) as cluster, stopped_by_signals() as stop:
        wiring.serve(cluster, stop, wiring.Running(guarantee=guarantee))
