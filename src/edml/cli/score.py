"""``edml score``: join predictions with what really happened."""

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
  edml score --app taxi
  edml score --app path/to/app.py:parcels"""
)
@application_option
@guarantee_option
@partitions_option
@workers_option
@verbose_option
def command(
    app: str | None, guarantee: Guarantee, partitions: int | None, workers: int, *, verbose: bool
) -> None:
    """Join predictions with outcomes, and add up the errors of each model by window.

    Each scored prediction is written as it is matched, the sums once a second. Several workers
    share the partitions, as all do when it is started again.
    """
    from edml import wiring
    from edml.wiring.running import Running
    from edml.wiring.scoring import score

    log_to_terminal(verbose=verbose)
    suit_large_batches()
    with wiring.cluster(app, partitions) as cluster, stopped_by_signals() as stop:
        if workers > 1:
            cluster.create()
            supervise(workers, again("score", app, guarantee, verbose=verbose), stop)
        else:
            score(cluster, stop, Running(guarantee=guarantee))
