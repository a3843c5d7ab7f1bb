import pytest

from edml.kafka.embedded import EmbeddedLog
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")
BRIEF = {"kafka.transaction.timeout.ms": 1_000}


@pytest.mark.long
def test_a_commit_that_does_not_end(scene: Scene, log: EmbeddedLog) -> None:
    """While the broker answers nothing, instances say so and end with 1, in bounded time.

    The broker is killed then, and started again, and so are they: nothing is lost or doubled.
    """
    running = [scene.start(command, setting=BRIEF) for command in COMMANDS]
    scene.ready(*running)
    log.suspend_broker()
    ends = [each.ended() for each in running]
    log.kill_broker()
    log.start_broker()
    assert ends == [1, 1]
    assert all("a commit is not over after 3 s" in each.said for each in running)
    with scene.supervised():
        scene.ready(*(scene.start(command) for command in COMMANDS))
        verdict = scene.conclude("a commit that does not end", len(running))
    assert verdict.clean, verdict
