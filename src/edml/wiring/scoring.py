"""Wires ``edml score``."""

from threading import Event

from edml.kafka.burial import DeadLetters
from edml.kafka.codec.schema import avro_schema
from edml.kafka.identity import instance
from edml.kafka.log import KafkaLog
from edml.kafka.serdes import FrameDecoder, FrameEncoder, key_schema
from edml.runtime.runner import Runner
from edml.scoring.component import Scoring
from edml.scoring.records import SCORE_KEY, SCORED_KEY, Score, scored_schema
from edml.serving.records import prediction_schema
from edml.wiring import Cluster
from edml.wiring.running import Running


def score(cluster: Cluster, stop: Event, running: Running) -> None:
    """Join predictions with outcomes until ``stop`` is set, and add up their errors."""
    app, settings, registry = cluster.application, cluster.settings, cluster.registry
    cluster.create()
    group = f"{settings.topic_prefix}edml.{app.name}.score"
    scored, sums = scored_schema(app), avro_schema(Score)
    with instance(settings.home, group) as name:
        log = KafkaLog(
            settings.client(),
            group=group,
            instance=name,
            inputs={
                app.predictions_topic: FrameDecoder(registry, prediction_schema(app)),
                app.outcome.topic: FrameDecoder(registry, avro_schema(app.outcome.schema)),
            },
            outputs={
                app.scored_topic: FrameEncoder(
                    registry, app.scored_topic, scored, key=key_schema(scored, SCORED_KEY)
                ),
                app.scores_topic: FrameEncoder(
                    registry, app.scores_topic, sums, key=key_schema(sums, SCORE_KEY)
                ),
            },
            dead_letters=DeadLetters(cluster.dead_letters, name),
            guarantee=running.guarantee,
        )
        Runner(Scoring(app), log, pace=running.pace, watch=running.watch).run(stop)
