"""``edml score``: join predictions with what really happened."""

from typing import Literal

import click

from edml.cli.options import application_option
from edml.cli.running import log_to_terminal, stopped_by_signals


@click.command(
    epilog="""\b
Example:
  edml score --app taxi
  edml score --app path/to/app.py:parcels --guarantee at_least_once"""
)
@application_option
@click.option(
    "--guarantee",
    type=click.Choice(["exactly_once", "at_least_once"]),
    default="exactly_once",
    show_default=True,
    help="at_least_once is sooner, and may score twice after a failure.",
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
    """Join predictions with outcomes, and add up the errors of each model by window.

    Each scored prediction is written as it is matched, the sums once a second. Start it again to
    have more instances: they share the partitions.
    """
    from edml import wiring

    log_to_terminal(verbose=verbose)
    with wiring.cluster(app, partitions) as cluster, stopped_by_signals() as stop:
        wiring.score(cluster, stop, wiring.Running(guarantee=guarantee))
