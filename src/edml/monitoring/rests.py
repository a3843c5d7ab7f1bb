"""When a model is trained: what asks for it, and how long it has to wait.

There is one training at a time, from the request to the verdict on its candidate; then a rest, that
doubles with each training in a row that brought nothing. So a cause that no training mends asks
less and less often. A renewal comes a rest after whatever was trained before it, and doubles none.
A person who asks does not wait.
"""

from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from edml.models.evidence import Alarm, Training
from edml.monitoring.situation import Situation

MENDED_BY_TRAINING: Final = ("performance", "bias")
"""What an alarm is about that asks for a training; the other kinds tell, and ask for nothing."""

FOLLOWED: Final = timedelta(weeks=12)
"""For so long after the last alarm, what drift made champion is followed up, or while that wins."""

DOUBLINGS: Final = 5
"""A rest is not doubled more often: an application is not left alone for years."""


def doubled(rest: timedelta, times: int) -> timedelta:
    """A rest that has been doubled so many times, within bounds.

    >>> doubled(timedelta(days=7), 2).days, doubled(timedelta(days=7), 99).days
    (28, 224)
    """
    factor: int = 2 ** min(times, DOUBLINGS)
    return rest * factor


def wanted(situation: Situation) -> Training | None:
    """The training that is to be asked for now, if any."""
    history, roles = situation.history, situation.roles
    if roles.champion is None or roles.frozen:
        return None
    if roles.challenger is not None or history.undecided:
        return None
    if situation.statistics.doubt(roles.champion):
        return None
    if not _is_over(situation.policy.rest, history.trained_until, situation):
        return None
    following = _to_follow_up(situation)
    rest = doubled(situation.policy.rest, history.fruitless)
    if _is_over(rest, history.chosen_until, situation):
        return _for_alarm(situation) or following or _by_calendar(situation)
    return following if following is not None and following.renews is not None else None


def _is_over(rest: timedelta, since: datetime | None, situation: Situation) -> bool:
    return since is None or situation.now >= since + rest


def _for_alarm(situation: Situation) -> Training | None:
    """For the newest alarm about the champion, unless a choice has seen what it tells."""
    seen = situation.history.chosen_until
    told = [
        each
        for each in _about_champion(situation)
        if (seen is None or each.end > seen) and each.id not in situation.history.courses
    ]
    if not told:
        return None
    return Training(reason="alarm", as_of=situation.now, alarm=told[-1].id)


def _about_champion(situation: Situation) -> list[Alarm]:
    """The alarms that training mends about the champion, or what it renews: it is one recipe."""
    history, champion = situation.history, situation.roles.champion
    versions = {champion, history.renewed(champion)}
    return [
        each
        for each in history.alarms
        if each.version in versions and each.about in MENDED_BY_TRAINING
    ]


def _to_follow_up(situation: Situation) -> Training | None:
    """After drift: the champion that it made has seen little of the new, and there is more by now.

    What is learnt may not be better yet: a training that brings nothing does not end them. Without
    renewals it puts off the next one, as ever. When the time is over, renewals go on until one has
    not taken over.
    """
    history, champion = situation.history, situation.roles.champion
    made = [
        each.training.alarm
        for each in history.trainings
        if each.version == champion
        and each.state == "promoted"
        and each.training.reason in {"alarm", "follow_up"}
    ]
    causes = [each for each in history.alarms if each.id in made]
    if not causes:
        return None
    alarm = max(causes + _about_champion(situation), key=attrgetter("end"))
    last = history.trainings[-1]
    brings = last.version == champion and last.training.renews is not None
    if situation.now >= alarm.end + FOLLOWED and not brings:
        return None
    return Training(
        reason="follow_up",
        as_of=situation.now,
        alarm=alarm.id,
        renews=champion if situation.policy.renew else None,
    )


def _by_calendar(situation: Situation) -> Training | None:
    schedule, champion = situation.policy.schedule, situation.roles.champion
    if schedule is None or champion is None:
        return None
    since = situation.history.trained_until or situation.statistics.trained_to(champion)
    if since is None or situation.now < since + schedule:
        return None
    return Training(reason="schedule", as_of=situation.now)
