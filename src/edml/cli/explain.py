"""``edml explain``: from one prediction back to what it came from."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from edml.cli.options import application_option, json_option
from edml.cli.tables import console, minute, number, print_json, table
from edml.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from edml.lineage.explanation import Explanation, Predicted
    from edml.lineage.origin import Origin
    from edml.models.records import Model
    from edml.wiring import Cluster


@click.command(
    epilog="""\b
Example:
  edml explain 00000000-0000-8000-8000-000000000042
  edml explain 00000000-0000-8000-8000-000000000042 --json | jq .outcome"""
)
@click.argument("uuid")
@application_option
@json_option
def command(uuid: str, app: str | None, *, as_json: bool) -> None:
    """Tell where the prediction with the key UUID came from, and what became of it.

    The event, the features that the model was given, the model with its hash, data and commit, the
    alarm that caused its training, the verdict that promoted it, the outcome and the error. What is
    not known is said.
    """
    from edml import wiring

    with wiring.cluster(app) as cluster:
        found = _explained(cluster, uuid)
        unit = cluster.application.outcome.unit
    if as_json:
        print_json({"unit": unit, **_document(found)})
    else:
        _show(found, unit)


def _explained(cluster: "Cluster", uuid: str) -> "Explanation":
    from edml.cli.playing_progress import playing_progress
    from edml.events import TopicPartition
    from edml.kafka.codec.schema import avro_schema
    from edml.kafka.releases import releases
    from edml.lineage.explanation import Known, explain, first_event
    from edml.serving.records import prediction_schema

    app, client, registry = cluster.application, cluster.settings.client(), cluster.registry
    with playing_progress("Looking for the key", None) as tell:
        finder = replace(cluster.finder(), tell=tell)
        predictions = finder.of_key(app.predictions_topic, prediction_schema(app), uuid).frame
        if predictions.is_empty():
            raise _unknown(cluster, uuid)
        outcomes = finder.of_key(app.outcome.topic, avro_schema(app.outcome.schema), uuid)
    partition, offset = first_event(predictions)
    event = finder.at(
        TopicPartition(app.event.topic, partition), offset, avro_schema(app.event.schema)
    )
    fields = [each for each in event.columns if not each.startswith("_")]
    reached = outcomes.newest[app.outcome.time].max()
    known = Known(
        predictions=predictions,
        event=event.select(fields).row(0, named=True) if event.height else None,
        outcomes=outcomes.frame,
        reached=reached if isinstance(reached, datetime) else None,
        releases=releases(client, registry, cluster.control.releases, app.name),
    )
    with _models(cluster) as find:
        return explain(app, known, find)


def _unknown(cluster: "Cluster", uuid: str) -> DataError:
    """Why there is no prediction: the event is not there either, or is not served yet."""
    from edml.kafka.codec.schema import avro_schema

    app = cluster.application
    event = cluster.finder().of_key(app.event.topic, avro_schema(app.event.schema), uuid).frame
    if event.is_empty():
        return DataError(
            f"neither a prediction nor an event has the key {uuid}",
            where=f"{app.predictions_topic}, {app.event.topic}",
            todo="copy the whole key; records older than the topics' retention are gone",
        )
    return DataError(
        f"the event {uuid} is there, but has no prediction",
        where=app.predictions_topic,
        todo="see whether `edml serve` runs, and whether it was rejected: `edml dead-letters`",
    )


@contextmanager
def _models(cluster: "Cluster") -> "Iterator[Callable[[str], Model | None]]":
    """Gives published models by version, and None for those whose record is gone."""
    from edml.cli.named_models import published_models

    with published_models(cluster) as models:
        yield lambda version: models.model(version) if version in models.versions else None


def _document(found: "Explanation") -> dict[str, Any]:
    """The explanation as JSON has it, evidence as objects."""
    document = asdict(found)
    for origin in document["origins"].values():
        if origin["published"] is not None:
            origin["published"] = {name: origin["published"][name] for name in ("at", "by")}
    return document


def _show(found: "Explanation", unit: str) -> None:
    out = console()
    answer = found.predictions[0]
    out.print(_prediction_table(found, unit))
    _print_pairs(out, "event", found.event or {})
    _print_pairs(out, "features", found.features)
    for version, origin in found.origins.items():
        roles = ", ".join(each.role for each in found.predictions if each.version == version)
        _print_pairs(out, f"model ({roles})", _origin(origin, unit))
    if len(found.predictions) > 1:
        out.print(_others_table(found.predictions, unit))
    for sentence in [*found.unknown, *found.origins[answer.version].unknown]:
        click.echo(f"Not known: {sentence}.")
    if found.others:
        click.echo(
            f"The key has {found.others + 1} events: this is the first, the one that counts."
        )


def _prediction_table(found: "Explanation", unit: str) -> Any:
    answer = found.predictions[0]
    made = table("prediction", found.uuid)
    rows = {
        "predicted": f"{number(answer.prediction)} {unit}, as {answer.role}",
        "event": f"{minute(found.event_time)} UTC, {found.segment}",
        "written": f"{minute(answer.at)} UTC, at {answer.place} for {answer.event_place}",
        "version": answer.version,
        "outcome": found.outcome.sentence
        if found.outcome.value is None
        else f"{number(found.outcome.value)} {unit}: {found.outcome.sentence}",
        "error": "" if answer.error is None else f"{answer.error:+,.3f} {unit}",
    }
    for name, value in rows.items():
        if value:
            made.add_row(name, value)
    return made


def _others_table(predictions: "tuple[Predicted, ...]", unit: str) -> Any:
    right = ("prediction", "error")
    made = table("role", "version", *right, right=right, title=f"All predictions, in {unit}")
    for each in predictions:
        error = "" if each.error is None else f"{each.error:+,.3f}"
        made.add_row(each.role, each.version, number(each.prediction), error)
    return made


def _origin(origin: "Origin", unit: str) -> dict[str, str]:
    rows = {"version": origin.version}
    about = origin.facts
    if about is not None:
        rows |= {
            "artefact": f"{about.flavour}, {about.size_bytes / 1e6:,.1f} MB, {about.stored}",
            "sha256": about.sha256,
            "trained": f"{minute(about.trained_at)} UTC, commit {about.commit}",
            "data": f"{minute(about.data_from)} – {minute(about.data_to)}, {about.rows:,} rows, "
            f"{about.data_source}",
        }
        if about.rmse is not None:
            rows["hold-out"] = f"RMSE {number(about.rmse)} {unit}"
    if origin.training is not None:
        rows["why"] = f"{origin.training.reason}, of what was known at {origin.training.as_of}"
        if origin.training.renews is not None:
            rows["renews"] = f"{origin.training.renews}, by the same recipe"
    if origin.alarm is not None:
        alarm = origin.alarm
        rows["alarm"] = (
            f"{alarm.about}{f' of {alarm.segment}' if alarm.segment else ''} from "
            f"{minute(alarm.start)} to {minute(alarm.end)}: {alarm.statistic:,.2f} above "
            f"{alarm.threshold:,.2f}"
        )
    if origin.published is not None:
        rows["published"] = f"{minute(origin.published.at)} UTC by {origin.published.by}"
    if origin.promotion is not None:
        made = origin.promotion
        kind = made.kind.replace("_", " ")
        rows[kind] = f"{minute(made.at)} UTC by {made.by}"
        rows["verdict"] = (
            "by hand: there is none"
            if made.verdict is None
            else f"{made.verdict.cause} (against {made.verdict.against}, {made.verdict.blocks} "
            f"blocks, {made.verdict.statistic:,.2f} above {made.verdict.threshold:,.2f})"
        )
    return rows


def _print_pairs(out: "Console", title: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    made = table(title, "")
    for name, value in values.items():
        made.add_row(name, value if isinstance(value, str) else json.dumps(value, default=str))
    out.print(made)
