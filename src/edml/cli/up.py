"""`edml up`: a real Kafka and a real schema registry on this machine."""

import click

from edml.settings import Settings


@click.command(
    epilog="""\b
Example:
  edml up                  # on 9092 and 8081, or the next free ports
  edml up --port 0         # on any free port
  EDML_HOME=/data edml up  # with the data in /data"""
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Kafka's port; 0 for any free one.  [default: 9092, or the next free one]",
)
@click.option(
    "--registry-port",
    type=click.IntRange(0, 65535),
    help="The registry's port; 0 for any free one.  [default: 8081, or the next free one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what runs as JSON.")
def command(*, port: int | None, registry_port: int | None, as_json: bool) -> None:
    """Start Apache Kafka and a schema registry, and leave them running.

    The first time, both are fetched. What is on the log is kept under EDML_HOME (.edml) and is
    there again at the next `edml up`. `edml down` stops both.
    """
    from edml.cli.log_progress import log_progress
    from edml.cli.status import show_status
    from edml.kafka.embedded.service import up

    settings = Settings.read()
    with log_progress() as progress:
        up(
            settings.home,
            jars=settings.jars_directory,
            port=port,
            registry_port=registry_port,
            progress=progress,
        )
    show_status(Settings.read(), as_json=as_json)
