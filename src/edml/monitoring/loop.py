"""The closed loop: from what is known to what is to be done next.

`decide` is a pure function, and takes one step at a time: ask again after each, until there is
nothing left to do. What the releases tell already is not done again. So whoever dies between two
steps loses nothing, and whoever decides on the same grounds a second time decides nothing.

What a person did stays: edml gives no role while the roles are frozen, never brings back a version
that a person has taken from its role, and never rolls back what a person has promoted.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from edml.models.evidence import Alarm, Judgement, Verdict
from edml.models.records import Command, CommandKind, Release, ReleaseKind, Roles
from edml.monitoring.governor import Decision, seat
from edml.monitoring.governor import decide as governed
from edml.monitoring.rests import doubled, wanted
from edml.monitoring.situation import Finding, Rule, Situation

BY: Final = "monitor"

_KINDS: Final[dict[Judgement, CommandKind]] = {
    "promote": "promote",
    "drop": "drop",
    "roll_back": "rollback",
}


def decide(situation: Situation) -> Decision | None:
    """The next thing to do: the first rule that has one; None when there is nothing."""
    for rule in RULES:
        decision = rule(situation)
        if decision is not None:
            return decision
    return None


Knows = Callable[[], tuple[Roles, Sequence[Release]]]
"""Reads roles and releases as they are, governing nothing."""

Sees = Callable[[Roles, Sequence[Release]], Situation]
"""Puts roles and releases together with the figures."""

Acts = Callable[[Callable[[Roles, Sequence[Release]], Decision]], Decision]
"""Governs, and does what is decided on what is there then: `edml.kafka.governor.Governor.act`."""


def take_step(knows: Knows, sees: Sees, acts: Acts) -> Decision | None:
    """Decide and act; None when there is nothing to do.

    What is decided at first only tells whether to govern: to govern fences others, who may be in
    the middle of something. Once we govern, nobody else changes anything, and it is decided anew.
    """
    if decide(sees(*knows())) is None:
        return None
    return acts(lambda roles, releases: decide(sees(roles, releases)) or Decision(roles, ()))


def tell_alarms(situation: Situation) -> Decision | None:
    """Tell of drift of the champion, each kind seldom enough for it to stay news."""
    champion = situation.roles.champion
    if champion is None:
        return None
    known = list(situation.history.alarms)
    told: list[Release] = []
    for alarm in situation.statistics.alarms(champion):
        if _is_news(alarm, known, situation):
            known.append(alarm)
            release = _release(situation, "alarmed", champion, alarm.to_json())
            told.append(replace(release, cause=str(alarm)))
    return Decision(situation.roles, tuple(told)) if told else None


def roll_back(situation: Situation) -> Decision | None:
    """Go back to the previous champion where it is better than the one that edml promoted."""
    roles, reign = situation.roles, situation.history.reign
    if roles.frozen or roles.champion is None or roles.previous is None or reign is None:
        return None
    if (reign.judgement, reign.tried, reign.against) != ("promote", roles.champion, roles.previous):
        return None
    if situation.statistics.doubt(roles.champion):
        return None
    finding = _tried(situation, roles.previous, roles.champion, reign.end)
    if finding is None or finding.outcome != "better":
        return None
    cause = f"the previous champion is better: {finding.cause}"
    worse = replace(finding, cause=cause)
    return _judged(situation, "roll_back", roles.champion, roles.previous, worse)


def judge(situation: Situation) -> Decision | None:
    """Promote the challenger, drop it, or let its trial go on."""
    roles = situation.roles
    champion, challenger = roles.champion, roles.challenger
    if roles.frozen or champion is None or challenger is None:
        return None
    if challenger in situation.history.refused:
        nothing = Finding.none(situation.now, "it was refused where it is served")
        return _judged(situation, "drop", challenger, champion, nothing)
    if situation.statistics.doubt(champion):
        return None
    since = situation.history.judged_until(challenger)
    renews = situation.history.renewed(challenger) == champion
    finding = _tried(situation, challenger, champion, since, renews=renews)
    if finding is None:
        return _never_seen(situation, champion, challenger)
    if finding.outcome == "worse":
        return _judged(situation, "drop", challenger, champion, finding)
    if finding.outcome == "undecided":
        return None
    if abs(finding.change) > situation.policy.most_change:
        return _too_far(situation, champion, challenger, finding)
    return _judged(situation, "promote", challenger, champion, finding)


def give_seat(situation: Situation) -> Decision | None:
    """Try a candidate that had to wait for its seat."""
    candidate = situation.history.candidate
    if candidate is None or candidate.version is None:
        return None
    told = _release(situation, "retrained", candidate.version, candidate.training.to_json())
    decision = seat(situation.roles, told)
    if decision.roles == situation.roles:
        return None
    return replace(decision, releases=decision.releases[1:])


def ask_for_training(situation: Situation) -> Decision | None:
    """Ask for a training, when something asks for one and it may be."""
    training = wanted(situation)
    if training is None:
        return None
    champion = situation.roles.champion or ""
    asked = _release(situation, "requested", champion, training.to_json())
    return Decision(situation.roles, (asked,))


RULES: Final[Sequence[Rule]] = (tell_alarms, roll_back, judge, give_seat, ask_for_training)
"""In the order in which they are tried."""


def _tried(
    situation: Situation,
    tried: str,
    against: str,
    since: datetime | None,
    *,
    renews: bool = False,
) -> Finding | None:
    """What a trial says now.

    A version that was better long ago, while roles were frozen or no monitor ran, is tried again on
    what has come since: it may be the worse one by now.
    """
    while True:
        finding = situation.statistics.trial(tried, against, since, renews=renews)
        if finding is None or finding.outcome != "better":
            return finding
        if not finding.is_stale(situation.policy.trial[0]):
            return finding
        since = finding.end


def _is_news(alarm: Alarm, known: Sequence[Alarm], situation: Situation) -> bool:
    """Whether an alarm is the first of its kind, or comes a while after the one before it.

    The while is a rest that doubles with each alarm of the kind about one version.
    """
    kind = (alarm.version, alarm.about, alarm.segment)
    before = [each.end for each in known if (each.version, each.about, each.segment) == kind]
    if not before:
        return True
    return alarm.end >= max(before) + doubled(situation.policy.rest, len(before) - 1)


def _too_far(
    situation: Situation, champion: str, challenger: str, finding: Finding
) -> Decision | None:
    """What is to become of a better challenger that predicts something else altogether.

    It stays on trial for as long as trials last: till then, a person can promote it.
    """
    if situation.now < finding.start + situation.policy.trial[1]:
        return None
    cause = (
        f"its mean prediction is {finding.change:+.0%} from the champion's: "
        "a person has to decide whether to promote it"
    )
    return _judged(situation, "drop", challenger, champion, replace(finding, cause=cause))


def _never_seen(situation: Situation, champion: str, challenger: str) -> Decision | None:
    """Give up a candidate of ours that has not been scored beside the champion for two trials."""
    courses = situation.history.trainings
    asked = [each.training.as_of for each in courses if each.version == challenger]
    if not asked or situation.now < max(asked) + 2 * situation.policy.trial[1]:
        return None
    nothing = Finding.none(situation.now, "it has never been scored beside the champion")
    return _judged(situation, "drop", challenger, champion, nothing)


def _judged(
    situation: Situation, judgement: Judgement, tried: str, against: str, finding: Finding
) -> Decision:
    """The roles after a verdict, and the release that tells it."""
    verdict = Verdict(
        judgement=judgement,
        tried=tried,
        against=against,
        start=finding.start,
        end=finding.end,
        as_of=situation.now,
        blocks=finding.blocks,
        statistic=finding.statistic,
        threshold=finding.threshold,
        cause=finding.cause,
        figures={**finding.figures, "change": finding.change},
    )
    command = Command(
        application=situation.application,
        kind=_KINDS[judgement],
        version=tried if judgement == "promote" else None,
        role=None,
        at=situation.at,
        by=BY,
        request="",
    )
    decision = governed(situation.roles, command, {tried})
    evidence = verdict.to_json()
    told = [replace(each, cause=verdict.cause, evidence=evidence) for each in decision.releases]
    return Decision(decision.roles, tuple(told))


def _release(situation: Situation, kind: ReleaseKind, version: str, evidence: str) -> Release:
    return Release(situation.application, kind, version, situation.at, BY, evidence=evidence)
