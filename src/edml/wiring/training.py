"""Wires ``edml retrain``."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from edml.kafka.identity import instance
from edml.kafka.training_log import KafkaTrainingLog
from edml.monitoring.governor import Decision
from edml.retraining.worker import Means, Worker
from edml.runtime.clock import SystemClock
from edml.wiring import Cluster, command
from edml.wiring.publishing import pack


@contextmanager
def trainer(cluster: Cluster, means: Means) -> Iterator[Worker]:
    """A worker that trains what is requested on the log, under a name of its own."""
    app, settings = cluster.application, cluster.settings
    cluster.create()
    log = KafkaTrainingLog(
        settings.client(),
        cluster.registry,
        app,
        cluster.control.releases,
        governor=cluster.governor,
        table=cluster.models,
        packer=partial(pack, cluster),
    )
    with instance(settings.home, f"{settings.topic_prefix}edml.{app.name}.retrain") as name:
        yield Worker(name, app, log, SystemClock(), means)


def request_training(cluster: Cluster, by: str) -> Decision:
    """Ask for a training, as a person does."""
    with cluster.governor() as governor:
        return governor.execute(command(cluster, "retrain", None, None, by))
