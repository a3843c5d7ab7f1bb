"""`edml status`: what runs, what is on the log, and who is behind."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from edml.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from edml.kafka.embedded.status import LogStatus, ServerStatus
    from edml.kafka.inspection import Inspection


@click.command(
    epilog="""\b
Example:
  edml status
  edml status --json | jq -r .bootstrap_servers"""
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Show addresses, processes, topics, and how far consumer groups are behind.

    The exit code is 1 unless the log is ready.
    """
    if not show_status(Settings.read(), as_json=as_json):
        context.exit(1)


def show_status(settings: Settings, *, as_json: bool) -> bool:
    """Print how the log of ``settings`` is, and give back whether it is ready."""
    from edml.kafka.embedded.status import status
    from edml.kafka.inspection import inspect

    embedded = status(settings.home)
    if embedded is not None and settings.bootstrap_servers not in {None, embedded.broker.address}:
        embedded = None  # another cluster is configured: that is the one to show
    ready = _is_ready(settings, embedded)
    inspection = inspect(settings.client()) if ready else None
    if as_json:
        click.echo(json.dumps(_document(settings, embedded, inspection, ready=ready), indent=2))
    else:
        _print_tables(settings, embedded, inspection)
    return ready


def _is_ready(settings: Settings, embedded: "LogStatus | None") -> bool:
    if embedded is None:
        return settings.bootstrap_servers is not None
    return embedded.broker.state == embedded.registry.state == "ready"


def _document(
    settings: Settings,
    embedded: "LogStatus | None",
    inspection: "Inspection | None",
    *,
    ready: bool,
) -> dict[str, object]:
    registry = settings.registry_access
    return {
        "ready": ready,
        "home": str(settings.home.absolute()),
        "bootstrap_servers": settings.bootstrap_servers,
        "registry_url": None if registry is None else registry.url,
        "broker": None if embedded is None else asdict(embedded.broker),
        "registry": None if embedded is None else asdict(embedded.registry),
        "topics": [] if inspection is None else [asdict(topic) for topic in inspection.topics],
        "groups": [] if inspection is None else [asdict(group) for group in inspection.groups],
    }


def _print_tables(
    settings: Settings, embedded: "LogStatus | None", inspection: "Inspection | None"
) -> None:
    from rich.console import Console

    console = Console()
    if embedded is not None:
        console.print(_servers_table(embedded.broker, embedded.registry))
        console.print(f"What they do is written under {embedded.home}, in *.log")
        if inspection is None:
            console.print("The log is not ready: `edml up` starts what is missing.")
    elif inspection is None:
        console.print(f"Nothing runs under {settings.home}: `edml up` starts the log.")
    else:
        console.print(f"Kafka at {settings.bootstrap_servers}")
    if inspection is not None and inspection.topics:
        console.print(_topics_table(inspection))
    if inspection is not None and inspection.groups:
        console.print(_groups_table(inspection))


def _servers_table(*servers: "ServerStatus") -> "Table":
    table = _table("server", "state", "address", "process", "memory")
    for server in servers:
        table.add_row(
            server.name,
            server.state,
            server.address,
            "" if server.pid is None else str(server.pid),
            f"{server.memory_bytes / 1e6:.0f} MB" if server.memory_bytes else "",
        )
    return table


def _topics_table(inspection: "Inspection") -> "Table":
    table = _table("topic", "partitions", "messages")
    for topic in inspection.topics:
        table.add_row(topic.topic, str(topic.partitions), f"{topic.messages:,}")
    return table


def _groups_table(inspection: "Inspection") -> "Table":
    table = _table("consumer group", "topic", "behind")
    for group in inspection.groups:
        table.add_row(group.group, group.topic, f"{group.lag:,}")
    return table


def _table(*headings: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
