"""``edml models``: what is published, what it is worth, and who answers."""

import getpass
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from edml.cli.listing import Listing
from edml.cli.options import application_option, json_option
from edml.cli.tables import console, is_wide, minute, number, print_json, table
from edml.errors import UsageError

if TYPE_CHECKING:
    from edml.kafka.models_topic import ModelsTable
    from edml.models.records import CommandKind, Model
    from edml.wiring import Cluster


@click.group(
    cls=Listing,
    epilog="""\b
Example:
  edml models                    # what is published, and who answers
  edml models compare 1a2b3c4-2 1a2b3c4
  edml models promote            # the challenger becomes champion
  edml models rollback           # and the champion before it is champion again""",
)
def command() -> None:
    """List, show and compare models; promote one, or go back to the one before.

    A version may be written in part, as long as that is the part of one version alone.
    """


@command.command("list")
@application_option
@json_option
def list_models(app: str | None, *, as_json: bool) -> None:
    """List the published models, oldest first, with their roles and their error on the hold-out."""
    with _models(app) as (cluster, models):
        found = [models.model(version) for version in models.versions]
        roles = models.roles
    if as_json:
        print_json(
            {
                "application": cluster.application.name,
                "roles": roles.served(),
                "frozen": roles.frozen,
                "models": [
                    {"roles": _roles(each, roles.served()), **_facts(each)} for each in found
                ],
            }
        )
        return
    if not found:
        click.echo(
            f"No model is published for {cluster.application.name} yet: `edml train` makes one, "
            "`edml publish` publishes it."
        )
        return
    console().print(_list_table(found, roles.served(), cluster.application.outcome.unit))
    if roles.frozen:
        click.echo("Frozen: only people change roles, until `edml models thaw`.")


@command.command(epilog="\b\nExample:\n  edml models show 1a2b3c4")
@click.argument("version")
@application_option
@json_option
def show(version: str, app: str | None, *, as_json: bool) -> None:
    """Show all that is known of one model: where it is from, what it takes, how good it was."""
    with _models(app) as (_, models):
        model = models.model(version_named(models.versions, version))
        roles = _roles(model, models.roles.served())
    if as_json:
        print_json({"roles": roles, **_facts(model)})
        return
    out = console()
    out.print(_origin_table(model, roles))
    out.print(_signature_table(model))
    out.print(_metrics_table(model))
    if model.self_test:
        out.print(_self_test_table(model))


@command.command(epilog="\b\nExample:\n  edml models compare 0.1.0-20191128 0.1.0-20191129")
@click.argument("first")
@click.argument("second")
@application_option
@json_option
def compare(first: str, second: str, app: str | None, *, as_json: bool) -> None:
    """Compare two models side by side: what differs, and their errors by segment."""
    with _models(app) as (cluster, models):
        pair = [models.model(version_named(models.versions, each)) for each in (first, second)]
        unit = cluster.application.outcome.unit
    metrics = list(dict.fromkeys(name for each in pair for name in each.metadata.metrics))
    if as_json:
        print_json(
            {
                "versions": [each.version for each in pair],
                "differs": {name: values for name, *values in _differences(*pair)},
                "metrics": {
                    name: [each.metadata.metrics.get(name) for each in pair]
                    for name in sorted(metrics, key=_metric_order)
                },
            }
        )
        return
    out = console()
    what = table("", "first", "second", whole=("",))
    what.add_row("version", *(each.version for each in pair))
    for row in _differences(*pair):
        what.add_row(*row)
    out.print(what)
    right = ("first", "second", "difference")
    errors = table("on the hold-out", *right, right=right, title=f"Errors in {unit}")
    for name in _for_people(metrics):
        values = [each.metadata.metrics.get(name) for each in pair]
        errors.add_row(_metric_name(name), *map(number, values), _difference(*values))
    out.print(errors)


@command.command(epilog="\b\nExample:\n  edml models promote\n  edml models promote 1a2b3c4-2")
@click.argument("version", required=False)
@application_option
@json_option
def promote(version: str | None, app: str | None, *, as_json: bool) -> None:
    """Make a model the champion: VERSION, or the challenger.

    The champion before it becomes the previous one, and is served in the shadow.
    """
    _execute("promote", app, version, as_json=as_json)


@command.command(epilog="\b\nExample:\n  edml models rollback")
@application_option
@json_option
def rollback(app: str | None, *, as_json: bool) -> None:
    """Have the previous champion answer again."""
    _execute("rollback", app, None, as_json=as_json)


@command.command(epilog="\b\nExample:\n  edml models drop")
@application_option
@json_option
def drop(app: str | None, *, as_json: bool) -> None:
    """Serve the challenger no longer. Its record stays: it can be promoted later."""
    _execute("drop", app, None, as_json=as_json)


@command.command(epilog="\b\nExample:\n  edml models freeze")
@application_option
@json_option
def freeze(app: str | None, *, as_json: bool) -> None:
    """Let only people change roles: nothing is promoted or rolled back by itself."""
    _execute("freeze", app, None, as_json=as_json)


@command.command(epilog="\b\nExample:\n  edml models thaw")
@application_option
@json_option
def thaw(app: str | None, *, as_json: bool) -> None:
    """Let edml change roles by itself again."""
    _execute("thaw", app, None, as_json=as_json)


@command.command(epilog="\b\nExample:\n  edml models history --last 10")
@application_option
@click.option("--last", type=click.IntRange(1), help="Only so many of the last ones.")
@json_option
def history(app: str | None, last: int | None, *, as_json: bool) -> None:
    """Show what happened to the models: published, refused, promoted, rolled back."""
    from edml import wiring
    from edml.kafka.releases import releases

    with wiring.cluster(app) as cluster:
        found = releases(
            cluster.settings.client(),
            cluster.registry,
            cluster.control.releases,
            cluster.application.name,
        )
    found = found if last is None else found[-last:]
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        click.echo(f"Nothing has happened to models of {cluster.application.name} yet.")
        return
    shown = table("at (UTC)", "what", "version", "by", "why", whole=("at (UTC)", "version"))
    for each in found:
        why = each.cause or each.evidence
        shown.add_row(minute(each.at), each.kind.replace("_", " "), each.version, each.by, why)
    console().print(shown)


@contextmanager
def _models(app: str | None) -> "Iterator[tuple[Cluster, ModelsTable]]":
    """The models of an application, read to their end; none when their topic does not exist."""
    from edml import wiring
    from edml.kafka.spans import topic_names

    with wiring.cluster(app) as cluster, closing(cluster.models()) as models:
        if cluster.control.models in topic_names(cluster.settings.client()):
            models.read_to_end()
        yield cluster, models


def _execute(kind: "CommandKind", app: str | None, version: str | None, *, as_json: bool) -> None:
    from edml import wiring

    with wiring.cluster(app) as cluster, cluster.governor() as governor:
        named = None if version is None else version_named(governor.versions, version)
        decision = governor.execute(wiring.command(cluster, kind, named, None, getpass.getuser()))
    roles = decision.roles.served()
    if as_json:
        print_json(
            {
                "changed": bool(decision.releases),
                "revision": decision.roles.revision,
                "roles": roles,
                "frozen": decision.roles.frozen,
            }
        )
        return
    for release in decision.releases:
        click.echo(f"{release.kind.replace('_', ' ')} {release.version}".strip())
    if not decision.releases:
        click.echo("Nothing changes: it is so already.")
    for name, each in roles.items():
        click.echo(f"  {name:<10}  {each}")
    if decision.roles.frozen:
        click.echo("  frozen until `edml models thaw`")


def version_named(versions: Sequence[str], text: str) -> str:
    """The version that is meant: this one, or the only one that has this part."""
    if text in versions:
        return text
    found = [each for each in versions if text in each]
    # 1a2b3c4 is a part of 1a2b3c4-2, too; whoever means the second training says so.
    found = [each for each in found if each.endswith(text)] or found
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{text} is a part of several versions: {', '.join(found)}"
        if found
        else f"no version is called {text}",
        todo="write more of it" if found else "see `edml models` for those that are published",
    )


def _roles(model: "Model", served: "dict[Any, str]") -> list[str]:
    return [role for role, version in served.items() if version == model.version]


def _facts(model: "Model") -> dict[str, Any]:
    """A model as JSON has it: everything but its bytes."""
    facts = asdict(model)
    del facts["artefact"]
    facts["stored"] = "in the record" if model.uri is None else model.uri
    facts["metadata"]["distributions"] = json.loads(model.metadata.distributions or "{}")
    for row in facts["self_test"]:
        row |= {name: json.loads(row[name]) for name in ("event", "features")}
    return facts


def _list_table(models: "Sequence[Model]", served: "dict[Any, str]", unit: str) -> Any:
    wide = is_wide()
    more = ("flavour", "data") if wide else ()
    right = ("rows", "RMSE", "baseline")
    made = table("version", "role", *more, *right, right=right, whole=("version", "role", "data"))
    made.caption = f"RMSE on the hold-out in {unit}; of the baselines, the best one"
    made.caption_justify = "left"
    for model in models:
        about = model.metadata
        made.add_row(
            model.version,
            ", ".join(_roles(model, served)),
            *((model.flavour, _data_range(model)) if wide else ()),
            f"{about.rows:,}",
            number(about.metrics.get("rmse")),
            _best_baseline(model, named=wide),
        )
    return made


def _data_range(model: "Model") -> str:
    return f"{model.metadata.data_from:%Y-%m-%d} – {model.metadata.data_to:%Y-%m-%d}"


def _best_baseline(model: "Model", *, named: bool) -> str:
    """The least RMSE of the baselines, and its name where there is room for it."""
    found = [
        (value, name.split(".")[1])
        for name, value in model.metadata.metrics.items()
        if name.startswith("baseline.") and name.endswith(".rmse")
    ]
    if not found:
        return ""
    value, name = min(found)
    return f"{number(value)} {name}" if named else number(value)


def _origin_table(model: "Model", roles: Sequence[str]) -> Any:
    about = model.metadata
    made = table("model", model.version)
    stored = "in the record" if model.uri is None else f"at {model.uri}"
    rows = {
        "role": ", ".join(roles) or "none",
        "flavour": model.flavour,
        "trained": f"{minute(about.trained_at)} UTC",
        "commit": about.commit,
        "data": f"{_data_range(model)}, {about.rows:,} rows, {about.data_source}",
        "artefact": f"{model.size_bytes / 1e6:,.1f} MB, {stored}",
        "sha256": model.sha256,
        "parameters": _pairs(about.parameters),
        "libraries": _pairs(about.libraries),
    }
    for name, value in rows.items():
        if value:
            made.add_row(name, value)
    return made


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _signature_table(model: "Model") -> Any:
    made = table("signature", "name", "type", "shape")
    for kind, tensors in (("in", model.signature.inputs), ("out", model.signature.outputs)):
        for each in tensors:
            made.add_row(kind, each.name, each.dtype, str(each.shape))
    return made


def _metrics_table(model: "Model") -> Any:
    made = table("on the hold-out", "value", right=("value",))
    for name in _for_people(model.metadata.metrics):
        made.add_row(_metric_name(name), number(model.metadata.metrics[name]))
    return made


def _self_test_table(model: "Model") -> Any:
    row = model.self_test[0]
    made = table("self-test", f"the first of {len(model.self_test)}")
    for name, text in (("event", row.event), ("features", row.features)):
        made.add_row(name, ", ".join(f"{key} {value}" for key, value in json.loads(text).items()))
    made.add_row("prediction", number(row.prediction))
    return made


def _for_people(metrics: Iterable[str]) -> list[str]:
    """The metrics in order, but for those that are there for the monitor to compare with."""
    shown = (name for name in metrics if not name.startswith(("season.", "block.")))
    return sorted(shown, key=_metric_order)


def _metric_order(name: str) -> tuple[int, str]:
    """The model itself first, then its baselines, then its segments."""
    kinds = ("baseline", "segment")
    kind = name.split(".", 1)[0]
    return (kinds.index(kind) + 1 if kind in kinds else 0, "" if kind not in kinds else name)


def _metric_name(name: str) -> str:
    """``segment.Bronx.rmse`` as a person reads it: ``segment Bronx: RMSE``."""
    *path, metric = name.split(".")
    metric = metric.upper() if metric in {"rmse", "mae"} else metric
    return f"{' '.join(path)}: {metric}" if path else metric


def _differences(first: "Model", second: "Model") -> list[tuple[str, str, str]]:
    """What two models have that is not the same."""
    about = [
        {
            "flavour": each.flavour,
            "trained": minute(each.metadata.trained_at),
            "commit": each.metadata.commit,
            "data": _data_range(each),
            "source": each.metadata.data_source,
            "rows": f"{each.metadata.rows:,}",
            "inputs": ", ".join(tensor.name for tensor in each.signature.inputs),
            **each.metadata.parameters,
            **each.metadata.libraries,
        }
        for each in (first, second)
    ]
    names = dict.fromkeys(name for each in about for name in each)
    rows = [(name, about[0].get(name, ""), about[1].get(name, "")) for name in names]
    return [row for row in rows if row[1] != row[2]]


def _difference(first: float | None, second: float | None) -> str:
    if first is None or second is None:
        return ""
    percent = f" ({(second - first) / abs(first):+.1%})" if first else ""
    return f"{second - first:+,.3f}{percent}"
