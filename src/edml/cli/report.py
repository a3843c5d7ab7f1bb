"""``edml report``: one page about an application's models."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edml.cli.options import application_option
from edml.cli.pages import write_page

if TYPE_CHECKING:
    import polars as pl

    from edml.backtesting.recording import Tell
    from edml.models.records import Model, Roles
    from edml.monitoring.inputs import Bins
    from edml.reports.overview import Known
    from edml.wiring import Cluster


@click.command(
    epilog="""\b
Example:
  edml report
  edml report --output public/taxi.html"""
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The page: one HTML file that needs nothing else.",
)
@application_option
def command(output: Path, app: str | None) -> None:
    """Write a page about the models: errors over time, drift, decisions, one against another.

    What is on the log is read to its end; nothing is written there.
    """
    from edml import wiring
    from edml.reports.overview import overview_page

    with wiring.cluster(app) as cluster:
        page = overview_page(cluster.application, _known(cluster), datetime.now(UTC))
    write_page(output, page)


def _known(cluster: "Cluster") -> "Known":
    from edml.kafka.codec.schema import avro_schema
    from edml.kafka.releases import releases
    from edml.kafka.spans import span
    from edml.kafka.tail import read
    from edml.monitoring.blocks import counted, paired
    from edml.reports.overview import Known
    from edml.scoring.reading import windows
    from edml.scoring.records import Score

    app, client, registry = cluster.application, cluster.settings.client(), cluster.registry
    partitions = len(span(client, app.predictions_topic).end)
    scores = read(client, registry, app.scores_topic, schema=avro_schema(Score), latest=True).frame
    ours = scores.filter(scores["application"] == app.name)
    models, roles = _models(cluster)
    blocks = counted(ours, app, partitions)
    champion, others = roles.champion, (roles.challenger, roles.previous)
    pairs = {
        (other, champion): paired(blocks, other, champion, app)
        for other in others
        if other is not None and champion is not None
    }
    return Known(
        windows=windows(ours, partitions),
        shifts=_shifts(cluster, models, roles),
        pairs=pairs,
        releases=releases(client, registry, cluster.control.releases, app.name),
        models=models,
        roles=roles,
    )


def _models(cluster: "Cluster") -> "tuple[list[Model], Roles]":
    from edml.cli.named_models import published_models

    with published_models(cluster) as table:
        return [table.model(each) for each in table.versions], table.roles


def _shifts(cluster: "Cluster", models: "list[Model]", roles: "Roles") -> "pl.DataFrame":
    """How far the features of each week are from those that the champion learned from."""
    import polars as pl

    from edml.cli.playing_progress import playing_progress
    from edml.monitoring.inputs import TALLY, Bins, added_up
    from edml.reports.shift import SHIFTS, shifts

    champion = next((each for each in models if each.version == roles.champion), None)
    if champion is None:
        return pl.DataFrame(schema=SHIFTS)
    bins = Bins.of(champion.metadata.distributions, cluster.application)
    total = cluster.playback().records(cluster.application.predictions_topic)
    tallied = pl.DataFrame(schema=TALLY)
    with playing_progress("Reading the features of predictions", total) as tell:
        for each in _tallies(cluster, bins, tell):
            tallied = added_up(tallied, each)
    return shifts(tallied, bins)


def _tallies(cluster: "Cluster", bins: "Bins", tell: "Tell") -> "Iterator[pl.DataFrame]":
    """What all champions were given, batch by batch, as if it had been one version."""
    import polars as pl

    from edml.monitoring.inputs import tally
    from edml.serving.records import ROLE, VERSION, prediction_schema

    app = cluster.application
    for batch in cluster.playback().play(app.predictions_topic, prediction_schema(app), tell):
        answers = batch.filter(pl.col(ROLE) == "champion")
        yield tally(answers.with_columns(pl.lit("").alias(VERSION)), {"": bins}, app)
