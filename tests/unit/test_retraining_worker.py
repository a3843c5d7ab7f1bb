"""The worker on a log in memory, with a training that costs nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edml.errors import LogError, TrainingError
from edml.models.artefact import Artefact
from edml.models.evidence import Lease, Training
from edml.models.records import Model, Release, Roles
from edml.monitoring.governor import Decision
from edml.retraining import lease
from edml.retraining.assignment import Result, Workplace
from edml.retraining.bounded import Bounds, InterruptedTrainingError, Tell
from edml.retraining.worker import (
    MOST_ATTEMPTS,
    Busy,
    BusyError,
    Decides,
    Means,
    Outcome,
    Trains,
    Worker,
)
from edml.runtime.clock import ManualClock
from tests.artefacts import straight_line
from tests.parcels import MORNING, parcels

NOW = datetime(2026, 2, 1, tzinfo=UTC)
V1 = "0.1.0-20260101000000-1a2b3c4"
ALARM = Training(reason="alarm", as_of=NOW - timedelta(days=1), alarm=f"{V1}/bias@2026-01-31")


@dataclass
class MemoryTrainingLog:
    """A `TrainingLog` in memory. ``away`` counts the acts that find no broker."""

    folder: Path
    roles: Roles = field(default_factory=lambda: Roles("parcels", revision=1, champion=V1))
    told: list[Release] = field(default_factory=list)
    models: dict[str, Model] = field(default_factory=dict)
    scored_to: datetime | None = None
    away: int = 0
    corrects: str = ""
    asked_for: list[datetime] = field(default_factory=list)

    def releases(self) -> Sequence[Release]:
        """All that was told."""
        return list(self.told)

    def act(self, decides: Decides, model: Model | None = None) -> Decision:
        """Write what is decided, or fail."""
        if self.away:
            self.away -= 1
            raise LogError("the broker is away")
        decision = decides(self.roles, self.releases())
        self.roles = decision.roles
        self.told += decision.releases
        if model is not None and decision.releases:
            self.models[model.version] = model
        return decision

    def champion(self) -> Model | None:
        """A straight line."""
        if self.roles.champion is None:
            return None
        folder = self.folder / self.roles.champion
        model = line(self.roles.champion, folder).model("onnx")
        if not self.corrects:
            return model
        corrects = {"corrects": self.corrects}
        return replace(model, metadata=replace(model.metadata, parameters=corrects))

    def model(self, version: str) -> Model | None:
        """What was published here, or the first one."""
        if version == V1:
            return line(V1, self.folder / V1).model("onnx")
        return self.models.get(version)

    def versions(self) -> Sequence[str]:
        """The first, and what was published."""
        return [V1, *self.models]

    def watermark(self) -> datetime | None:
        """As the test says."""
        return self.scored_to

    def copy_scored(self, folder: Path, known_to: datetime) -> None:
        """Note what was asked for."""
        folder.mkdir(exist_ok=True)
        self.asked_for.append(known_to)

    def pack(self, artefact: Artefact, flavour: str) -> Model:
        """Without a trial."""
        return artefact.model(flavour)

    def unpack(self, model: Model, folder: Path) -> None:
        """Nobody looks into it."""
        del model
        folder.mkdir(exist_ok=True)


def line(version: str, folder: Path) -> Artefact:
    """A model at no cost."""
    if folder.exists():
        return Artefact.read(folder)
    events = parcels.history(None, MORNING.date(), NOW.date()).frame.head(2)
    events = events.select("handed_over_at", "parcel", "depot", "service", "weight_kg")
    return straight_line(parcels, folder, events, version=version, column="weight_g")


def training(*, admitted: bool = True) -> Trains:
    """A training that ends well."""

    def train(
        workplace: Workplace, bounds: Bounds, goes_on: Callable[[], bool], tell: Tell
    ) -> None:
        del bounds, tell
        assert goes_on()
        assignment = workplace.assignment()
        assert assignment is not None
        line(assignment.version, workplace.candidate)
        cause = "" if admitted else "it is not better"
        workplace.finish(Result(admitted, cause, [], {"recipe": "all"}, {"rows": 7}))

    return train


def failing(error: Exception) -> Trains:
    """A training that ends otherwise."""

    def train(*_: object) -> None:
        raise error

    return train


@dataclass
class Workers:
    """Workers of one log and one clock, in one home or in several."""

    log: MemoryTrainingLog
    clock: ManualClock
    home: Path

    def worker(self, train: Trains, name: str = "worker-0", home: str = "home") -> Worker:
        """One of them."""
        means = Means(declared="tests.parcels:parcels", home=self.home / home, train=train)
        return Worker(name, parcels, self.log, self.clock, means)

    def request(self, training: Training = ALARM) -> None:
        """Ask for a training."""
        evidence = training.to_json()
        self.log.told.append(Release("parcels", "requested", V1, NOW, "m", evidence=evidence))

    def turn(self, train: Trains, **who: str) -> Outcome | Busy | None:
        """One turn of one of them."""
        return self.worker(train, **who).turn(lambda: False, lambda _what, _done: None)

    @property
    def kinds(self) -> list[str]:
        """What was told, by its kind."""
        return [each.kind for each in self.log.told]


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    """None of them has begun."""
    return Workers(MemoryTrainingLog(tmp_path / "models"), ManualClock(NOW), tmp_path)


def test_what_is_requested_is_trained_published_and_tried(workers: Workers) -> None:
    """The candidate becomes challenger with the release that tells of it, and is told of once."""
    assert workers.turn(training()) is None
    workers.request()
    done = workers.turn(training())
    assert isinstance(done, Outcome)
    assert workers.kinds == ["requested", "training", "retrained", "challenging"]
    assert workers.log.roles.challenger == done.version
    assert list(workers.log.models) == [done.version]
    told = Training.from_json(workers.log.told[2].evidence)
    assert told == ALARM
    assert '"rows": 7' in workers.log.told[2].evidence
    assert workers.turn(training()) is None
    assert list((workers.home / "home" / "retraining").iterdir()) == []


@pytest.mark.parametrize("renews", [V1, None])
def test_what_a_renewal_corrects_is_at_hand(workers: Workers, renews: str | None) -> None:
    """The model that the champion corrects; there is none where the champion is not renewed."""
    workers.log.corrects = V1
    asked = replace(ALARM, reason="follow_up", renews=renews)
    workers.request(asked)
    with pytest.raises(KeyboardInterrupt):
        workers.turn(failing(KeyboardInterrupt()))  # type: ignore[arg-type]
    place = Workplace.of(workers.home / "home", asked)
    assignment = place.assignment()
    assert assignment is not None
    assert assignment.renews is (renews == V1)
    assert place.base.exists() is (renews == V1)


def test_what_is_not_champion_any_more_is_not_renewed(workers: Workers) -> None:
    """A person has promoted another one meanwhile."""
    workers.request(replace(ALARM, reason="follow_up", renews="another"))
    done = workers.turn(training())
    assert isinstance(done, Outcome)
    assert (done.kind, done.version) == ("failed", V1)
    assert done.cause == "another was to be renewed, and is not champion any more"


def test_one_that_is_no_better_is_told_of_and_not_published(workers: Workers) -> None:
    """A rejected candidate has its evidence, and no role."""
    workers.request()
    workers.turn(training(admitted=False))
    assert workers.kinds == ["requested", "training", "rejected"]
    assert workers.log.told[-1].cause == "it is not better"
    assert workers.log.models == {}
    assert workers.log.roles.challenger is None


@pytest.mark.parametrize("taken", [{"frozen": True}, {"challenger": "another"}])
def test_no_role_is_taken_from_anybody(workers: Workers, taken: dict[str, object]) -> None:
    """While frozen, or while another is tried, a candidate is published and waits."""
    workers.log.roles = replace(workers.log.roles, **taken)  # type: ignore[arg-type]
    before = workers.log.roles
    workers.request()
    done = workers.turn(training())
    assert isinstance(done, Outcome)
    assert workers.kinds == ["requested", "training", "retrained"]
    assert list(workers.log.models) == [done.version]
    assert workers.log.roles == before


def test_a_failure_is_told_with_its_cause(workers: Workers) -> None:
    """Nothing is published, the worker lives on, and the same training is not begun again."""
    workers.request()
    done = workers.turn(failing(TrainingError("the loss is not a number after epoch 1")))
    assert isinstance(done, Outcome)
    assert (done.kind, done.version) == ("failed", V1)
    assert workers.kinds == ["requested", "training", "failed"]
    assert workers.log.told[-1].cause == "the loss is not a number after epoch 1"
    assert workers.turn(training()) is None


def test_without_a_champion_there_is_nothing_to_beat(workers: Workers) -> None:
    """The first model is a person's."""
    workers.log.roles = Roles("parcels", revision=0)
    workers.request()
    done = workers.turn(training())
    assert isinstance(done, Outcome)
    assert "there is no champion" in (done.cause or "")


def test_a_worker_that_was_killed_goes_on_at_once(workers: Workers) -> None:
    """It has the same name, finds its folder, and the same version and data as it was told."""
    workers.request()
    with pytest.raises(KeyboardInterrupt):
        workers.turn(failing(KeyboardInterrupt()))  # type: ignore[arg-type]
    place = Workplace.of(workers.home / "home", ALARM)
    before = place.assignment()
    assert before is not None
    workers.clock.advance(timedelta(seconds=5))
    done = workers.turn(training())
    assert isinstance(done, Outcome)
    assert done.version == before.version
    assert len(workers.log.asked_for) == 1
    assert workers.kinds == ["requested", "training", "training", "retrained", "challenging"]


def test_a_candidate_that_was_made_is_not_made_again(workers: Workers) -> None:
    """Killed between the training and its outcome, or while the broker was away."""
    workers.request()
    train = training()

    def then_away(
        workplace: Workplace, bounds: Bounds, goes_on: Callable[[], bool], tell: Tell
    ) -> None:
        train(workplace, bounds, goes_on, tell)
        workers.log.away = 1

    with pytest.raises(LogError):
        workers.turn(then_away)
    done = workers.turn(failing(AssertionError("it is not to be trained again")))
    assert isinstance(done, Outcome)
    assert done.kind == "retrained"
    assert workers.kinds.count("retrained") == 1


def test_what_never_comes_to_an_end_is_given_up(workers: Workers) -> None:
    """A training that takes its worker along is not begun for ever."""
    workers.request()
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            workers.turn(failing(KeyboardInterrupt()))  # type: ignore[arg-type]
    done = workers.turn(training())
    assert isinstance(done, Outcome)
    assert f"begun {MOST_ATTEMPTS} times" in (done.cause or "")
    assert workers.kinds[-1] == "failed"


def test_to_be_stopped_is_no_attempt(workers: Workers) -> None:
    """Restarts in good order may be as many as they like."""
    workers.request()
    for _ in range(MOST_ATTEMPTS + 1):
        assert workers.turn(failing(InterruptedTrainingError())) is None
    assert isinstance(workers.turn(training()), Outcome)


def test_another_worker_waits_its_turn(workers: Workers) -> None:
    """It hears who trains; it takes over when that one's time is over, and only one tells."""
    workers.request()
    second: list[object] = []

    def meanwhile(
        workplace: Workplace, bounds: Bounds, goes_on: Callable[[], bool], tell: Tell
    ) -> None:
        second.append(workers.turn(training(), name="worker-1", home="elsewhere"))
        workers.clock.advance(lease.TERM - lease.GRACE / 2)
        workers.log.away = 1
        assert not goes_on()  # it has not been renewed in time, although it is still ours
        workers.clock.advance(lease.GRACE)
        second.append(workers.turn(training(), name="worker-1", home="elsewhere"))
        training()(workplace, bounds, lambda: True, tell)

    first = workers.turn(meanwhile)
    busy, done = second
    assert isinstance(busy, Busy)
    assert busy.lease.holder == "worker-0"
    assert isinstance(done, Outcome)
    assert first is None
    assert workers.kinds.count("retrained") == 1


def test_a_lease_is_renewed_while_the_training_goes_on(workers: Workers) -> None:
    """For as long as it takes; an outage of the broker is borne while the lease lasts."""
    workers.request()

    def long(workplace: Workplace, bounds: Bounds, goes_on: Callable[[], bool], tell: Tell) -> None:
        for minute in range(20):
            workers.clock.advance(timedelta(minutes=1))
            workers.log.away = 1 if minute % 4 == 0 else 0
            assert goes_on()
        workers.log.away = 0
        training()(workplace, bounds, goes_on, tell)

    assert isinstance(workers.turn(long), Outcome)
    leases = [each for each in workers.log.told if each.kind == "training"]
    untils = [Lease.from_json(each.evidence).until for each in leases]
    assert untils == sorted(untils)
    assert 5 <= len(untils) <= 10


def test_nothing_is_learnt_of_what_scoring_has_not_come_to(workers: Workers) -> None:
    """A person's request names this machine's time; the log may be at another one."""
    workers.log.scored_to = NOW - timedelta(days=400)
    workers.request()
    workers.turn(training())
    assert workers.log.asked_for == [workers.log.scored_to]


def test_a_person_has_one_trained_now(workers: Workers) -> None:
    """What is due is done; else it is requested. If somebody else trains, that is said."""
    request = Training(reason="person", as_of=NOW)

    def ask() -> None:
        workers.request(request)

    def tell(_what: str, _done: float) -> None: ...

    done = workers.worker(training()).once(ask, lambda: False, tell)
    assert (done.kind, done.training) == ("retrained", request)
    held = Lease(training=ALARM, holder="worker-9", until=NOW + lease.TERM)
    workers.request()
    workers.log.told.append(
        Release("parcels", "training", V1, NOW, "worker-9", evidence=held.to_json())
    )
    with pytest.raises(BusyError, match="worker-9 trains, until 00:05:00 UTC"):
        workers.worker(training()).once(ask, lambda: False, tell)


def test_a_log_that_is_away_is_waited_for(workers: Workers) -> None:
    """Whoever follows asks again."""
    workers.request()
    workers.log.away = 1
    assert workers.worker(training()).next(lambda: False) is None
    assert workers.worker(training()).next(lambda: False) is not None


def test_evidence_that_is_none_is_passed_over(workers: Workers) -> None:
    """Nonsense on the log asks for no training, and holds no lease."""
    for kind in ("requested", "training", "failed"):
        workers.log.told.append(Release("parcels", kind, V1, NOW, "x", evidence="nonsense"))
    assert workers.turn(training()) is None
    workers.request()
    assert isinstance(workers.turn(training()), Outcome)
