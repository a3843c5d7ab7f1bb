"""A peer as the bench sees it: a program that reads trips and writes predictions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from bench.processes import Command
from bench.stage import Stage

Guarantee = Literal["exactly_once", "at_least_once"]

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Work:
    """What a peer is asked to do. ``group`` is new to the log, unless the peer has its own."""

    guarantee: Guarantee
    group: str
    input: str
    output: str
    folder: Path


@dataclass(frozen=True)
class Join:
    """What is joined: topics, and by ``prediction``, ``outcome``, ``scored`` schemas and ids."""

    predictions: str
    outcomes: str
    schemas: Mapping[str, str]
    ids: Mapping[str, int]

    def told(self) -> Mapping[str, str]:
        """What every program is told of it, by name."""
        return {
            "predictions": self.predictions,
            "outcomes": self.outcomes,
            **{f"{name}_id": str(each) for name, each in self.ids.items()},
        }

    def described(self) -> Mapping[str, str]:
        """The schemas, for programs that have them not compiled in."""
        return {f"{name}_schema": each for name, each in self.schemas.items()}


class Peer(Protocol):
    """Someone who does the work."""

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        ...

    @property
    def output(self) -> str:
        """The topic that it writes."""
        ...

    @property
    def compiles(self) -> bool:
        """Whether it compiles itself while it runs, as Java does, and is slow until then."""
        ...

    @property
    def instances(self) -> int:
        """How many processes of it share the work."""
        ...

    def prepare(self, stage: Stage) -> None:
        """What is done before it is started anew, so that it begins with the first record."""
        ...

    def command(self, work: Work) -> Command:
        """How it is started."""
        ...


@dataclass(frozen=True)
class Tools:
    """What the programs of peers are told and run by."""

    bootstrap: str
    zones: Path
    artefact: Path
    version: str
    event_schema: str
    event_id: int
    prediction_schema: str
    prediction_id: int
    batch: int
    java: tuple[str, ...]
    bench_python: Path

    @property
    def onnx(self) -> Path:
        """The model's file."""
        return self.artefact / "model.onnx"

    def told(self, work: Work) -> Mapping[str, str]:
        """What every program is told, by name."""
        return {
            "bootstrap": self.bootstrap,
            "group": work.group,
            "guarantee": work.guarantee,
            "input": work.input,
            "output": work.output,
            "batch": str(self.batch),
            "zones": str(self.zones),
            "version": self.version,
            "onnx": str(self.onnx),
            "savedmodel": str(self.artefact / "saved_model"),
            "event_id": str(self.event_id),
            "prediction_id": str(self.prediction_id),
        }

    def schemas(self) -> Mapping[str, str]:
        """The schemas, for programs that have them not compiled in."""
        return {"event_schema": self.event_schema, "prediction_schema": self.prediction_schema}

    def python(self, module: str, told: Mapping[str, str], *, python: str = "") -> Command:
        """A Python program of ours."""
        return Command([python or sys.executable, "-m", module, *_arguments(told)], _FROM_ROOT)

    def jvm(self, main_class: str, told: Mapping[str, str]) -> Command:
        """A Java program of ours."""
        return Command([*self.java, main_class, *_arguments(told)])


_FROM_ROOT = {"PYTHONPATH": str(ROOT)}


def _arguments(told: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in told.items()]
