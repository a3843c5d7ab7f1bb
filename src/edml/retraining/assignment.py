"""What a training is told, and the folder in which it works: files in, a candidate out.

::

    <EDML_HOME>/retraining/<training>/
      assignment.json  what is to be trained, and how
      scored/          the log's scored predictions, as they were when the training was begun
      champion/        the artefact of the model to be beaten
      base/            of what that corrects, when it is to be renewed
      job/             checkpoints: a training that was killed goes on from there
      candidate/       the new artefact, once it is whole
      result.json      how it was chosen, and whether it beat the champion; the last to be written
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from edml.models.evidence import Training

CORRECTS: Final = "corrects"
"""The parameter of a model that names the version which it corrects."""

_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9.+@-]+")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What is to be trained.

    ``application`` is where it is declared, ``known_to`` the point in event time up to which
    anything is known, ``data`` the folder of history, if there is any; ``changed`` is when the
    drift began that is behind the training. It has ``time_s`` seconds for all it does.
    """

    application: str
    training: Training
    known_to: datetime
    data: Path | None
    version: str
    champion: str
    flavour: str
    time_s: float
    threads: int = 2
    changed: datetime | None = None

    @property
    def renews(self) -> bool:
        """Whether the champion's own recipe is to be taken again."""
        return self.training.renews is not None

    def to_json(self) -> str:
        """The text of ``assignment.json``."""
        more = {
            **vars(self),
            "known_to": self.known_to.isoformat(),
            "data": None if self.data is None else str(self.data),
            "changed": None if self.changed is None else self.changed.isoformat(),
        }
        del more["training"]
        return self.training.to_json(assignment=more)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read it again."""
        told = json.loads(text)["assignment"]
        data, changed = told.pop("data"), told.pop("changed")
        return cls(
            training=Training.from_json(text),
            known_to=datetime.fromisoformat(told.pop("known_to")),
            data=None if data is None else Path(data),
            changed=None if changed is None else datetime.fromisoformat(changed),
            **told,
        )


@dataclass(frozen=True)
class Result:
    """How a candidate was chosen, and how it compares with the champion; ready for JSON.

    ``cause`` says why it was not admitted, ``tried`` are the recipes that were looked at,
    ``chosen`` is the best of them, and ``admission`` says how that and the champion did on rows
    that neither saw.
    """

    admitted: bool
    cause: str
    tried: list[Mapping[str, Any]]
    chosen: Mapping[str, Any] | None
    admission: Mapping[str, Any]


@dataclass(frozen=True)
class Workplace:
    """The folder of one training."""

    folder: Path

    @classmethod
    def of(cls, home: Path, training: Training) -> Self:
        """The folder of this training below ``home``: always the same one."""
        return cls.named(home, training.id)

    @classmethod
    def named(cls, home: Path, training: str) -> Self:
        """The folder of the training with this id."""
        return cls(home / "retraining" / _name(training))

    @property
    def scored(self) -> Path:
        """The folder of the log's scored predictions."""
        return self.folder / "scored"

    @property
    def champion(self) -> Path:
        """The champion's artefact."""
        return self.folder / "champion"

    @property
    def base(self) -> Path:
        """The artefact that the champion corrects; there only when the champion is renewed."""
        return self.folder / "base"

    @property
    def job(self) -> Path:
        """Logs and checkpoints."""
        return self.folder / "job"

    @property
    def candidate(self) -> Path:
        """The new artefact."""
        return self.folder / "candidate"

    @property
    def output(self) -> Path:
        """What the process of the training prints."""
        return self.folder / "output.txt"

    @property
    def failure(self) -> Path:
        """Why the training failed, in the words of who failed."""
        return self.folder / "failure.txt"

    def assignment(self) -> Assignment | None:
        """What was told before; None when that was not finished."""
        path = self.folder / "assignment.json"
        return Assignment.from_json(path.read_text("utf-8")) if path.is_file() else None

    def assign(self, assignment: Assignment) -> None:
        """Tell; all else that is needed must be there."""
        _write(self.folder / "assignment.json", assignment.to_json())

    def result(self) -> Result | None:
        """What came of it; None while nothing did."""
        path = self.folder / "result.json"
        return Result(**json.loads(path.read_text("utf-8"))) if path.is_file() else None

    def finish(self, result: Result) -> None:
        """Tell what came of it: the candidate is whole."""
        _write(self.folder / "result.json", json.dumps(vars(result), indent=2))

    def attempts(self) -> int:
        """How many attempts came to no end."""
        path = self.folder / "attempts"
        return int(path.read_text()) if path.is_file() else 0

    def count(self, attempts: int) -> None:
        """Remember how many there were."""
        _write(self.folder / "attempts", str(attempts))

    def clear(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _name(training: str) -> str:
    """A folder's name for a training: one that a person recognises, and no other training has."""
    digest = sha256(training.encode()).hexdigest()[:8]
    return f"{_UNUSUAL.sub('_', training)[:120]}-{digest}"


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole, or as it was before."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
