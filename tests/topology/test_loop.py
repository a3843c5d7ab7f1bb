"""The closed loop, driven without a broker."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from edml.application import Policy
from edml.errors import OvertakenError
from edml.models.evidence import Training, Verdict
from edml.models.records import ReleaseKind
from edml.monitoring.loop import BY
from edml.testing.crash import Crash, CrashedError
from edml.testing.loop import LoopDriver, Moment
from tests.script import DAY, POLICY, Script


def days(driver: LoopDriver, number: float) -> None:
    """Let days go by in event time, and the monitor do what it has to do after each."""
    figures = driver.statistics
    assert isinstance(figures, Script)
    for _ in range(int(number)):
        figures.watermark += DAY
        driver.clock.advance(timedelta(seconds=1))
        driver.run()


def driven(policy: Policy = POLICY) -> tuple[LoopDriver, Script]:
    """A driver with champion ``v1``, and its figures."""
    figures = Script()
    return LoopDriver(policy, figures), figures


def drifted(policy: Policy = POLICY) -> tuple[LoopDriver, Script, str]:
    """The same after an alarm and a training: its candidate is on trial."""
    driver, figures = driven(policy)
    figures.drift("v1")
    days(driver, 1)
    candidate = driver.train()
    assert candidate is not None
    return driver, figures, candidate


def last(driver: LoopDriver, kind: ReleaseKind) -> str:
    """The cause of the last release of a kind."""
    return next(each.cause or "" for each in reversed(driver.log.releases) if each.kind == kind)


def test_drift_is_told_trained_for_tried_and_mended() -> None:
    """The whole loop: alarm, request, candidate in the shadow, promotion; then a rest."""
    driver, figures, candidate = drifted()
    assert driver.kinds() == ["promoted", "alarmed", "requested", "retrained", "challenging"]
    figures.settle(candidate, "v1", "better")
    days(driver, 1)
    assert driver.kinds()[5:] == ["promoted"]
    assert driver.roles.served() == {"champion": candidate, "previous": "v1"}
    verdict = Verdict.from_json(driver.log.releases[-1].evidence)
    assert (verdict.judgement, verdict.tried, verdict.against) == ("promote", candidate, "v1")
    days(driver, 4)
    assert driver.kinds()[6:] == []


def renewed() -> tuple[LoopDriver, Script, str, str]:
    """The same when it has won and drift is over: a renewal of it is on trial."""
    driver, figures, champion = drifted()
    figures.settle(champion, "v1", "better")
    figures.drifts.clear()
    days(driver, 7)
    renewal = driver.train()
    assert renewal is not None
    return driver, figures, champion, renewal


def test_a_winner_is_renewed_for_some_weeks() -> None:
    """Each rest once, whatever came of the one before; twelve weeks after the alarm it is over."""
    driver, _, champion = drifted()
    figures = driver.statistics
    assert isinstance(figures, Script)
    figures.settle(champion, "v1", "better")
    figures.drifts.clear()
    asked = []
    for _ in range(365):
        days(driver, 1)
        training = driver.pending()
        if training is not None:
            assert (training.reason, training.renews) == ("follow_up", driver.roles.champion)
            asked.append(figures.watermark)
            renewal = driver.train("failed" if len(asked) % 2 else "retrained")
            assert renewal is not None
            figures.settle(renewal, champion, "better")
            champion = driver.roles.champion or ""
    assert {(later - before) / DAY for before, later in pairwise(asked)} == {7}
    assert asked[-1] - driver.history.alarms[0].end == 77 * DAY


def test_renewals_go_on_while_they_bring_something() -> None:
    """After the twelve weeks, the first that does not take over is the last."""
    driver, figures, champion, renewal = renewed()
    for _ in range(19):
        figures.settle(renewal, champion, "better")
        days(driver, 7)
        champion = driver.roles.champion or ""
        assert champion == renewal
        renewal = driver.train() or ""
    figures.settle(renewal, champion, "worse")
    days(driver, 100)
    assert driver.roles.champion == champion
    assert driver.pending() is None
    assert driver.kinds()[-1] == "dropped"


def test_a_renewal_takes_over_as_one() -> None:
    """It is tried as a renewal, and the verdict tells; the champion before stands by, as ever."""
    driver, figures, champion, renewal = renewed()
    figures.settle(renewal, champion, "better")
    days(driver, 1)
    assert driver.roles.served() == {"champion": renewal, "previous": champion}
    assert Verdict.from_json(driver.log.releases[-1].evidence).threshold == 0
    assert driver.history.renewed(renewal) == champion
    figures.settle(champion, renewal, "better")
    days(driver, 1)
    assert driver.roles.served() == {"champion": champion, "previous": renewal}
    assert Verdict.from_json(driver.log.releases[-1].evidence).threshold == 1


def test_beside_another_champion_a_renewal_is_a_challenger_like_any_other() -> None:
    """That champion's recipe is not its own."""
    driver, figures, _, renewal = renewed()
    driver.command("promote", "v1")
    figures.settle(renewal, "v1", "better")
    days(driver, 1)
    assert driver.roles.champion == renewal
    assert Verdict.from_json(driver.log.releases[-1].evidence).threshold == 1


def test_an_alarm_about_a_renewed_champion_asks_for_a_choice() -> None:
    """Once the renewal has its verdict and the rest is over; the follow-up begins anew with it."""
    driver, figures, champion, renewal = renewed()
    figures.drift(champion, "bias")
    days(driver, 1)
    figures.drifts.clear()
    assert driver.kinds()[-1] == "alarmed"
    figures.settle(renewal, champion, "better")
    days(driver, 6)
    training = driver.pending()
    assert training is not None
    assert (training.reason, training.renews) == ("alarm", None)
    assert training.alarm == driver.history.alarms[-1].id
    driver.train("rejected")
    days(driver, 7)
    training = driver.pending()
    assert training is not None
    assert (training.alarm, training.renews) == (driver.history.alarms[-1].id, renewal)


def test_without_renewals_a_winner_is_followed_up_all_the_same() -> None:
    """After the rest there is more of the new to learn from; a loss puts off the next one."""
    driver, figures, candidate = drifted(replace(POLICY, renew=False))
    figures.settle(candidate, "v1", "better")
    days(driver, 7)
    assert driver.kinds()[6:] == ["requested"]
    training = driver.pending()
    assert training is not None
    assert training.reason == "follow_up"
    assert (training.alarm, training.renews) == (driver.history.alarms[0].id, None)
    driver.train("rejected")
    days(driver, 13)
    assert driver.kinds()[7:] == ["rejected"]
    days(driver, 1)
    assert driver.kinds()[7:] == ["rejected", "requested"]
    driver.train("rejected")
    days(driver, 28)
    driver.train("rejected")
    assert driver.kinds()[9:] == ["rejected", "requested", "rejected"]
    days(driver, 200)
    assert driver.kinds()[12:] == []


def test_a_worse_candidate_is_dropped() -> None:
    """The champion stays; the challenger's seat is free again."""
    driver, figures, candidate = drifted()
    figures.settle(candidate, "v1", "worse")
    days(driver, 1)
    assert driver.kinds()[-1] == "dropped"
    assert driver.log.releases[-1].version == candidate
    assert driver.roles.served() == {"champion": "v1"}


def test_a_promoted_model_that_turns_out_worse_is_rolled_back_once() -> None:
    """The champion before answers again; the loser is not brought back, whatever figures say."""
    driver, figures, candidate = drifted()
    figures.settle(candidate, "v1", "better")
    days(driver, 1)
    figures.settle("v1", candidate, "better")
    days(driver, 3)
    assert driver.roles.served() == {"champion": "v1", "previous": candidate}
    assert driver.kinds().count("rolled_back") == 1
    days(driver, 2)
    assert driver.kinds().count("promoted") == 2
    assert driver.kinds().count("rolled_back") == 1


def test_a_person_is_not_overruled() -> None:
    """What a person promoted or rolled back stays, though the judge would decide otherwise."""
    driver, figures, candidate = drifted()
    driver.command("promote", candidate)
    figures.settle("v1", candidate, "better")
    days(driver, 3)
    assert driver.roles.champion == candidate
    driver.command("rollback")
    figures.settle(candidate, "v1", "better")
    days(driver, 3)
    assert driver.roles.champion == "v1"


def test_frozen_roles_stay() -> None:
    """Alarms are told; no verdict, no seat, no request till a person thaws."""
    driver, figures, candidate = drifted()
    figures.settle(candidate, "v1", "better")
    figures.drift("v1", "inputs")
    driver.command("freeze")
    days(driver, 3)
    assert driver.kinds()[5:] == ["frozen", "alarmed"]
    driver.command("thaw")
    driver.run()
    assert driver.kinds()[7:] == ["thawed", "promoted"]


def test_a_candidate_gets_its_seat_when_it_is_free() -> None:
    """Frozen roles kept it waiting; while it waits, nothing else is trained."""
    driver, figures = driven()
    figures.drift("v1")
    days(driver, 1)
    driver.command("freeze")
    candidate = driver.train()
    days(driver, 30)
    assert driver.roles.challenger is None
    driver.command("thaw")
    driver.run()
    assert driver.roles.challenger == candidate
    assert Training.from_json(driver.log.releases[-1].evidence).reason == "alarm"


def test_trainings_that_bring_nothing_become_rare() -> None:
    """A cause that no training mends: the rest doubles each time, and so do alarms."""
    driver, figures = driven()
    figures.drift("v1")
    asked = []
    for _ in range(365):
        days(driver, 1)
        if driver.pending():
            asked.append(figures.watermark)
            driver.train("failed")
    rests = [(later - before) / DAY for before, later in pairwise(asked)]
    assert len(rests) >= 4
    assert all(rest >= 7 * 2 ** (number + 1) for number, rest in enumerate(rests))
    assert driver.kinds().count("alarmed") <= 7


def test_a_calendar_asks_for_trainings() -> None:
    """Every so often without an alarm, when the policy says so."""
    figures = Script()
    policy = POLICY.__class__(rest=7 * DAY, schedule=30 * DAY)
    driver = LoopDriver(policy, figures)
    days(driver, 29)
    assert driver.pending() is None
    days(driver, 1)
    training = driver.pending()
    assert training is not None
    assert training.reason == "schedule"


def test_only_a_person_promotes_what_predicts_something_else_altogether() -> None:
    """It is better, but too far from the champion: it stays on trial, then it is dropped."""
    driver, figures, candidate = drifted()
    figures.settle(candidate, "v1", "better")
    figures.change = -0.7
    days(driver, 27)
    assert driver.roles.challenger == candidate
    days(driver, 1)
    assert "a person has to decide" in last(driver, "dropped")


def test_outcomes_that_are_not_believed_decide_nothing() -> None:
    """They are told of; nothing is judged or trained on them until they are believed again."""
    driver, figures, candidate = drifted()
    figures.settle(candidate, "v1", "better")
    figures.doubts = "outcomes have stopped coming"
    figures.drift("v1", "outcomes")
    days(driver, 5)
    assert driver.kinds()[5:] == ["alarmed"]
    figures.doubts = ""
    driver.run()
    assert driver.kinds()[6:] == ["promoted"]


def test_a_challenger_that_is_refused_is_dropped() -> None:
    """It could not be served: its seat is for another one."""
    driver, _, candidate = drifted()
    driver.refuse(candidate)
    driver.run()
    assert driver.kinds()[-2:] == ["refused", "dropped"]


def test_a_challenger_that_is_never_scored_is_given_up() -> None:
    """After two of the longest trials without a common block."""
    driver, _, candidate = drifted()
    days(driver, 55)
    assert driver.roles.served() == {"champion": "v1", "challenger": candidate}
    days(driver, 2)
    assert driver.roles.served() == {"champion": "v1"}
    assert "never been scored" in last(driver, "dropped")


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("before", [0, 1])
def test_a_monitor_that_dies_leaves_nothing_half_done(moment: Moment, before: int) -> None:
    """Whoever comes next does what is left to do, and nothing twice."""
    driver, figures = driven()
    figures.drift("v1")
    figures.watermark += DAY
    for _ in range(before):
        driver.step()

    def die(at: Moment) -> None:
        if at is moment:
            raise CrashedError(Crash.AFTER_COMMIT)

    with pytest.raises(CrashedError):
        driver.step(die)
    driver.run()
    assert driver.kinds() == ["promoted", "alarmed", "requested"]


def test_of_two_monitors_one_decides() -> None:
    """The one that governed last writes; the other one is fenced, and finds it done."""
    driver, figures, candidate = drifted()
    figures.settle(candidate, "v1", "better")
    figures.watermark += DAY

    def overtake(at: Moment) -> None:
        if at is Moment.GOVERNING:
            driver.step()

    with pytest.raises(OvertakenError, match="somebody else governs"):
        driver.step(overtake)
    driver.run()
    assert driver.kinds().count("promoted") == 2
    assert [each.by for each in driver.log.releases].count(BY) == 3
