"""``edml dead-letters``: what could not be used, why, and once more."""

import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from edml.cli.listing import Listing
from edml.cli.options import application_option, json_option
from edml.cli.running import stopped_by_signals
from edml.cli.tables import console, is_wide, print_json, table
from edml.errors import UsageError

if TYPE_CHECKING:
    from edml.kafka.dead_letters import Choice, DeadLetter

DUMPED: Final = 4096
"""So many bytes of a value are shown."""

A_LINE: Final = 16

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""

SHOWN: Final = 50
"""So many of the last ones are listed, unless it is said how many."""

where_option = click.option(
    "--where",
    multiple=True,
    metavar="FIELD=TEXT",
    help="Only those whose cause, topic or component has this text; can be repeated.",
)


since_option = click.option(
    "--since", metavar="TIME", help="Only those written then or later: ISO 8601, UTC by default."
)
until_option = click.option("--until", metavar="TIME", help="Only those written before.")


@click.group(
    cls=Listing,
    epilog="""\b
Example:
  edml dead-letters
  edml dead-letters causes
  edml dead-letters show 0:42
  edml dead-letters redrive --where cause=schema""",
)
def command() -> None:
    """List, show and redrive the records that could not be used."""


@command.command(
    "list",
    epilog="""\b
Example:
  edml dead-letters list --where cause=schema --waiting
  edml dead-letters list --since 2026-11-23T10:00 --until 2026-11-23T11:00 --json""",
)
@application_option
@where_option
@since_option
@until_option
@click.option("--waiting", is_flag=True, help="Only those that were not redriven.")
@click.option(
    "--last",
    type=click.IntRange(1),
    help=f"Only so many of the last ones.  [default: {SHOWN}; with --json, all]",
)
@json_option
def list_letters(
    app: str | None,
    where: tuple[str, ...],
    since: str | None,
    until: str | None,
    last: int | None,
    *,
    waiting: bool,
    as_json: bool,
) -> None:
    """List dead letters, oldest first: where each is, where it was read, and why it is here."""
    found = _letters(app, _choice(where=where, since=since, until=until, again=not waiting))
    listed = found if as_json and last is None else found[-(last or SHOWN) :]
    if as_json:
        print_json([_facts(each) for each in listed])
        return
    if not found:
        _tell_none(where, since, until)
        return
    wide = is_wide()
    more_columns = ("component", "time (UTC)") if wide else ()
    shown = table("at", "read from", "cause", *more_columns, "", whole=("at", "read from"))
    for each in listed:
        more = (each.component, f"{each.at:%Y-%m-%d %H:%M:%S}") if wide else ()
        redriven = "redriven" if each.redriven_at else ""
        read_from = f"{each.source}@{each.source_offset}"
        shown.add_row(str(each.place), read_from, printable(each.cause), *more, redriven)
    console().print(shown)
    if len(listed) < len(found):
        click.echo(
            f"The last {len(listed):,} of them; --last N lists more, and "
            "`edml dead-letters causes` counts them by cause."
        )
    left = sum(each.redriven_at is None for each in found)
    click.echo(
        f"{len(found):,} dead letters, {left:,} of them not redriven. "
        "`edml dead-letters show AT` shows one."
    )


@command.command(
    epilog="""\b
Example:
  edml dead-letters causes --since 2026-11-23"""
)
@application_option
@where_option
@since_option
@until_option
@json_option
def causes(
    app: str | None, where: tuple[str, ...], since: str | None, until: str | None, *, as_json: bool
) -> None:
    """Count dead letters by topic and cause, the most frequent first; # stands for a number."""
    from edml.kafka.dead_letters import kinds

    letters = _letters(app, _choice(where=where, since=since, until=until, again=True))
    found = kinds(letters)
    if as_json:
        print_json([{**asdict(each), "example": str(each.example)} for each in found])
        return
    if not found:
        _tell_none(where, since, until)
        return
    wide = is_wide()
    counts = ("letters", "not redriven")
    shown = table(
        *counts, "topic", "cause", *(("last (UTC)",) if wide else ()), "such as", right=counts
    )
    for each in found:
        more = (f"{each.last:%Y-%m-%d %H:%M:%S}",) if wide else ()
        shown.add_row(
            f"{each.letters:,}",
            f"{each.waiting:,}",
            each.topic,
            printable(each.cause),
            *more,
            str(each.example),
        )
    console().print(shown)
    click.echo(f"{len(letters):,} dead letters. `edml dead-letters show AT` shows one.")


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
        shown.add_row(name, printable(value.decode(errors="replace")))
    shown.add_row("key", "none" if letter.key is None else printable(_readable(letter.key)))
    if letter.redriven_at is not None:
        shown.add_row("redriven", f"{letter.redriven_at:%Y-%m-%d %H:%M:%S} to {letter.redriven_to}")
    out = console()
    out.print(shown)
    if isinstance(decoded, dict):
        fields = table("field", "value")
        for name, value in decoded.items():
            fields.add_row(name, printable(str(value)[:DUMPED]))
        out.print(fields)
    elif letter.left_out is not None:
        click.echo(
            f"It was too large to be kept: {letter.left_out}. It is where it was read, as long as "
            f"the topic keeps it: {letter.source}@{letter.source_offset}.\n"
        )
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
@since_option
@until_option
@click.option("--to", metavar="TOPIC", help="Another topic than the one where they were read.")
@click.option("--again", is_flag=True, help="Also those that were redriven already.")
@json_option
@click.pass_context
def redrive(
    context: click.Context,
    places: tuple[str, ...],
    app: str | None,
    *,
    where: tuple[str, ...],
    since: str | None,
    until: str | None,
    to: str | None,
    everything: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Write dead letters once more to the topic where they were read, as they are.

    Each is redriven once, however often this is run, unless --again is given. Do it when what was
    wrong has been mended: a record that is still bad becomes a dead letter again. Ctrl-C leaves the
    others for the next time. `list --waiting` with the same conditions shows what is meant.
    """
    from edml import wiring
    from edml.kafka.dead_letters import redrive

    if sum((everything, bool(where or since or until), bool(places))) != 1:
        raise UsageError(
            "it is not clear which dead letters are meant",
            todo="give one of --all, conditions (--where FIELD=TEXT, --since, --until), or their "
            "PARTITION:OFFSET",
        )
    choice = _choice(places=places, where=where, since=since, until=until, again=again)
    with wiring.cluster(app) as cluster, stopped_by_signals() as stop, _progress() as told:
        client, topic = cluster.settings.client(), cluster.dead_letters
        done = redrive(client, topic, choice, to=to, told=told, stop=stop)
    if as_json:
        print_json([{"at": str(each.place), "to": to or each.source.topic} for each in done])
        context.exit(INTERRUPTED if stop.is_set() else 0)
    if not done and not stop.is_set():
        click.echo("There is nothing to redrive: what is meant has been redriven, or is not there.")
    counts: dict[str, int] = {}
    for each in done:
        target = to or each.source.topic
        counts[target] = counts.get(target, 0) + 1
    for target, count in counts.items():
        click.echo(f"{count:,} redriven to {target}")
    if stop.is_set():
        click.echo("Stopped: the same command redrives the others.", err=True)
        context.exit(INTERRUPTED)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar of what is redriven, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    on = Console(stderr=True)
    with Progress(console=on, transient=True, disable=not on.is_terminal) as bar:
        task = bar.add_task("redriving", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


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


def printable(text: str) -> str:
    r"""A text without what a terminal would obey.

    >>> printable("\x1b[2Jcleared é")
    '\\x1b[2Jcleared é'
    """
    return "".join(
        each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text
    )


def _ascii(value: bytes) -> str:
    shown = string.ascii_letters + string.digits + string.punctuation + " "
    return "".join(chr(each) if chr(each) in shown else "." for each in value)


def _letters(app: str | None, choice: "Choice") -> "Sequence[DeadLetter]":
    from edml import wiring
    from edml.kafka.dead_letters import dead_letters

    with wiring.cluster(app) as cluster:
        return choice.of(dead_letters(cluster.settings.client(), cluster.dead_letters))


def _choice(
    *,
    places: Sequence[str] = (),
    where: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    again: bool,
) -> "Choice":
    """The dead letters that are meant by what was typed."""
    from edml.kafka.dead_letters import Choice, Place

    return Choice(
        places=frozenset(map(Place.parse, places)),
        where=_conditions(where),
        since=_instant("--since", since),
        until=_instant("--until", until),
        again=again,
    )


def _instant(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text} is no time", todo="write it as 2026-11-23T10:00, in UTC"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _tell_none(*conditions: object) -> None:
    click.echo("There are no dead letters" + (" such as these." if any(conditions) else "."))


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
        "left_out": letter.left_out,
    }


def _readable(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key.hex()
