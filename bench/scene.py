"""The stage, set: the trips, the model and the tools of all peers, each made when first needed."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from bench import applications, java, world
from bench.peers.edml import Edml, edml
from bench.peers.peer import ROOT, Tools
from bench.plan import Plan
from bench.processes import running
from bench.stage import PARTITIONS, Stage, stage
from edml.application import Application
from edml.errors import EdmlError
from edml.kafka.codec.schema import avro_schema
from edml.kafka.registry import Registry
from edml.models.artefact import Artefact
from edml.runtime.runner import Pace
from edml.serving.records import prediction_schema

INPUTS = {
    "day_of_week": "int64",
    "hour_of_day": "int64",
    "pickup_zone": "int64",
    "dropoff_zone": "int64",
    "day_of_year": "float32",
    "passenger_count": "float32",
    "distance_km": "float32",
}
TRAINED_ON = ("--from", "2019-01", "--to", "2019-03", "--epochs", "4", "--no-lightgbm")
QUICKLY = ("--from", "2019-03", "--to", "2019-03", "--epochs", "1", "--no-lightgbm")
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Scene:
    """A running stage, how much is measured on it, and what everybody is given."""

    stage: Stage
    plan: Plan
    artefact: Path
    registry: Registry
    published: set[str] = field(default_factory=set)
    """The applications that have a champion."""

    @cached_property
    def trips(self) -> pl.DataFrame:
        """The trips of the backlog."""
        return world.trips(self.stage.folder / "trips", self.plan.backlog)

    @cached_property
    def expected(self) -> pl.DataFrame:
        """By ``uuid``, the prediction of each trip."""
        return world.predicted(self.artefact, "onnx", self.trips).select("uuid", "prediction")

    @cached_property
    def backlog(self) -> str:
        """The topic that holds the trips as pick-ups; written once."""
        application = applications.onnx
        world.Writer.of_events(self.stage, self.registry, application).write(self.trips)
        return application.event.topic

    @cached_property
    def tools(self) -> Tools:
        """What the peers' programs are told and run by."""
        application = applications.onnx
        events, answers = avro_schema(application.event.schema), prediction_schema(application)
        topic = application.predictions_topic
        return Tools(
            bootstrap=self.stage.log.bootstrap_servers,
            zones=world.zones(self.stage.folder),
            artefact=self.artefact,
            version=Artefact.read(self.artefact).version,
            event_schema=json.dumps(events),
            event_id=self.registry.register(f"{application.event.topic}-value", events),
            prediction_schema=json.dumps(answers),
            prediction_id=self.registry.register(f"{topic}-value", answers),
            batch=Pace().at_most,
            java=java.compiled(self.stage.log.installation, self.stage.folder / "classes"),
            bench_python=BENCH_PYTHON,
        )

    def edml(self, variable: str, flavour: str, *, name: str, partitions: int = PARTITIONS) -> Edml:
        """``edml serve`` of one of `bench.applications`, with the model as its champion.

        Asked again for an application, it does not publish again.
        """
        application: Application = getattr(applications, variable)
        if variable in self.published:
            return Edml(application, variable, self.stage.environment, name)
        with self.stage.cluster(application, partitions) as cluster:
            cluster.create()
        self.publish(variable, flavour)
        self.published.add(variable)
        return Edml(application, variable, self.stage.environment, name)

    def publish(self, variable: str, flavour: str) -> None:
        """Publish the model as an application's champion, as a person does."""
        folder = self.artefact_as(variable)
        app = f"bench.applications:{variable}"
        self.command("publish", str(folder), "--app", app, "--flavour", flavour)

    def artefact_as(self, variable: str, number: int = 1) -> Path:
        """The model as that of an application; ``number`` tells its versions apart."""
        application: Application = getattr(applications, variable)
        folder = self.stage.folder / "artefacts" / application.name / str(number)
        shutil.copytree(self.artefact, folder)
        description = Artefact.read(folder).description
        version = description.version if number == 1 else f"{description.version}-{number}"
        Artefact.write(folder, replace(description, application=application.name, version=version))
        return folder

    def command(self, *arguments: str) -> None:
        """Run a command of edml to its end; raises `EdmlError` with what it says when it fails."""
        command = edml(self.stage.environment, *arguments)
        log = self.stage.folder / "logs" / f"edml-{arguments[0]}.log"
        with running(command, log) as child:
            if child.process.wait() != 0:
                said = child.output.read_text(encoding="utf-8", errors="replace")
                raise EdmlError(f"edml {' '.join(arguments)} has failed:\n{said}", where=str(log))


@contextmanager
def scene(folder: Path, jars: Path, plan: Plan, artefact: Path) -> Iterator[Scene]:
    """A scene on a stage of its own, cleared away when the context is left."""
    found = world.inputs_of(artefact)
    if found != INPUTS:
        raise EdmlError(
            f"the model takes {found}, and the peers give {INPUTS}",
            where=str(artefact),
            todo="name an artefact that `edml train --app taxi` wrote",
        )
    for left in ("artefacts", "state", "logs"):
        shutil.rmtree(folder / left, ignore_errors=True)
    with stage(folder, jars) as set_up, set_up.cluster(applications.onnx) as cluster:
        cluster.create()
        yield Scene(set_up, plan, artefact.absolute(), cluster.registry)


def model(folder: Path, *, quick: bool) -> Path:
    """The model that is measured: trained once on simulated trips, and kept in ``folder``.

    The ``quick`` one has learnt less; it is as large, and as fast.
    """
    kept = folder / "model"
    if quick and not (kept / "edml.json").exists():
        kept = folder / "model-quick"
    if not (kept / "edml.json").exists():
        shutil.rmtree(kept, ignore_errors=True)
        command = edml(
            {}, "train", "--app", "taxi", *(QUICKLY if quick else TRAINED_ON), "--threads", "2"
        )
        subprocess.run(
            [*command.arguments, "--job-dir", str(folder / "job"), "--output", str(kept)],
            check=True,
        )
    return kept
