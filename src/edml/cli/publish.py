"""``edml publish``: a trained model becomes an event."""

import getpass
import json
from pathlib import Path
from typing import Literal

import click

from edml.cli.options import application_option, json_option


@click.command(
    epilog="""\b
Example:
  edml publish build/model --app taxi
  edml publish build/model --app taxi --role challenger --flavour onnx"""
)
@click.argument("artefact", type=click.Path(path_type=Path))
@application_option
@click.option(
    "--role",
    type=click.Choice(["champion", "challenger"]),
    default="champion",
    show_default=True,
    help="A challenger is served in the shadow. The first model of all becomes champion.",
)
@click.option("--flavour", help="Which flavour of the artefact.  [default: the first there is]")
@json_option
def command(
    artefact: Path,
    app: str | None,
    role: Literal["champion", "challenger"],
    flavour: str | None,
    *,
    as_json: bool,
) -> None:
    """Publish the model in the folder ARTEFACT, and give it its role.

    It is loaded and tried here first, as it will be wherever it is served. A published model never
    changes; publishing it again does nothing.
    """
    from edml import wiring
    from edml.wiring.publishing import publish

    with wiring.cluster(app) as cluster:
        model, decision = publish(
            cluster, artefact, flavour=flavour, role=role, by=getpass.getuser()
        )
    roles = decision.roles.served()
    if as_json:
        click.echo(json.dumps({"version": model.version, "roles": roles}, indent=2))
        return
    click.echo(f"{model.version} ({model.flavour}, {model.size_bytes / 1e6:.1f} MB) is published.")
    for name, version in roles.items():
        click.echo(f"  {name:<10}  {version}")
