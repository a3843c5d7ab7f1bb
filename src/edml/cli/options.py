"""Options that many commands share."""

import click

application_option = click.option(
    "--app",
    metavar="NAME",
    help="An installed application, `file.py:name` or `package.module:name`.  "
    "[default: EDML_APP, or taxi]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
