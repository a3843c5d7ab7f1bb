"""``edml monitor``: keep a model good without a hand on it."""

import click

from edml.cli.options import application_option, partitions_option, verbose_option
from edml.cli.running import log_to_terminal, stopped_by_signals


@click.command(
    epilog="""\b
Example:
  edml monitor --app taxi
  edml models history        # what it did, and why
  edml models freeze         # from now on, only people change roles"""
)
@application_option
@partitions_option
@verbose_option
def command(app: str | None, partitions: int | None, *, verbose: bool) -> None:
    """Notice drift, ask for trainings, promote a challenger that is better, roll back.

    It goes by the application's policy, and by windows in which no outcome is awaited any more.
    Each decision is a release event with its evidence. What a person promotes, rolls back or
    freezes stays so.

    It can be killed and started again at any time. A second one beside it does no harm.
    """
    from edml import wiring
    from edml.wiring.monitoring import monitor

    log_to_terminal(verbose=verbose)
    with wiring.cluster(app, partitions) as cluster, stopped_by_signals() as stop:
        monitor(cluster, stop)
