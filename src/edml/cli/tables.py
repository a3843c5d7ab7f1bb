"""How facts are shown: tables for people, JSON for programs."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE: Final = 110
"""From so many columns on, a terminal has room for the columns that are left out else."""


def console() -> "Console":
    """Where tables are printed; it takes texts as they are."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False)


def is_wide() -> bool:
    """Whether there is room for wide tables."""
    return console().width >= WIDE


def table(
    *headings: str,
    right: Collection[str] = (),
    whole: Collection[str] = (),
    title: str | None = None,
) -> "Table":
    """An empty table; the columns ``right`` hold numbers, those ``whole`` are not broken."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for heading in headings:
        made.add_column(
            heading,
            overflow="fold",
            justify="right" if heading in right else "left",
            no_wrap=heading in whole or heading in right,
        )
    return made


def print_json(document: Any) -> None:
    """Print facts as JSON; times in ISO 8601."""
    click.echo(json.dumps(document, indent=2, default=_plain, ensure_ascii=False))


def minute(time: datetime) -> str:
    """A time in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M")


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point; nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def duration(milliseconds: int) -> str:
    """How long something is kept.

    >>> duration(604_800_000), duration(5_400_000), duration(-1)
    ('7 d', '1.5 h', 'for ever')
    """
    if milliseconds < 0:
        return "for ever"
    hours = milliseconds / 3_600_000
    return f"{hours:g} h" if hours < 48 or hours % 24 else f"{hours / 24:g} d"  # noqa: PLR2004


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
