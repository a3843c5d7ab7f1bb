"""Pages that commands write."""

from pathlib import Path

import click

from edml.errors import UsageError


def write_page(path: Path, page: str) -> None:
    """Write a page, and say where; raises `UsageError` when it cannot be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the page cannot be written: {error.strerror}",
            where=str(path),
            todo="name another file with --output",
        ) from error
    click.echo(f"The page is {path}", err=True)
