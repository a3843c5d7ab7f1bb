"""Scoring beside its peers' joins: predictions and outcomes to scored predictions."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from bench import applications, verify, world
from bench.peers.edml import Edml
from bench.peers.kafka_streams import KafkaStreamsJoin
from bench.peers.peer import Guarantee, Join, Peer
from bench.peers.quix import QuixJoin
from bench.runs import Runs, beside, figures, rounds, with_the_better_of
from bench.scene import Scene
from bench.serving import STREAMS
from bench.verify import Answers, Verified
from bench.world import Writer
from edml.application import Application
from edml.kafka.codec.schema import avro_schema
from edml.scoring.records import scored_schema
from edml.serving.records import prediction_schema

OURS = "edml"
GUARANTEE: Guarantee = "exactly_once"


def scoring(scene: Scene) -> dict[str, Any]:
    """Matched predictions a second, exactly once."""
    application = applications.scoring
    ours = Edml(application, "scoring", scene.stage.environment, OURS, verb="score")
    with scene.stage.cluster(application) as cluster:
        cluster.create()
    answers = Answers(_scored(scene, application), scene.registry, scored_schema(application))

    def check(peer: Peer, since: Mapping[int, int]) -> Verified:
        return verify.scored(scene.stage, peer.output, since, answers)

    join = _join(scene, application)
    return told(rounds(scene, [ours, *_peers(scene, join)], GUARANTEE, join.predictions, check))


def _peers(scene: Scene, join: Join) -> list[Peer]:
    tools, plan = scene.tools, scene.plan
    found: list[Peer] = [
        KafkaStreamsJoin(tools, join, name=f"{STREAMS}_{threads}", threads=threads)
        for threads in ((2,) if plan.quick else (1, 2))
    ]
    found.append(QuixJoin(tools, join))
    return [each for each in found if not plan.peers or each.name in plan.peers]


def _scored(scene: Scene, application: Application) -> pl.DataFrame:
    """Write the trips' predictions and outcomes; gives back what must be scored of them."""
    trips = scene.trips.head(scene.plan.to_score)
    predictions = world.predicted(scene.artefact, "onnx", trips)
    Writer.of_predictions(scene.stage, scene.registry, application).write(predictions)
    outcomes = trips.sort("dropoff_at")
    Writer.of_outcomes(scene.stage, scene.registry, application).write(outcomes)
    minutes = (pl.col("dropoff_at") - pl.col("pickup_at")).dt.total_microseconds() / 60e6
    known = trips.select("uuid", outcome=minutes)
    return predictions.select("uuid", "prediction").join(known, on="uuid")


def _join(scene: Scene, application: Application) -> Join:
    schemas = {
        "prediction": prediction_schema(application),
        "outcome": avro_schema(application.outcome.schema),
        "scored": scored_schema(application),
    }
    topics = {
        "prediction": application.predictions_topic,
        "outcome": application.outcome.topic,
        "scored": application.scored_topic,
    }
    return Join(
        predictions=topics["prediction"],
        outcomes=topics["outcome"],
        schemas={name: json.dumps(each) for name, each in schemas.items()},
        ids={
            name: scene.registry.register(f"{topics[name]}-value", each)
            for name, each in schemas.items()
        },
    )


def told(runs: Runs) -> dict[str, Any]:
    """Our figures with their ratios, and the peers'."""
    peers = {name: each for name, each in runs.items() if name != OURS}
    return {
        **beside(runs[OURS], with_the_better_of(peers, STREAMS)),
        "peers": {name: figures(each) for name, each in peers.items()},
    }
