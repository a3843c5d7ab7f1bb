"""The closed loop on the broker: monitors that die, two of them, people beside them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edml import wiring
from edml.kafka.codec.schema import avro_schema
from edml.kafka.releases import releases
from edml.kafka.serdes import FrameEncoder, key_schema
from edml.models.evidence import Training, Verdict
from edml.models.records import Release, ReleaseKind, Roles
from edml.monitoring.governor import seat
from edml.monitoring.history import History
from edml.scoring.records import SCORE_KEY, Score
from tests.broker.city import City, eventually
from tests.faults.instances import Instance, start
from tests.score_records import DAY, START, frame, progress, score

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20200318143000-9f8e7d6"
RMSE = 5.0
PATIENCE_S = 120.0


@dataclass
class Watched:
    """A city whose scores are written by the test, and the monitors that run in it."""

    city: City
    folder: Path
    now: datetime = START
    monitors: list[Instance] = field(default_factory=list)

    def monitor(self, *program: str) -> Instance:
        """Start a monitor; ``program`` has it die at a moment of its own."""
        log = self.folder / f"monitor-{len(self.monitors)}.log"
        monitor = start(self.city, "monitor", log, program=program)
        self.monitors.append(monitor)
        return monitor

    def publish(self, version: str, training: Training | None = None) -> None:
        """Publish a model as a person does; or, for a training, as a trainer does."""
        artefact = self.city.artefact(version)
        model = artefact.model("onnx")
        metadata = replace(model.metadata, metrics={"rmse": RMSE, "bias": 0.0})
        model = replace(model, metadata=metadata)
        cluster = self.city.cluster
        with cluster.governor() as governor:
            if training is None:
                governor.publish(
                    model, wiring.command(cluster, "publish", version, "champion", "test")
                )
                return
            at, evidence = datetime.now(UTC), training.to_json()
            name = self.city.app.name
            told = Release(name, "retrained", version, at, "test", evidence=evidence)
            governor.act(lambda roles, _: seat(roles, told), model)

    def days(self, number: int, **versions: float) -> None:
        """Write the scores of days: of each version (``v1``, ``v2``) its RMSE."""
        app = self.city.app
        names = {"v1": V1, "v2": V2}
        partitions = self.city.cluster.partitions or wiring.DEFAULT_PARTITIONS
        rows = []
        for _ in range(number):
            self.now += DAY
            seen = self.now + app.outcome.wait
            hard = 1 + 0.1 * ((self.now - START).days % 3 - 1)
            rows += [
                score(
                    app,
                    names[version],
                    self.now - DAY + timedelta(hours=8),
                    watermark=seen,
                    squared=rmse**2 * hard,
                    count=300,
                )
                for version, rmse in versions.items()
            ]
            rows += [progress(app, seen, partition=number) for number in range(partitions)]
        schema = avro_schema(Score)
        encoder = FrameEncoder(
            self.city.cluster.registry,
            app.scores_topic,
            schema,
            key=key_schema(schema, SCORE_KEY),
        )
        self.city.write(app.scores_topic, encoder.encode(frame(rows)))

    @property
    def releases(self) -> list[Release]:
        """What has happened so far, foreign bytes left out."""
        cluster = self.city.cluster
        client, name = cluster.settings.client(), self.city.app.name
        return releases(client, cluster.registry, cluster.control.releases, name)

    @property
    def history(self) -> History:
        """The same, digested."""
        return History.of(self.releases)

    @property
    def roles(self) -> Roles:
        """Who has which role."""
        table = self.city.cluster.models()
        try:
            table.read_to_end()
            return table.roles
        finally:
            table.close()

    def count(self, kind: ReleaseKind) -> int:
        """How many releases there are of a kind."""
        return sum(each.kind == kind for each in self.releases)

    def eventually(self, kind: ReleaseKind, number: int = 1) -> None:
        """Wait until there are so many releases of a kind."""
        eventually(lambda: self.count(kind) >= number, PATIENCE_S)

    def rests(self, *monitors: Instance) -> None:
        """Wait until monitors have begun, and have had time to do more than they should."""
        eventually(lambda: all("Watching" in each.said for each in monitors), PATIENCE_S)
        time.sleep(2)


@pytest.fixture
def watched(city: City, tmp_path: Path) -> Iterator[Watched]:
    """A champion in quiet times."""
    city.cluster.create()
    watched = Watched(city, tmp_path)
    watched.publish(V1)
    watched.days(30, v1=RMSE)
    try:
        yield watched
    finally:
        for each in watched.monitors:
            if each.code is None:
                each.kill()
            print(f"{each.log.name} (ended with {each.code}):\n{each.said}")  # noqa: T201


def drifted(watched: Watched) -> None:
    """Drift has been noticed, and a candidate is on trial."""
    watched.days(8, v1=9.0)
    watched.eventually("requested")
    (course,) = watched.history.trainings
    watched.publish(V2, course.training)
    assert watched.roles.challenger == V2


def test_the_monitor_is_killed_between_any_two_steps(watched: Watched) -> None:
    """Killed before and after each commit, from alarm to promotion: each is told once."""
    watched.days(8, v1=9.0)
    for moment in ("outputs sent:1", "committed:1", "committed:1"):
        dying = watched.monitor("crashing.py", moment)
        assert dying.ended() == -9, dying.said
    assert (watched.count("alarmed"), watched.count("requested")) == (1, 1)
    watched.publish(V2, watched.history.trainings[0].training)
    watched.days(10, v1=9.0, v2=RMSE)
    for moment in ("outputs sent:1", "committed:1"):
        dying = watched.monitor("crashing.py", moment)
        assert dying.ended() == -9, dying.said
    monitor = watched.monitor()
    watched.rests(monitor)
    monitor.stop()
    promoted = [each for each in watched.releases if each.kind == "promoted"]
    assert [each.version for each in promoted] == [V1, V2]
    verdict = Verdict.from_json(promoted[-1].evidence)
    assert verdict.statistic >= verdict.threshold
    assert watched.roles.served() == {"champion": V2, "previous": V1}


def test_two_monitors_decide_once(watched: Watched) -> None:
    """Side by side from alarm to promotion: one alarm, one promotion, one follow-up."""
    monitors = [watched.monitor(), watched.monitor()]
    drifted(watched)
    watched.days(10, v1=9.0, v2=RMSE)
    watched.eventually("requested", 2)
    watched.rests(*monitors)
    alarms = [each.id for each in watched.history.alarms]
    assert len(alarms) == len(set(alarms))
    kinds = [each.kind for each in watched.releases if each.kind != "alarmed"]
    assert kinds == [
        *("published", "promoted", "requested", "retrained", "challenging"),
        *("promoted", "requested"),
    ]
    assert watched.history.trainings[-1].training.reason == "follow_up"
    for each in monitors:
        each.stop()


def test_a_worse_challenger_is_dropped_and_a_freeze_is_honoured(watched: Watched) -> None:
    """While frozen, nobody is dropped; when a person thaws, the worse one goes."""
    monitor = watched.monitor()
    drifted(watched)
    cluster = watched.city.cluster
    with cluster.governor() as governor:
        governor.execute(wiring.command(cluster, "freeze", None, None, "test"))
    watched.days(30, v1=9.0, v2=12.0)
    watched.rests(monitor)
    assert watched.roles.challenger == V2
    with cluster.governor() as governor:
        governor.execute(wiring.command(cluster, "thaw", None, None, "test"))
    watched.eventually("dropped")
    assert watched.roles.served() == {"champion": V1}
    assert watched.count("promoted") == 1


def test_foreign_bytes_do_not_stop_the_monitor(watched: Watched) -> None:
    """Among models, releases and scores: they are left out, and drift is noticed all the same."""
    control = watched.city.cluster.control
    for topic in (control.models, control.releases, watched.city.app.scores_topic):
        watched.city.write(topic, [{"key": b"?", "value": b"\x01nonsense", "partition": 0}])
    monitor = watched.monitor()
    watched.days(8, v1=9.0)
    watched.eventually("requested")
    monitor.stop()
    assert "left out" in monitor.said
