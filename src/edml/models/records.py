"""What is on the log about models: Model, Roles, Releases, and the commands of people.

A Model never changes once it is published; which model answers is told by the Roles alone.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from edml.application import Role

MODELS_TOPIC = "edml.models"
RELEASES_TOPIC = "edml.releases"
COMMANDS_TOPIC = "edml.commands"

ReleaseKind = Literal[
    "published",
    "refused",
    "loaded",
    "promoted",
    "rolled_back",
    "challenging",
    "dropped",
    "frozen",
    "thawed",
    "alarmed",
    "requested",
    "training",
    "retrained",
    "rejected",
    "failed",
]
CommandKind = Literal["publish", "promote", "rollback", "drop", "freeze", "thaw", "retrain"]


@dataclass(frozen=True)
class Tensor:
    """One input or output of a model: its name, its type (numpy's name, or ``string``), its shape.

    A dimension of -1 is the batch. Shapes are ``[-1]`` for the columns that edml binds.
    """

    name: str
    dtype: str
    shape: list[int]


@dataclass(frozen=True)
class Signature:
    """The named inputs and outputs of a model."""

    inputs: list[Tensor]
    outputs: list[Tensor]


@dataclass(frozen=True)
class SelfTestRow:
    """One raw event with the features and the prediction that it gave where the model was trained.

    Each is a JSON object by field name; times are ISO 8601. Whoever loads the model must get the
    same features from the event, and the same prediction from the features.
    """

    event: str
    features: str
    prediction: float


@dataclass(frozen=True)
class Metadata:
    """Where a model comes from, and how good it was on the rows held out from its training."""

    trained_at: datetime
    commit: str
    data_source: str
    data_from: datetime
    data_to: datetime
    rows: int
    metrics: dict[str, float] = field(default_factory=dict)
    """On the hold-out: ``rmse``, ``mae``, ``bias``, and ``baseline.x.rmse``, ``segment.x.rmse``…"""
    distributions: str = ""
    """JSON by feature: counts by value for a category, quantiles for a number."""
    libraries: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model as an event: immutable, and complete (or complete behind ``uri``)."""

    application: str
    version: str
    flavour: str
    sha256: str
    size_bytes: int
    signature: Signature
    self_test: list[SelfTestRow]
    metadata: Metadata
    artefact: bytes | None = None
    uri: str | None = None


@dataclass(frozen=True)
class Roles:
    """Which version has which role, by application: one record, replaced as a whole.

    ``revision`` counts the changes, so that a reader can tell an older record from a newer one.
    """

    application: str
    revision: int
    champion: str | None = None
    challenger: str | None = None
    previous: str | None = None
    frozen: bool = False

    def served(self) -> dict[Role, str]:
        """The versions that are served, by role; the champion first."""
        named: list[tuple[Role, str | None]] = [
            ("champion", self.champion),
            ("challenger", self.challenger),
            ("previous", self.previous),
        ]
        return {role: version for role, version in named if version is not None}


@dataclass(frozen=True)
class Release:
    """Something that happened to a model of an application; the history that compaction forgets."""

    application: str
    kind: ReleaseKind
    version: str
    at: datetime
    by: str
    """The component or the person."""
    cause: str | None = None
    revision: int | None = None
    evidence: str = ""
    """JSON: the figures behind the decision, if any (`edml.models.evidence`)."""


@dataclass(frozen=True)
class Command:
    """What a person asks of the governor of an application."""

    application: str
    kind: CommandKind
    version: str | None
    role: Role | None
    at: datetime
    by: str
    request: str
    """A uuid, by which the answer is told."""
