"""Wires ``edml serve``."""

from hashlib import sha256
from threading import Event

from edml.kafka.burial import DeadLetters
from edml.kafka.codec.schema import avro_schema
from edml.kafka.identity import instance
from edml.kafka.log import KafkaLog
from edml.kafka.model_watch import ModelWatch
from edml.kafka.releases import ReleaseWriter
from edml.kafka.serdes import FrameDecoder, FrameEncoder
from edml.models.admission import Fetch, admit, fetch_artefact
from edml.models.records import Model
from edml.models.store import ModelStore
from edml.models.trial import Limits, Trials
from edml.runtime.runner import Runner
from edml.serving.component import Serving
from edml.serving.records import KEY, prediction_schema
from edml.serving.served import Bound
from edml.wiring import Cluster
from edml.wiring.running import Running


def serve(cluster: Cluster, stop: Event, running: Running) -> None:
    """Predict events until ``stop`` is set. Waits for a first model; no event is dropped then."""
    app, settings, registry = cluster.application, cluster.settings, cluster.registry
    cluster.create()
    group = f"{settings.topic_prefix}edml.{app.name}.serve"
    with (
        instance(settings.home, group) as name,
        ModelStore(settings.home / "models" / name) as store,
        _model_watch(cluster, store, by=name) as models,
    ):
        if not models.coming(stop):
            return
        log = KafkaLog(
            settings.client(),
            group=group,
            instance=name,
            inputs={app.event.topic: FrameDecoder(registry, avro_schema(app.event.schema))},
            outputs={
                app.predictions_topic: FrameEncoder(
                    registry, app.predictions_topic, prediction_schema(app), key=KEY
                )
            },
            dead_letters=DeadLetters(cluster.dead_letters, name),
            guarantee=running.guarantee,
            timestamps=False,
        )
        if not _loaded(models, log, stop):
            return
        Runner(Serving(app, models), log, pace=running.pace, watch=running.watch).run(stop)


def _loaded(models: ModelWatch, log: KafkaLog, stop: Event) -> bool:
    """Wait for the model, while the group gives us our place; without one, leave the group."""
    loaded = False
    try:
        loaded = models.wait(stop)
    finally:
        if not loaded:
            log.close()
    return loaded


def _model_watch(cluster: Cluster, store: ModelStore, *, by: str) -> ModelWatch:
    """The models of the application, fetched through the instance's store."""
    app = cluster.application
    releases = ReleaseWriter(cluster.settings.client(), cluster.registry, cluster.control.releases)

    settings = cluster.settings
    trials = Trials(settings.home / "trials", by, Limits(settings.trial_s, settings.trial_mb))

    def load(model: Model) -> Bound:
        admitted = admit(app, model, through(store), trials=trials)
        return Bound(admitted.predictor, app.outcome.label)

    return ModelWatch(
        cluster.models(), load, releases.tell, by=by, cancel=trials.stop, passed=trials.passed
    )


def through(store: ModelStore) -> Fetch:
    """Fetch artefacts through a store: what it has is not fetched again."""

    def fetch(model: Model) -> bytes:
        packed = store.get(model.sha256)
        if packed is None:
            packed = fetch_artefact(model)
            if sha256(packed).hexdigest() == model.sha256:
                store.put(packed)
        return packed

    return fetch
