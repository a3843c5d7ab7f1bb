"""When a model is trained: what asks for it, and how long it has to wait.

There is one training at a time, from the request to the verdict on its candidate; then a rest, that
doubles with each training in a row that brought nothing. So a cause that no training mends asks
less and less often. A person who asks does not wait.
"""

from datetime import datetime, timedelta
from typing import Final

from edml.models.evidence import Training
from edml.monitoring.situation import Situation

MENDED_BY_TRAINING: Final = ("performance", "bias")
"""What an alarm is about that asks for a training; the other kinds tell, and ask for nothing."""

FOLLOWED: Final = timedelta(weeks=12)
"""For so long after drift, what it made champion is followed up."""

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
    last = history.trained_until
    rest = doubled(situation.policy.rest, history.fruitless)
    if last is not None and situation.now < last + rest:
        return None
    return _for_alarm(situation, last) or _to_follow_up(situation) or _by_calendar(situation, last)


def _for_alarm(situation: Situation, last: datetime | None) -> Training | None:
    """For the newest alarm about the champion, unless a training has seen what it tells."""
    told = [
        each
        for each in situation.history.alarms
        if each.version == situation.roles.champion
        and each.about in MENDED_BY_TRAINING
        and (last is None or each.end > last)
        and each.id not in situation.history.courses
    ]
    if not told:
        return None
    return Training(reason="alarm", as_of=situation.now, alarm=told[-1].id)


def _to_follow_up(situation: Situation) -> Training | None:
    """After drift: the champion that it made has seen little of the new, and there is more by now.

    What is learnt may not be better yet: a training that brings nothing puts off the next one, as
    ever, and does not end them.
    """
    history, champion = situation.history, situation.roles.champion
    made = [
        each.training.alarm
        for each in history.trainings
        if each.version == champion
        and each.state == "promoted"
        and each.training.reason in {"alarm", "follow_up"}
    ]
    alarm = next((each for each in history.alarms if each.id in made), None)
    if alarm is None or situation.now >= alarm.end + FOLLOWED:
        return None
    return Training(reason="follow_up", as_of=situation.now, alarm=alarm.id)


def _by_calendar(situation: Situation, last: datetime | None) -> Training | None:
    schedule, champion = situation.policy.schedule, situation.roles.champion
    if schedule is None or champion is None:
        return None
    since = last or situation.statistics.trained_to(champion)
    if since is None or situation.now < since + schedule:
        return None
    return Training(reason="schedule", as_of=situation.now)
