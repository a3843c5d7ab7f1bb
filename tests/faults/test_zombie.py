import pytest

from tests.faults.scene import Scene

COMMANDS = ("serve", "score")


@pytest.mark.timeout(300)
def test_a_frozen_instance_that_wakes_up_too_late(scene: Scene) -> None:
    """Frozen within a transaction for longer than its session and its transaction may last.

    Others have taken over when it wakes. It is fenced: what it has sent stays invisible, and it
    ends with a line that says what has happened.
    """
    ms = scene.plan.timeout_ms
    setting = {
        "kafka.session.timeout.ms": ms,
        "kafka.heartbeat.interval.ms": ms // 4,
        "kafka.transaction.timeout.ms": ms,
    }
    frozen = [
        scene.start(command, crash="outputs sent:5:freeze", setting=setting) for command in COMMANDS
    ]
    for each in frozen:
        each.wait_until_frozen()
    others = [scene.start(command, setting=setting) for command in COMMANDS]
    taken_over = [scene.first(each.command, each.started_s) for each in others]
    scene.report.say(f"taken over after {max(taken_over):.1f} s")
    for each in frozen:
        each.wake()
    for each in frozen:
        assert each.ended() == 1
        assert "the log takes nothing more from this instance" in each.said
        scene.report.say(f"{each.command} woke up, was fenced, and has ended")
    verdict = scene.conclude("frozen past its timeouts", len(frozen), {"taken over": taken_over})
    assert verdict.clean, verdict
    assert verdict.aborted >= len(frozen)
    assert verdict.vain > 0
