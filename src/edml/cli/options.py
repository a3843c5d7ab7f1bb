"""Options that many commands share."""

from typing import Literal

import click

Guarantee = Literal["exactly_once", "at_least_once"]

application_option = click.option(
    "--app",
    metavar="NAME",
    help="An installed application, `file.py:name` or `package.module:name`.  "
    "[default: EDML_APP, or taxi]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")

guarantee_option = click.option(
    "--guarantee",
    type=click.Choice(["exactly_once", "at_least_once"]),
    default="exactly_once",
    show_default=True,
    help="at_least_once is sooner, and may write twice after a failure.",
)

partitions_option = click.option(
    "--partitions", type=click.IntRange(1), help="Of topics that have to be created.  [default: 4]"
)

verbose_option = click.option("-v", "--verbose", is_flag=True, help="Log more.")
