"""One scenario: a city under load, the instances that run in it, and the count at its end."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from tests.broker.city import City, eventually
from tests.broker.recomputation import sums
from tests.faults.instances import Instance, start
from tests.faults.ledger import Ledger
from tests.faults.plan import Plan
from tests.faults.report import Outcome, Report
from tests.faults.traffic import Traffic
from tests.faults.verdict import Verdict, judge, summed

V1 = "0.1.0-20191128143000-1a2b3c4"
PATIENCE_S = 150.0
SUPERVISED_S = 0.2


@dataclass
class Scene:
    """A city, and what a scenario does in it."""

    city: City
    folder: Path
    plan: Plan
    report: Report
    ledger: Ledger
    traffic: Traffic
    instances: list[Instance] = field(default_factory=list)

    def start(self, command: str, **options: Any) -> Instance:
        """Start ``serve`` or ``score``."""
        log = self.folder / f"{command}-{len(self.instances)}.log"
        instance = start(self.city, command, log, **options)
        self.instances.append(instance)
        return instance

    def ready(self, *instances: Instance, patience_s: float = PATIENCE_S) -> None:
        """Wait until something came of each since it was started, or of one in its place."""
        for each in instances:
            self.first(each.command, each.started_s, patience_s)

    def first(self, command: str, since_s: float, patience_s: float = PATIENCE_S) -> float:
        """Seconds until the first output that was made after ``since_s``; waits for it."""
        return self.ledger.first_after(command, since_s, patience_s) - since_s

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Start again what ends with 1, in a thread, as whoever runs instances does."""
        over = Event()
        dead = {id(each) for each in self.instances if each.code is not None}

        def watch() -> None:
            while not over.wait(SUPERVISED_S):
                for each in list(self.instances):
                    if each.code == 1 and id(each) not in dead:
                        dead.add(id(each))
                        self.report.say(f"{each.log.name} has ended: {each.said[-1_000:]}")
                        self.start(each.command)

        with ThreadPoolExecutor(1) as threads:
            watching = threads.submit(watch)
            try:
                yield
            finally:
                over.set()
                watching.result()

    def caught_up(self) -> int:
        """Stop writing, and wait until all is scored; how many events were written."""
        events = self.traffic.stop()
        self.report.say(f"{events:,} events are written; waiting until all are scored")
        eventually(lambda: self.ledger.count("serve") >= events, PATIENCE_S)
        eventually(lambda: self.ledger.count("score") >= events, PATIENCE_S)
        eventually(lambda: summed(sums(self.city)) >= events, PATIENCE_S)
        return events

    def settle(self) -> Verdict:
        """Stop writing, wait until all is scored, stop what runs, and count."""
        events = self.caught_up()
        for each in self.running:
            each.stop()
        return judge(self.city, events)

    def conclude(
        self, scenario: str, faults: int, seconds: Mapping[str, Sequence[float]] | None = None
    ) -> Verdict:
        """Settle, and report."""
        verdict = self.settle()
        self.report.add(scenario, Outcome({"faults": faults, **verdict.counts}, seconds or {}))
        return verdict

    @property
    def running(self) -> list[Instance]:
        """The instances that have not ended."""
        return [each for each in self.instances if each.code is None]


@contextmanager
def under_load(city: City, folder: Path, plan: Plan, report: Report) -> Iterator[Scene]:
    """A scene with a model, in which trips flow. Whatever still runs at its end is killed."""
    city.publish(V1)
    scene = Scene(city, folder, plan, report, Ledger(city), Traffic(city, plan.rate))
    scene.ledger.start()
    scene.traffic.start()
    try:
        yield scene
    finally:
        scene.traffic.stop()
        scene.ledger.stop()
        for each in scene.running:
            each.kill()
        for each in scene.instances:
            each.ended()
            report.say(f"{each.log.name} (ended with {each.code}):\n{each.said}")
