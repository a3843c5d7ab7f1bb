"""``edml score``: join predictions with what really happened."""

import click

from edml.cli.options import (
    Guarantee,
    application_option,
    guarantee_option,
    partitions_option,
    verbose_option,
)
from edml.cli.running import collect_garbage_seldom, log_to_terminal, stopped_by_signals


@click.command(
    epilog="""\b
Example:
  edml score --app taxi
  edml score --app path/to/app.py:parcels"""
)
@application_option
@guarantee_option
@partitions_option
@verbose_option
def command(
    app: str | None, guarantee: Guarantee, partitions: int | None, *, verbose: bool
) -> None:
    """Join predictions with outcomes, and add up the errors of each model by window.

    Each scored prediction is written as it is matched, the sums once a second. Start it again to
    have more instances: they share the partitions.
    """
    from edml import wiring
    from edml.wiring.running import Running
    from edml.wiring.scoring import score

    log_to_terminal(verbose=verbose)
    collect_garbage_seldom()
    with wiring.cluster(app, partitions) as cluster, stopped_by_signals() as stop:
        score(cluster, stop, Running(guarantee=guarantee))
