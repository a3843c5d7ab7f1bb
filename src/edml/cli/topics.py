"""``edml topics``: the application's topics, where their readers are, whether keys lie right."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edml.cli.listing import Listing
from edml.cli.options import application_option, json_option
from edml.cli.tables import console, duration, print_json, table
from edml.errors import UsageError

if TYPE_CHECKING:
    from edml.kafka.group_offsets import To
    from edml.wiring import Cluster


@click.group(
    cls=Listing,
    epilog="""\b
Example:
  edml topics
  edml topics create --partitions 8
  edml topics seek --group serve --to 2026-11-23T10:00Z
  edml topics check""",
)
def command() -> None:
    """Create, list, seek and check an application's topics."""


@command.command("list")
@application_option
@json_option
def list_topics(app: str | None, *, as_json: bool) -> None:
    """List the topics that an application needs, and those that are missing."""
    from edml import wiring
    from edml.kafka.topic_facts import topic_facts

    with wiring.cluster(app) as cluster:
        holds = _holds(cluster)
        found = topic_facts(cluster.settings.client(), holds)
    if as_json:
        print_json(
            [
                {"name": name, "holds": what, "exists": name in found}
                | (asdict(found[name]) if name in found else {})
                for name, what in holds.items()
            ]
        )
        return
    right = ("partitions", "offsets", "kept")
    shown = table("topic", "holds", *right, right=right, whole=("topic",))
    for name, what in holds.items():
        if name not in found:
            shown.add_row(name, what, "missing")
            continue
        facts = found[name]
        compacted = "compact" in facts.policy
        kept = "the last a key" if compacted else duration(facts.retention_ms)
        shown.add_row(name, what, str(facts.partitions), f"{facts.offsets:,}", kept)
    console().print(shown)
    if len(found) < len(holds):
        click.echo("`edml topics create` creates the missing ones.")


@command.command(epilog="\b\nExample:\n  edml topics create --partitions 8")
@application_option
@click.option(
    "--partitions",
    type=click.IntRange(1),
    help="Of events, outcomes, predictions and scores: as many instances can share the work.  "
    "[default: 4]",
)
@json_option
def create(app: str | None, partitions: int | None, *, as_json: bool) -> None:
    """Create the topics that are missing, and verify the others."""
    from edml import wiring

    with wiring.cluster(app, partitions) as cluster:
        created = cluster.create()
    if as_json:
        print_json({"created": created})
    elif created:
        click.echo("\n".join(f"created {name}" for name in created))
    else:
        click.echo("All topics exist, and are as they must be.")


@command.command(epilog="\b\nExample:\n  edml topics schemas --app app.py:parcels --write schemas")
@application_option
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write them into this folder, one .avsc each, instead of printing them.",
)
def schemas(app: str | None, folder: Path | None) -> None:
    """Show the Avro schemas of an application's records, derived from its classes.

    Keep them beside the application: a change of a class is then a change that a reviewer sees.
    """
    from edml import wiring
    from edml.kafka.codec.schema import avsc

    for name, schema in wiring.schemas(wiring.application(app)).items():
        if folder is None:
            click.echo(avsc(schema), nl=False)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.avsc").write_text(avsc(schema), encoding="utf-8")
        click.echo(f"wrote {folder / name}.avsc")


@command.command(
    epilog="""\b
Example:
  edml topics seek --group serve --to earliest             # predict everything again
  edml topics seek --group serve --to latest               # leave out what is there
  edml topics seek --group serve --to 2026-11-23T10:00Z    # what was written since
  edml topics seek --group serve --to earliest --lost      # where its place is gone from the log"""
)
@application_option
@click.option(
    "--group",
    required=True,
    help="`serve`, `score` or another component; or any consumer group by its whole name.",
)
@click.option(
    "--to",
    "where",
    required=True,
    metavar="earliest|latest|TIME",
    help="A time in ISO 8601 with its offset: the first record that was written then or later.",
)
@click.option("--topic", "topics", multiple=True, help="Only this topic; can be repeated.")
@click.option(
    "--lost",
    is_flag=True,
    help="Only partitions where the group has no place, or one that is no longer on the log. Where "
    "only what it has to read again is gone, it stays, and does without.",
)
@json_option
def seek(
    app: str | None,
    group: str,
    where: str,
    topics: tuple[str, ...],
    *,
    lost: bool,
    as_json: bool,
) -> None:
    """Have a consumer group go on elsewhere on the log. It must be stopped.

    Going back makes it write again what it has written since; going on leaves records out.
    """
    from edml import wiring
    from edml.kafka.group_offsets import seek as seek_group

    to = _to(where)
    with wiring.cluster(app) as cluster:
        name, reads = _group(cluster, group)
        moved = seek_group(cluster.settings.client(), name, topics or reads, to, lost=lost)
    if as_json:
        print_json(
            {
                "group": name,
                "partitions": [
                    {
                        "topic": each.partition.topic,
                        "partition": each.partition.partition,
                        "before": each.before,
                        "after": each.after,
                    }
                    for each in moved
                ],
            }
        )
        return
    if not moved:
        click.echo(f"Nothing is lost: each place of {name} is still on the log.")
        return
    shown = table(name, "was at", "goes on at", right=("was at", "goes on at"))
    for each in moved:
        before = "" if each.before is None else f"{each.before:,}"
        shown.add_row(str(each.partition), before, f"{each.after:,}")
    console().print(shown)


@command.command(epilog="\b\nExample:\n  edml topics check --last 100000")
@application_option
@click.option("--last", type=click.IntRange(1), help="Only so many of the last in each partition.")
@json_option
@click.pass_context
def check(context: click.Context, app: str | None, last: int | None, *, as_json: bool) -> None:
    """Count keys in wrong partitions, and compare the partitions of topics that are joined.

    A key's partition is murmur2 of it, as Java's producer has it. Joins find only what lies there.
    The exit code is 1 unless everything is right.
    """
    from edml import wiring
    from edml.kafka.placement import placement
    from edml.kafka.spans import spans

    with wiring.cluster(app) as cluster:
        declared = cluster.application
        joined = [declared.event.topic, declared.outcome.topic, declared.predictions_topic]
        client = cluster.settings.client()
        names = [*joined, declared.scored_topic, declared.scores_topic]
        found = [placement(client, name, last=last) for name in spans(client, names)]
    counts = {each.topic: each.partitions for each in found if each.topic in joined}
    missing = [name for name in joined if name not in counts]
    wrong = sum(each.misplaced for each in found)
    right = not wrong and not missing and len(set(counts.values())) == 1
    if as_json:
        print_json({"right": right, "missing": missing, "topics": [asdict(each) for each in found]})
        context.exit(0 if right else 1)
    columns = ("partitions", "keyed", "misplaced")
    shown = table("topic", *columns, "such as", right=columns, whole=("topic",))
    for each in found:
        figures = (each.partitions, each.keyed, each.misplaced)
        shown.add_row(each.topic, *(f"{figure:,}" for figure in figures), each.example or "")
    console().print(shown)
    for name in missing:
        click.echo(f"{name} is missing: `edml topics create` creates it.")
    if len(set(counts.values())) > 1:
        click.echo("Joined topics must have as many partitions each: create them anew.")
    if wrong:
        click.echo(
            "Have their producer hash as Java's does: "
            "in librdkafka that is `partitioner=murmur2_random`."
        )
    if right:
        click.echo("Every key lies where it is looked for.")
    context.exit(0 if right else 1)


def _holds(cluster: "Cluster") -> dict[str, str]:
    """What each topic of the application holds."""
    app, control = cluster.application, cluster.control
    return {
        app.event.topic: app.event.schema.__name__,
        app.outcome.topic: app.outcome.schema.__name__,
        app.predictions_topic: "predictions",
        app.scored_topic: "scored predictions",
        app.scores_topic: "errors by window",
        control.models: "models and roles",
        control.releases: "models' history",
        control.commands: "people's commands",
        cluster.dead_letters: "unusable records",
    }


def _group(cluster: "Cluster", name: str) -> "tuple[str, tuple[str, ...]]":
    """The consumer group that is meant, and the topics that it reads.

    A component's topics are known; those of another group are told by what it has committed.
    """
    from edml.kafka.group_offsets import committed, groups

    app, client = cluster.application, cluster.settings.client()
    ours = f"{cluster.settings.topic_prefix}edml.{app.name}."
    components = {
        f"{ours}serve": (app.event.topic,),
        f"{ours}score": (app.predictions_topic, app.outcome.topic),
    }
    for group, topics in components.items():
        if name in {group, group.removeprefix(ours)}:
            return group, topics
    known = groups(client)
    if name not in known:
        raise UsageError(
            f"there is no consumer group {name}",
            todo=f"name one of {', '.join(dict.fromkeys(['serve', 'score', *known]))}",
        )
    return name, tuple(dict.fromkeys(each.topic for each in committed(client, name)))


def _to(text: str) -> "To":
    ends: dict[str, To] = {"earliest": "earliest", "latest": "latest"}
    if text in ends:
        return ends[text]
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--to {text} is neither earliest, latest nor a time",
            todo="give a time such as 2026-11-23T10:00Z",
        ) from None
    if time.tzinfo is None:
        raise UsageError(
            f"--to {text} does not say where it is so late",
            todo=f"add the offset from UTC: {text}Z, or {text}+01:00",
        )
    return time.astimezone(UTC)
