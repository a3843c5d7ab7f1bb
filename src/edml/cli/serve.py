"""``edml serve``: predict events as they come."""

import click

from edml.cli.options import (
    Guarantee,
    application_option,
    guarantee_option,
    partitions_option,
    verbose_option,
)
from edml.cli.running import log_to_terminal, stopped_by_signals, suit_large_batches
from edml.cli.workers import again, supervise, workers_option


@click.command(
    epilog="""\b
Example:
  edml serve --app taxi
  edml serve --workers 2
  edml serve --app path/to/app.py:parcels --guarantee at_least_once"""
)
@application_option
@guarantee_option
@partitions_option
@workers_option
@verbose_option
def command(
    app: str | None, guarantee: Guarantee, partitions: int | None, workers: int, *, verbose: bool
) -> None:
    """Predict every event with the champion, and in its shadow with the challenger.

    Follows the models on the log, and changes model between two batches. Several workers share
    the partitions, as all do when it is started again.
    """
    from edml import wiring
    from edml.wiring.running import Running
    from edml.wiring.serving import serve

    log_to_terminal(verbose=verbose)
    suit_large_batches()
    with wiring.cluster(app, partitions) as cluster, stopped_by_signals() as stop:
        if workers > 1:
            cluster.create()
            supervise(workers, again("serve", app, guarantee, verbose=verbose), stop)
        else:
            serve(cluster, stop, Running(guarantee=guarantee))
