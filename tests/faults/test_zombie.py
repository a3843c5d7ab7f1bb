from shutil import copytree

import pytest

from tests.broker.city import eventually
from tests.faults.instances import Instance
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")


def has_heard(woken: Instance) -> bool:
    """Whether it knows what became of its transaction: it has ended, or reads once more."""
    return woken.code is not None or woken.said.count(": reading ") > 1


def test_a_frozen_instance_that_wakes_up_too_late(scene: Scene) -> None:
    """Frozen within a transaction for longer than its session and its transaction may last.

    Others have taken over when it wakes. What it has sent stays invisible. If it hears of that when
    it commits, it is fenced, says so, and ends with 1. If the broker refuses more of its outputs
    before, it aborts, gets another epoch (KIP-360), and is one of the group again.
    """
    ms = scene.plan.timeout_ms
    setting = {
        "kafka.session.timeout.ms": ms,
        "kafka.heartbeat.interval.ms": ms // 4,
        "kafka.transaction.timeout.ms": ms,
    }
    frozen = [
        scene.start(command, program=["crashing.py", "outputs sent:5:freeze"], setting=setting)
        for command in COMMANDS
    ]
    for each in frozen:
        each.wait_until_frozen()
    others = [scene.start(command, setting=setting) for command in COMMANDS]
    taken_over = [scene.first(each.command, each.started_s) for each in others]
    scene.report.say(f"taken over after {max(taken_over):.1f} s")
    for each in frozen:
        each.wake()
    eventually(lambda: all(has_heard(each) for each in frozen))
    fenced = [each for each in frozen if each.code is not None]
    assert [each.ended() for each in fenced] == [1] * len(fenced)
    assert all("the log takes nothing more from this instance" in each.said for each in fenced)
    scene.report.say(f"both woke up; {len(fenced)} were fenced, and have ended")
    verdict = scene.conclude("frozen past its timeouts", len(frozen), {"taken over": taken_over})
    assert verdict.clean, verdict
    assert verdict.aborted >= len(fenced)
    if frozen[0] in fenced:  # each transaction of serving has outputs, not each of scoring
        assert verdict.vain > 0


@pytest.mark.long
def test_two_processes_with_one_name(scene: Scene) -> None:
    """A copy of an instance's folder has its name: the older process is fenced, and ends with 1."""
    older = [scene.start(command) for command in COMMANDS]
    scene.ready(*older)
    copy = scene.folder / "copy"
    copytree(scene.city.cluster.settings.home / "instances", copy / "instances")
    newer = [scene.start(command, setting={"home": copy}) for command in COMMANDS]
    assert [each.ended() for each in older] == [1, 1]
    assert all("the log takes nothing more from this instance" in each.said for each in older)
    scene.ready(*newer)
    verdict = scene.conclude("two processes with one name", len(older))
    assert verdict.clean, verdict
