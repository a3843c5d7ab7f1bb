"""What has happened to an application's models, read from its releases: the loop's whole memory.

A role that changed with a `Verdict` or a `Training` as evidence was changed by edml; any other was
changed by a person.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from edml.errors import DataError
from edml.models.evidence import Alarm, Training, Verdict
from edml.models.records import Release

State = Literal["pending", "waiting", "on_trial", "promoted", "fruitless"]
"""What has become of a training: it is to be done or under way; its candidate waits for a seat; is
challenger; has become champion; or there is nothing to show for it."""

UNDECIDED: Final = ("pending", "waiting", "on_trial")


@dataclass(frozen=True)
class Course:
    """A training and what has become of it; ``version`` is that of its published candidate."""

    training: Training
    state: State = "pending"
    version: str | None = None

    @property
    def undecided(self) -> bool:
        """Whether more is to come of it."""
        return self.state in UNDECIDED


@dataclass
class History:
    """The releases of an application, digested; make one with `History.of`."""

    alarms: list[Alarm] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    courses: dict[str, Course] = field(default_factory=dict)
    """By the training's id, in the order in which they were asked for."""
    champion: str | None = None
    challenger: str | None = None
    reign: Verdict | None = None
    """The verdict that made the champion, unless a person did."""
    refused: set[str] = field(default_factory=set)
    """Versions that some instance has refused since they were given a seat."""
    _seats: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, releases: Iterable[Release]) -> "History":
        """Digest releases, the oldest first; one whose evidence is none is left out."""
        history = cls()
        for release in releases:
            try:
                history._take(release)
            except DataError:
                continue
        return history

    @property
    def trainings(self) -> Sequence[Course]:
        """The trainings, in the order in which they were asked for."""
        return tuple(self.courses.values())

    @property
    def undecided(self) -> bool:
        """Whether a training is to be done or under way, or its candidate not judged yet."""
        return any(each.undecided for each in self.trainings)

    @property
    def candidate(self) -> Course | None:
        """The newest candidate that waits for a seat."""
        waiting = [each for each in self.trainings if each.state == "waiting"]
        return waiting[-1] if waiting else None

    @property
    def fruitless(self) -> int:
        """How many trainings in a row, up to the last one, brought nothing; renewals aside."""
        count = 0
        for each in reversed(self.trainings):
            if each.training.renews is not None:
                continue
            if each.state == "promoted":
                break
            count += each.state == "fruitless"
        return count

    @property
    def trained_until(self) -> datetime | None:
        """The time of the last training that no person asked for."""
        times = [each.training.as_of for each in self.trainings if _is_ours(each)]
        return max(times, default=None)

    @property
    def chosen_until(self) -> datetime | None:
        """The same of the last one that chose among all recipes: a renewal does not."""
        ours = [each.training for each in self.trainings if _is_ours(each)]
        return max((each.as_of for each in ours if each.renews is None), default=None)

    def renewed(self, version: str | None) -> str | None:
        """The version that this one renews; None when it was not made for that."""
        made = [each.training.renews for each in self.trainings if each.version == version]
        return made[-1] if made and version is not None else None

    def alarm(self, name: str | None) -> Alarm | None:
        """The alarm of this id; None when no release tells of it."""
        return next((each for each in self.alarms if each.id == name), None)

    def judged_until(self, *versions: str) -> datetime | None:
        """The end of the blocks that went into the last verdict about one of these versions."""
        ends = [each.end for each in self.verdicts if {each.tried, each.against} & set(versions)]
        return max(ends, default=None)

    def _take(self, release: Release) -> None:
        match release.kind:
            case "alarmed":
                self.alarms.append(Alarm.from_json(release.evidence, version=release.version))
            case "requested" | "training":
                training = Training.from_json(release.evidence)
                self.courses.setdefault(training.id, Course(training))
            case "retrained" | "rejected" | "failed":
                self._ended(release)
            case "challenging" | "promoted" | "rolled_back" | "dropped":
                self._seat(release)
            case "refused":
                self.refused.add(release.version)
            case _:
                pass

    def _ended(self, release: Release) -> None:
        training = Training.from_json(release.evidence)
        ended = Course(training, "fruitless")
        if release.kind == "retrained":
            ended = Course(training, self._fate(release.version), release.version)
        if self.courses.get(training.id, Course(training)).state in {"pending", "fruitless"}:
            self.courses[training.id] = ended

    def _fate(self, version: str) -> State:
        """What has become of a candidate that is told of only now, or once more."""
        if version == self.champion:
            return "promoted"
        if version == self.challenger:
            return "on_trial"
        return "fruitless" if self._seats[version] else "waiting"

    def _seat(self, release: Release) -> None:
        """Follow the roles. A drop is of the challenger, whatever version an old release names."""
        verdict = _verdict(release)
        if verdict is not None:
            self.verdicts.append(verdict)
        if release.kind == "challenging":
            self._leave(self.challenger)
            self.challenger = release.version
            self._become(release.version, "on_trial")
        elif release.kind == "dropped":
            self._leave(self.challenger)
            self.challenger = None
        else:
            if release.kind == "rolled_back":
                self._leave(self.champion)
            self.challenger = None if self.challenger == release.version else self.challenger
            self.champion, self.reign = release.version, verdict
            self._become(release.version, "promoted")

    def _leave(self, version: str | None) -> None:
        if version is not None:
            self._become(version, "fruitless", seat=False)

    def _become(self, version: str, state: State, *, seat: bool = True) -> None:
        if seat:
            self._seats[version] += 1
            self.refused.discard(version)
        for name, course in self.courses.items():
            if course.version == version:
                self.courses[name] = replace(course, state=state)


def _verdict(release: Release) -> Verdict | None:
    """The verdict behind a change of roles; None where a person, or a training, made it."""
    try:
        return Verdict.from_json(release.evidence)
    except DataError:
        return None


def _is_ours(course: Course) -> bool:
    return course.training.reason != "person"
