"""`edml down`: stop what `edml up` started."""

import click

from edml.settings import Settings


@click.command(
    epilog="""\b
Example:
  edml down  # what is on the log is there again after `edml up`"""
)
def command() -> None:
    """Stop the Kafka and the schema registry that `edml up` started, and nothing else."""
    from edml.cli.log_progress import log_progress
    from edml.kafka.embedded.service import down

    settings = Settings.read()
    with log_progress() as progress:
        stopped = down(settings.home, progress=progress)
    names = " and ".join(stopped)
    click.echo(f"stopped {names}" if stopped else f"nothing was running under {settings.home}")
