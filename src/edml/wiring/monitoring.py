"""Wires ``edml monitor``."""

from threading import Event

from edml.kafka.models_topic import ModelsTable
from edml.kafka.monitor import Sources
from edml.kafka.monitor import monitor as run_monitor
from edml.kafka.source import WHEN_AWAY
from edml.kafka.spans import QUIET, spans
from edml.wiring import Cluster


def monitor(cluster: Cluster, stop: Event) -> None:
    """Watch the champion, judge challengers and ask for trainings until ``stop`` is set."""
    app, client = cluster.application, cluster.settings.client()
    cluster.create()
    topics = spans(client, [app.predictions_topic, app.scores_topic])
    sources = Sources(
        client=client,
        registry=cluster.registry,
        releases=cluster.control.releases,
        partitions=len(topics[app.predictions_topic].end),
        scores_partitions=len(topics[app.scores_topic].end),
        models=lambda: ModelsTable(
            {**WHEN_AWAY, **client, "log_level": QUIET},
            cluster.registry,
            cluster.control.models,
            app.name,
        ),
        governor=cluster.governor,
    )
    run_monitor(app, sources, stop)
