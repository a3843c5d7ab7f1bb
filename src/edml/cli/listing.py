"""Groups that list when no command is named: ``edml models`` is ``edml models list``."""

from typing import Final

import click

LIST: Final = "list"


class Listing(click.Group):
    """A group whose ``list`` is meant when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` in front of arguments that begin with an option, help apart."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [LIST, *args]
        return super().parse_args(ctx, args)
