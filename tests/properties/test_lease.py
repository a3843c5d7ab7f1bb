"""Two workers and their crashes, in any order: never do two take themselves for the holder."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edml.models.evidence import Lease, Training
from edml.models.records import Release
from edml.retraining import lease

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TRAINING = Training(reason="person", as_of=BEGAN)
REQUEST = Release("taxi", "requested", "v1", BEGAN, "test", evidence=TRAINING.to_json())


@dataclass
class Hand:
    """A worker as the log sees it; its clock is off by ``skew``.

    It reads the log and writes in two steps, as if there were no fence: what it writes may be late.
    """

    name: str
    skew: timedelta
    log: list[Release]
    read: list[Release] | None = None
    mine: Lease | None = None
    done: list[str] = field(default_factory=list)

    def look(self, now: datetime) -> None:
        """Read the log to its end, and see whether what was written has counted."""
        del now
        self.read = list(self.log)
        if self.mine is not None and not lease.holds(self.read, TRAINING, self.name):
            self.mine = None

    def ask(self, now: datetime) -> None:
        """Write a lease, if what was read allows it; what counts is seen by reading again."""
        at = now + self.skew
        if self.read is None or not lease.may_take(self.read, TRAINING, self.name, at):
            return
        asked = Lease(training=TRAINING, holder=self.name, until=at + lease.TERM)
        self.log.append(Release("taxi", "training", "v1", at, self.name, evidence=asked.to_json()))
        self.read = list(self.log)
        if lease.held(self.log) == asked:
            self.mine = asked

    def finish(self, now: datetime) -> None:
        """Tell an outcome, under the fence: as the log is now."""
        if self.trusts(now) and lease.holds(self.log, TRAINING, self.name):
            evidence = TRAINING.to_json()
            self.log.append(Release("taxi", "failed", "v1", now, self.name, evidence=evidence))
            self.mine = None

    def crash(self, now: datetime) -> None:
        """Forget everything; who comes after has the same name."""
        del now
        self.read = self.mine = None

    def trusts(self, now: datetime) -> bool:
        """Whether it takes itself for the holder."""
        return self.mine is not None and now + self.skew < lease.trusted_until(self.mine)


SKEWS = st.timedeltas(-lease.GRACE / 2, lease.GRACE / 2)
# Little happens unless time passes by about as much as a lease lasts.
PASSED = st.one_of(
    st.timedeltas(timedelta(0), lease.GRACE),
    st.timedeltas(lease.TERM - 2 * lease.GRACE, lease.TERM + 2 * lease.GRACE),
)
DEEDS = ["look", "ask", "look and ask", "look and ask", "finish", "crash"]
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from(DEEDS), PASSED), min_size=4, max_size=40
)


def do(hand: Hand, deeds: str, now: datetime) -> None:
    """Have a worker do one thing, or two."""
    for deed in deeds.split(" and "):
        getattr(hand, deed)(now)


@given(skews=st.tuples(SKEWS, SKEWS), steps=STEPS)
def test_there_is_one_holder_at_a_time(
    skews: tuple[timedelta, timedelta], steps: list[tuple[int, str, timedelta]]
) -> None:
    """Whatever they do, when they die, and how far their clocks are off."""
    log = [REQUEST]
    hands = [Hand(f"worker-{number}", skew, log) for number, skew in enumerate(skews)]
    now = BEGAN
    for who, deed, passed in steps:
        now += passed
        do(hands[who], deed, now)
        assert [each.trusts(now) for each in hands].count(True) <= 1
    assert [each.kind for each in log].count("failed") <= 1


@given(steps=STEPS)
def test_who_comes_after_a_crash_may_go_on_at_once(
    steps: list[tuple[int, str, timedelta]],
) -> None:
    """The same name need not wait; another one may take over once the time is over."""
    log = [REQUEST]
    hands = [Hand(f"worker-{number}", timedelta(0), log) for number in (0, 1)]
    now = BEGAN
    for who, deed, passed in steps:
        now += passed
        do(hands[who], deed, now)
    if TRAINING.id in lease.over(log):
        assert lease.due(log) is None
        return
    found = lease.held(log)
    if found is not None:
        assert lease.may_take(log, TRAINING, found.holder, now)
    for each in hands:
        assert lease.may_take(log, TRAINING, each.name, now + lease.TERM)
