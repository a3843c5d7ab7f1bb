"""Whatever happens in whatever order, edml keeps to its rules."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edml.errors import OvertakenError
from edml.models.evidence import About, Training, Verdict
from edml.models.records import CommandKind, Release, ReleaseKind
from edml.monitoring.history import History
from edml.monitoring.loop import BY
from edml.monitoring.rests import doubled
from edml.monitoring.situation import Outcome
from edml.testing.crash import Crash, CrashedError
from edml.testing.loop import LoopDriver, Moment
from tests.script import DAY, POLICY, Script

MOMENTS = st.sampled_from(list(Moment))
PEOPLE = st.sampled_from(["promote", "rollback", "drop", "freeze", "thaw", "retrain"])


class Loop(RuleBasedStateMachine):
    """Monitors that die or stand still anywhere, a trainer, people, and figures that change."""

    def __init__(self) -> None:
        super().__init__()
        self.figures = Script()
        self.driver = LoopDriver(POLICY, self.figures)

    @rule(days=st.integers(1, 12))
    def time_passes(self, days: int) -> None:
        """The watermark moves on; no monitor looks in between."""
        self.figures.watermark += days * DAY
        self.driver.clock.advance(timedelta(hours=1))

    @rule(about=st.sampled_from(["performance", "bias", "inputs", "outcomes"]))
    def champion_drifts(self, about: About) -> None:
        """What the champion is good for changes."""
        self.figures.drift(self.driver.roles.champion or "", about)

    @rule()
    def drift_ends(self) -> None:
        """All is as it was."""
        self.figures.drifts.clear()

    @rule(outcome=st.sampled_from(["better", "worse", "undecided"]))
    def challenger_shows(self, outcome: Outcome) -> None:
        """The challenger does well or badly beside the champion."""
        roles = self.driver.roles
        self.figures.settle(roles.challenger or "", roles.champion or "", outcome)

    @rule(outcome=st.sampled_from(["better", "undecided"]))
    def previous_shows(self, outcome: Outcome) -> None:
        """The previous champion would do better than the champion, or not."""
        roles = self.driver.roles
        self.figures.settle(roles.previous or "", roles.champion or "", outcome)

    @rule(doubts=st.sampled_from(["", "", "they have stopped coming"]))
    def outcomes_are_doubtful(self, doubts: str) -> None:
        """Outcomes stop coming, or come again."""
        self.figures.doubts = doubts

    @rule(change=st.sampled_from([0.1, 0.1, -0.9]))
    def challenger_predicts(self, change: float) -> None:
        """How far candidates are from the champion."""
        self.figures.change = change

    @rule(kind=PEOPLE)
    def person_commands(self, kind: CommandKind) -> None:
        """A person asks for something, sensible or not."""
        self.driver.command(kind)

    @precondition(lambda self: len(self.driver.published) > 1)
    @rule(data=st.data(), role=st.sampled_from(["champion", "challenger"]))
    def person_names_a_version(self, data: st.DataObject, role: str) -> None:
        """A person gives any version there is a role."""
        version = data.draw(st.sampled_from(sorted(self.driver.published)))
        kind: CommandKind = "promote" if role == "champion" else "publish"
        self.driver.command(kind, version, "champion" if role == "champion" else "challenger")

    @rule(kind=st.sampled_from(["retrained", "retrained", "rejected", "failed"]))
    def trainer_reports(self, kind: ReleaseKind) -> None:
        """The training that waits ends well or badly."""
        self.driver.train(kind)

    @rule(
        outcome=st.sampled_from(["better", "better", "worse"]), change=st.sampled_from([0.1, 0.9])
    )
    def loop_goes_round(self, outcome: Outcome, change: float) -> None:
        """Drift comes, a candidate is trained, tried and judged: what chance alone seldom does."""
        self.figures.drift(self.driver.roles.champion or "", "performance")
        self.figures.change = change
        for _ in range(2):
            self._goes_round(outcome)

    @rule(outcome=st.sampled_from(["better", "better", "undecided", "worse"]))
    def follow_up_goes_round(self, outcome: Outcome) -> None:
        """All is calm, and what followed the champion up, if anything, is trained and tried."""
        self.figures.drifts.clear()
        self._goes_round(outcome)

    def _goes_round(self, outcome: Outcome) -> None:
        """What is asked for is trained, and its trial ends so."""
        self.figures.watermark += 8 * DAY
        self.driver.run()
        self.driver.train()
        roles = self.driver.roles
        if roles.challenger is not None:
            self.figures.settle(roles.challenger, roles.champion or "", outcome)

    @rule()
    def serving_refuses(self) -> None:
        """The challenger cannot be loaded."""
        if self.driver.roles.challenger is not None:
            self.driver.refuse(self.driver.roles.challenger)

    @rule()
    def monitor_steps(self) -> None:
        """A monitor takes one step undisturbed."""
        self.driver.step()

    @rule(moment=MOMENTS)
    def monitor_dies(self, moment: Moment) -> None:
        """A monitor is killed at some point of its step."""

        def die(at: Moment) -> None:
            if at is moment:
                raise CrashedError(Crash.AFTER_COMMIT)

        with suppress(CrashedError):
            self.driver.step(die)

    @rule(moment=MOMENTS, kind=PEOPLE)
    def person_steps_between(self, moment: Moment, kind: CommandKind) -> None:
        """A person acts while a monitor is in the middle of its step."""
        self._interrupted(moment, lambda: self.driver.command(kind))

    @rule(moment=MOMENTS, steps=st.integers(1, 3))
    def another_monitor_steps_between(self, moment: Moment, steps: int) -> None:
        """A second monitor acts while the first one is in the middle of its step."""
        self._interrupted(moment, lambda: [self.driver.step() for _ in range(steps)])

    @rule()
    def monitor_comes_to_rest(self) -> None:
        """A monitor that is left alone comes to an end, and another has nothing to add."""
        self.driver.run()
        assert self.driver.step() is None

    def _interrupted(self, moment: Moment, between: Callable[[], object]) -> None:
        def act(at: Moment) -> None:
            if at is moment:
                between()

        try:
            self.driver.step(act)
        except OvertakenError:
            assert moment is Moment.GOVERNING, "only who was overtaken is fenced"

    @invariant()
    def rules_are_kept(self) -> None:
        """All of them, over all that has happened."""
        releases = self.driver.log.releases
        roles_are_what_releases_tell(self.driver)
        each_candidate_has_one_verdict(releases)
        nothing_changes_while_frozen(releases)
        only_what_is_better_is_promoted(releases)
        nobody_is_overruled(releases)
        nothing_is_told_twice(releases)
        trainings_rest(releases)


def by_edml(release: Release) -> bool:
    """Whether edml took this decision by itself."""
    return release.by == BY


def roles_are_what_releases_tell(driver: LoopDriver) -> None:
    """The history of releases leads to the roles; each change is one revision more."""
    history = driver.history
    assert (history.champion, history.challenger) == (
        driver.roles.champion,
        driver.roles.challenger,
    )
    revisions = [each.revision for each in driver.log.releases if each.revision is not None]
    assert revisions == list(range(1, driver.roles.revision + 1))


def each_candidate_has_one_verdict(releases: Sequence[Release]) -> None:
    """Never two promotions for one candidate: as many verdicts as it was given a seat, at most."""
    seats = Counter(each.version for each in releases if each.kind == "challenging")
    verdicts = Counter(
        each.version for each in releases if by_edml(each) and each.kind in {"promoted", "dropped"}
    )
    assert verdicts <= seats


def nothing_changes_while_frozen(releases: Sequence[Release]) -> None:
    """Between freeze and thaw, roles are changed by people alone."""
    frozen = False
    for each in releases:
        frozen = each.kind == "frozen" or (frozen and each.kind != "thawed")
        assert not (frozen and by_edml(each) and each.revision is not None)


def only_what_is_better_is_promoted(releases: Sequence[Release]) -> None:
    """Each promotion of edml's has a verdict that says so, and is no step too far.

    Only a renewal of the champion may be no worse than that; to be rolled back, it has to be worse.
    """
    for number, each in enumerate(releases):
        if by_edml(each) and each.kind in {"promoted", "rolled_back"}:
            verdict = Verdict.from_json(each.evidence)
            assert verdict.statistic >= verdict.threshold
            assert verdict.blocks > 0
            before = History.of(releases[:number])
            renews = before.renewed(verdict.tried) == before.champion == verdict.against
            assert (verdict.threshold == 0) == (renews and each.kind == "promoted")
            if each.kind == "promoted":
                assert abs(verdict.figures["change"]) <= POLICY.most_change


def nobody_is_overruled(releases: Sequence[Release]) -> None:
    """It stays down what a person took down, and up what a person promoted."""
    champion, made_by_person = "", False
    dismissed: set[str] = set()
    for each in releases:
        if each.kind == "challenging" and not by_edml(each):
            dismissed.discard(each.version)
        if each.kind not in {"promoted", "rolled_back"}:
            continue
        if by_edml(each):
            assert each.version not in dismissed
            assert not (made_by_person and each.kind == "rolled_back")
        elif each.version != champion:
            dismissed.add(champion)
            dismissed.discard(each.version)
        champion, made_by_person = each.version, not by_edml(each)


def nothing_is_told_twice(releases: Sequence[Release]) -> None:
    """Each alarm and each training of edml's is told once."""
    alarms = [each.id for each in History.of(releases).alarms]
    asked = [
        Training.from_json(each.evidence).id
        for each in releases
        if each.kind == "requested" and by_edml(each)
    ]
    assert len(alarms) == len(set(alarms))
    assert len(asked) == len(set(asked))


def trainings_rest(releases: Sequence[Release]) -> None:
    """No loop of trainings: edml asks when none is under way, and after a rest that doubles.

    A renewal comes a rest after any other training, and is one of an alarm's champion.
    """
    last: datetime | None = None
    chosen: datetime | None = None
    for number, each in enumerate(releases):
        if each.kind == "requested" and by_edml(each):
            before = History.of(releases[:number])
            assert not before.undecided
            training = Training.from_json(each.evidence)
            now = training.as_of
            assert last is None or now >= last + POLICY.rest
            if training.renews is None:
                assert chosen is None or now >= chosen + doubled(POLICY.rest, before.fruitless)
                chosen = now
            else:
                made = [one for one in before.trainings if one.version == before.champion]
                assert training.renews == before.champion
                assert {one.training.reason for one in made} <= {"alarm", "follow_up"}
            last = now


TestLoop = Loop.TestCase
TestLoop.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
