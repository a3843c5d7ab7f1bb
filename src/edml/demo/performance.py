"""The demo itself: each stage begins what it needs, waits for it, and says what it sees.

All that is done here can be done by hand: the same commands run as child processes.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

from edml import wiring
from edml.demo.children import Child, Children
from edml.demo.figures import Figures, Happening
from edml.demo.fresh_log import fresh_log
from edml.demo.home import Home
from edml.demo.plan import APPLICATION, Plan
from edml.demo.report import Report, report
from edml.demo.spoilt import spoilt
from edml.demo.story import Story, View
from edml.demo.watch import Watch
from edml.errors import EdmlError
from edml.kafka.raw import write_raw
from edml.models.artefact import Artefact

POLL_S: Final = 0.1
STALLED_S: Final = 60.0
"""After so long without what is waited for, the demo gives up and says so."""

SETTLED_S: Final = 1.5
"""Nothing new for so long: scoring has caught up with all outcomes that were replayed."""


class StalledError(EdmlError):
    """Everything runs, but what the demo waits for does not happen."""


class WrongCountError(EdmlError):
    """An event was not predicted exactly once."""


class Performance:
    """One demo. What it begins is handed to ``resources``, which end it."""

    def __init__(
        self, plan: Plan, home: Home, story: Story, view: View, resources: ExitStack
    ) -> None:
        self._plan = plan
        self._home = home
        self._story = story
        self._view = view
        self._resources = resources
        self._children = Children(home.environment, home.logs)
        self._application = wiring.find_application(APPLICATION)
        self._needed: list[Child] = []
        self._watch: Watch | None = None

    def perform(self) -> Report:
        """Everything, from an empty directory to the figures at the end."""
        self._bring_up_the_log()
        self._resources.enter_context(self._children)
        self._make_data()
        first = self._train_first()
        self._start_components()
        self._publish("publish", 1)
        watch = self._serve(first)
        replay = self._replay()
        second = self._retrain()
        self._swap(first, second)
        self._settle(replay)
        return report(watch.figures, self._plan.shown_data)

    def _bring_up_the_log(self) -> None:
        self._story.begin("log", "a real Kafka and a real schema registry, on this machine")
        log = self._resources.enter_context(fresh_log(self._home, self._story))
        cluster = self._resources.enter_context(self._cluster())
        cluster.create()
        self._watch = self._resources.enter_context(Watch(cluster))
        self._story.figures = lambda: self._figures
        self._story.done("log", f"Kafka at {log.bootstrap_servers}, registry at {log.registry_url}")

    def _make_data(self) -> None:
        plan = self._plan
        self._story.begin("data", "trips of New York's yellow taxis")
        if plan.data is None:
            self._run("data", plan.simulate(self._home))
        self._story.done("data", f"{plan.shown_data}, {plan.more.first} … {plan.live.last}")

    def _train_first(self) -> str:
        months = self._plan.little
        self._story.begin("train", f"a first version learns from {months}")
        self._run("train", self._plan.train(self._home, 1))
        version = Artefact.read(self._home.model(1)).version
        self._story.done("train", f"{version} has learnt from {months}")
        return version

    def _publish(self, stage: str, number: int) -> None:
        self._story.begin(stage, "the model becomes an event on edml.models")
        self._run(stage, self._plan.publish(self._home, number))
        self._story.done(stage, "edml.models has it; whoever serves hears of it")

    def _start_components(self) -> None:
        """They start while the model is published: serving waits for a first one."""
        self._needed += [
            self._children.start("serve", ["serve", "--app", APPLICATION]),
            self._children.start("score", ["score", "--app", APPLICATION]),
        ]

    def _serve(self, version: str) -> Watch:
        self._story.begin("serve", "`edml serve` takes the model from the log, and tries it")
        self._wait(lambda: version in self._figures.loaded, "the first version to be loaded")
        self._story.done("serve", f"{version} is ready to answer")
        return self._seen_by

    def _replay(self) -> Child:
        plan = self._plan
        self._story.begin(
            "replay", f"trips of {plan.live} happen again, {plan.rate_per_s} a second"
        )
        replay = self._children.start("replay", plan.replay(self._home))
        self._needed.append(replay)
        self._wait(
            lambda: self._figures.predictions > 0 and self._seen_by.a_good_event is not None,
            "a first prediction",
        )
        self._spoil()
        self._wait(lambda: self._figures.scored >= plan.before_retrain, "predictions to be scored")
        return replay

    def _spoil(self) -> None:
        """Put three bad records among the good ones."""
        good = self._seen_by.a_good_event
        if good is None or good.value is None:
            return
        topic = self._application.event.topic
        self._say("bad records", f"three are put on {topic}, on purpose")
        write_raw(self._home.settings.client(), topic, spoilt(good.value))

    def _retrain(self) -> str:
        months = self._plan.more
        self._story.begin("retrain", f"a second version learns from {months}, in the background")
        self._run("retrain", self._plan.train(self._home, 2), politely=True)
        version = Artefact.read(self._home.model(2)).version
        self._story.done("retrain", f"{version} has learnt from {months}")
        return version

    def _swap(self, first: str, second: str) -> None:
        self._story.begin("swap", f"{second} is published while trips flow")
        self._run("swap", self._plan.publish(self._home, 2))
        self._wait(lambda: second in self._figures.loaded, "the second version to be loaded")
        self._story.note("swap", f"{second} answers now; {first} goes on in its shadow")
        self._wait(
            lambda: self._figures.scored_by(second) >= self._plan.after_swap,
            "the second version's predictions to be scored",
        )
        self._story.done("swap", f"{second} answers, in place of {first}")

    def _settle(self, replay: Child) -> None:
        """End the replay, and let predictions and scores come to rest."""
        self._needed.remove(replay)
        self._children.stop(replay)
        rest = _Rest()
        self._wait(lambda: rest.reached(self._figures, time.monotonic()), "the last predictions")
        self._story.done("replay", f"{self._figures.events:,} events")
        figures = self._figures
        if figures.doubled or figures.events != figures.predictions + figures.dead_letters:
            raise WrongCountError(
                f"{figures.events:,} events have {figures.predictions:,} predictions"
                f" ({figures.doubled} of them doubled) and {figures.dead_letters} dead letters",
                where=str(self._home.directory),
                todo="this must not happen: please report it, with the logs in that directory",
            )

    def _run(self, name: str, arguments: list[str], *, politely: bool = False) -> None:
        """Run a command to its end, and pass on what it says."""
        child = self._children.start(name, arguments, politely=politely)
        note = self._story.stages.by_name[name].note
        while not child.ended:
            said = child.last_line
            self._story.note(name, f"{note}: {said}" if said else note)
            self._pulse()
        child.check()

    def _wait(self, until: Callable[[], bool], what: str) -> None:
        """Wait for something that must come while all that is needed for it runs."""
        seen, deadline = self._figures.events, time.monotonic() + STALLED_S
        while not until():
            self._pulse()
            if self._figures.events > seen:
                seen, deadline = self._figures.events, time.monotonic() + STALLED_S
            if time.monotonic() > deadline:
                raise StalledError(
                    f"nothing happens any more: the demo waits for {what}",
                    where=str(self._home.logs),
                    todo="see what the commands wrote there, and run `edml demo` again",
                )

    def _pulse(self) -> None:
        for child in self._needed:
            child.check_runs()
        if self._watch is not None:
            self._watch.check()
        self._view.pulse()
        time.sleep(POLL_S)

    def _say(self, kind: str, text: str) -> None:
        self._seen_by.say(Happening(datetime.now(UTC), kind, text))

    def _cluster(self) -> wiring.Cluster:
        return wiring.Cluster(self._home.settings, self._application)

    @property
    def _figures(self) -> Figures:
        return Figures() if self._watch is None else self._watch.figures

    @property
    def _seen_by(self) -> Watch:
        if self._watch is None:
            raise StalledError("nobody watches yet: the log is not up")
        return self._watch


class _Rest:
    """Notices that nothing changes any more."""

    def __init__(self) -> None:
        self._last: tuple[int, ...] = ()
        self._since_s = 0.0

    def reached(self, figures: Figures, now_s: float) -> bool:
        """Whether every good event is answered, and nothing has changed for `SETTLED_S`."""
        counts = figures.events, figures.predictions, figures.scored, figures.dead_letters
        if counts != self._last:
            self._last, self._since_s = counts, now_s
        return figures.unanswered == 0 and now_s - self._since_s >= SETTLED_S
