"""The demo's stages: what is done, what is under way, what is to come. Time is a parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

NAMES: Final = ("log", "data", "train", "publish", "serve", "replay", "retrain", "swap")
"""The stages in the order in which they begin; ``retrain`` goes on while ``replay`` does."""

DRIFT_NAMES: Final = (
    *("log", "data", "train", "publish", "serve", "replay"),
    *("alarm", "retrain", "shadow", "promote"),
)
"""Those of a city that changes: what begins after ``replay`` is nobody's doing but the loop's."""


class Mark(Enum):
    """How a stage is."""

    TO_COME = "to come"
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage; times are seconds since the demo began.

    ``note`` says what it does, or did; ``said`` is what its command said last.
    """

    name: str
    mark: Mark = Mark.TO_COME
    began_s: float = 0.0
    ended_s: float = 0.0
    note: str = ""
    said: str = ""

    def lasted_s(self, now_s: float) -> float:
        """How long it has taken so far, or took."""
        return (self.ended_s if self.mark in {Mark.DONE, Mark.FAILED} else now_s) - self.began_s


@dataclass(frozen=True)
class Stages:
    """All stages as they are at one moment."""

    by_name: Mapping[str, Stage]

    @classmethod
    def to_come(cls, names: Sequence[str] = NAMES) -> "Stages":
        """Nothing has begun."""
        return cls({name: Stage(name) for name in names})

    def began(self, name: str, now_s: float, note: str) -> "Stages":
        """A stage is under way."""
        return self._with(Stage(name, Mark.UNDER_WAY, began_s=now_s, note=note))

    def noted(self, name: str, note: str) -> "Stages":
        """A stage has something new to say."""
        return self._with(replace(self.by_name[name], note=note))

    def heard(self, name: str, said: str) -> "Stages":
        """A stage's command has said something."""
        return self._with(replace(self.by_name[name], said=said))

    def done(self, name: str, now_s: float, note: str) -> "Stages":
        """A stage is done."""
        return self._with(
            replace(self.by_name[name], mark=Mark.DONE, ended_s=now_s, note=note, said="")
        )

    def failed(self, now_s: float) -> "Stages":
        """What was under way will not be done."""
        return Stages(
            {
                name: replace(stage, mark=Mark.FAILED, ended_s=now_s)
                if stage.mark is Mark.UNDER_WAY
                else stage
                for name, stage in self.by_name.items()
            }
        )

    @property
    def all(self) -> tuple[Stage, ...]:
        """Every stage, in order."""
        return tuple(self.by_name.values())

    @property
    def under_way(self) -> tuple[Stage, ...]:
        """The stages that are under way, the one that began last first."""
        found = [stage for stage in self.all if stage.mark is Mark.UNDER_WAY]
        return tuple(sorted(found, key=lambda stage: -stage.began_s))

    def _with(self, stage: Stage) -> "Stages":
        return Stages({**self.by_name, stage.name: stage})
