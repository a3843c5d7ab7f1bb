"""``edml dead-letters``: what could not be used, why, and once more."""

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from edml.cli.listing import Listing
from edml.cli.options import application_option, json_option
from edml.cli.tables import console, is_wide, print_json, table
from edml.errors import UsageError

if TYPE_CHECKING:
    from edml.kafka.dead_letters import Choice, DeadLetter

DUMPED: Final = 4096
"""So many bytes of a value are shown."""

A_LINE: Final = 16

where_option = click.option(
    "--where",
    multiple=True,
    metavar="FIELD=TEXT",
    help="Only those whose cause, topic or component has this text; can be repeated.",
)


@click.group(
    cls=Listing,
    epilog="""\b
Example:
  edml dead-letters
  edml dead-letters show 0:42
  edml dead-letters redrive --where cause=schema""",
)
def command() -> None:
    """List, show and redrive the records that could not be used."""


@command.command("list")
@application_option
@where_option
@click.option("--last", type=click.IntRange(1), help="Only so many of the last ones.")
@json_option
def list_letters(
    app: str | None, where: tuple[str, ...], last: int | None, *, as_json: bool
) -> None:
    """List dead letters, oldest first: where each is, where it was read, and why it is here."""
    from edml.kafka.dead_letters import Choice

    found = _letters(app, Choice(where=_conditions(where), again=True))
    found = found if last is None else found[-last:]
    if as_json:
        print_json([_facts(each) for each in found])
        return
    if not found:
        click.echo("There are no dead letters" + (" such as these." if where else "."))
        return
    wide = is_wide()
    shown = table("at", "read from", "cause", *(("component", "time (UTC)") if wide else ()), "")
    for each in found:
        more = (each.component, f"{each.at:%Y-%m-%d %H:%M:%S}") if wide else ()
        redriven = "redriven" if each.redriven_at else ""
        shown.add_row(
            str(each.place), f"{each.source}@{each.source_offset}", each.cause, *more, redriven
        )
    console().print(shown)
    waiting = sum(each.redriven_at is None for each in found)
    click.echo(
        f"{len(found):,} dead letters, {waiting:,} of them not redriven. "
        "`edml dead-letters show AT` shows one."
    )


@command.command(epilog="\b\nExample:\n  edml dead-letters show 0:42")
@click.argument("place", metavar="PARTITION:OFFSET")
@application_option
@json_option
def show(place: str, app: str | None, *, as_json: bool) -> None:
    """Show one dead letter: its headers, its value decoded if that can be done, and its bytes."""
    from edml import wiring
    from edml.kafka.dead_letters import Choice, Place, dead_letters
    from edml.kafka.one_record import decode_one

    meant = Choice(places=frozenset({Place.parse(place)}), again=True)
    with wiring.cluster(app) as cluster:
        (letter,) = meant.of(dead_letters(cluster.settings.client(), cluster.dead_letters))
        decoded = decode_one(cluster.registry, letter.value)
    if as_json:
        print_json({**_facts(letter), "decoded": decoded})
        return
    shown = table("dead letter", str(letter.place))
    for name, value in letter.headers:
        shown.add_row(name, value.decode(errors="replace"))
    shown.add_row("key", "none" if letter.key is None else _readable(letter.key))
    if letter.redriven_at is not None:
        shown.add_row("redriven", f"{letter.redriven_at:%Y-%m-%d %H:%M:%S} to {letter.redriven_to}")
    out = console()
    out.print(shown)
    if isinstance(decoded, dict):
        fields = table("field", "value")
        for name, value in decoded.items():
            fields.add_row(name, str(value))
        out.print(fields)
    else:
        click.echo(f"The value cannot be decoded: {decoded}\n")
    for line in hex_dump((letter.value or b"")[:DUMPED]):
        click.echo(line)
    if len(letter.value or b"") > DUMPED:
        click.echo(f"… {len(letter.value or b'') - DUMPED:,} bytes more")


@command.command(
    epilog="""\b
Example:
  edml dead-letters redrive 0:42
  edml dead-letters redrive --where cause=schema --where topic=taxi.pickups
  edml dead-letters redrive --all --to taxi.pickups.repaired"""
)
@click.argument("places", nargs=-1, metavar="[PARTITION:OFFSET]…")
@application_option
@click.option("--all", "everything", is_flag=True, help="All that were not redriven yet.")
@where_option
@click.option("--to", metavar="TOPIC", help="Another topic than the one where they were read.")
@click.option("--again", is_flag=True, help="Also those that were redriven already.")
@json_option
def redrive(
    places: tuple[str, ...],
    app: str | None,
    where: tuple[str, ...],
    to: str | None,
    *,
    everything: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Write dead letters once more to the topic where they were read, as they are.

    Each is redriven once, however often this is run, unless --again is given. Do it when what was
    wrong has been mended: a record that is still bad becomes a dead letter again.
    """
    from edml import wiring
    from edml.kafka.dead_letters import Choice, Place, redrive

    if sum((everything, bool(where), bool(places))) != 1:
        raise UsageError(
            "it is not clear which dead letters are meant",
            todo="give one of --all, --where FIELD=TEXT, or their PARTITION:OFFSET",
        )
    choice = Choice(frozenset(map(Place.parse, places)), _conditions(where), again=again)
    with wiring.cluster(app) as cluster:
        done = redrive(cluster.settings.client(), cluster.dead_letters, choice, to=to)
    if as_json:
        print_json([{"at": str(each.place), "to": to or each.source.topic} for each in done])
        return
    if not done:
        click.echo("There is nothing to redrive: what is meant has been redriven, or is not there.")
    counts: dict[str, int] = {}
    for each in done:
        target = to or each.source.topic
        counts[target] = counts.get(target, 0) + 1
    for target, count in counts.items():
        click.echo(f"{count:,} redriven to {target}")


def hex_dump(value: bytes) -> list[str]:
    r"""Bytes as lines: where each begins, in hexadecimal, and as text where they are ASCII.

    >>> print(hex_dump(b"\x00\x00\x01taxi")[0])
    0000  00 00 01 74 61 78 69                             ...taxi
    """
    return [
        f"{start:04x}  {value[start : start + A_LINE].hex(' '):<{3 * A_LINE}} "
        f"{_ascii(value[start : start + A_LINE])}"
        for start in range(0, len(value), A_LINE)
    ]


def _ascii(value: bytes) -> str:
    shown = string.ascii_letters + string.digits + string.punctuation + " "
    return "".join(chr(each) if chr(each) in shown else "." for each in value)


def _letters(app: str | None, choice: "Choice") -> "Sequence[DeadLetter]":
    from edml import wiring
    from edml.kafka.dead_letters import dead_letters

    with wiring.cluster(app) as cluster:
        return choice.of(dead_letters(cluster.settings.client(), cluster.dead_letters))


def _conditions(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    from edml.kafka.dead_letters import FIELDS

    pairs = [text.partition("=") for text in texts]
    for text, (field, sign, wanted) in zip(texts, pairs, strict=True):
        if field not in FIELDS or not sign or not wanted:
            raise UsageError(
                f"--where {text} is no condition",
                todo=f"write FIELD=TEXT, such as cause=schema; fields are {', '.join(FIELDS)}",
            )
    return tuple((field, wanted) for field, _, wanted in pairs)


def _facts(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "at": str(letter.place),
        "topic": letter.source.topic,
        "partition": letter.source.partition,
        "offset": letter.source_offset,
        "cause": letter.cause,
        "component": letter.component,
        "time": letter.at,
        "key": None if letter.key is None else _readable(letter.key),
        "value_hex": None if letter.value is None else letter.value.hex(),
        "redriven_at": letter.redriven_at,
        "redriven_to": letter.redriven_to,
    }


def _readable(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key.hex()
