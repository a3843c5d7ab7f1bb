from typing import Final

import pytest

from tests.faults.instances import Instance
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")
OF_A_TRANSACTION: Final = (
    "transaction begun",
    "outputs sent",
    "offsets sent",
    "commit asked",
    "committed",
)
OPEN: Final = ("outputs sent", "offsets sent")
REBALANCED: Final = {"kafka.heartbeat.interval.ms": 500}


def killed(scene: Scene, moment: str) -> None:
    """Both commands run until a moment comes at which they are killed."""
    dying = [
        scene.start(each, program=["crashing.py", moment], setting=REBALANCED) for each in COMMANDS
    ]
    wait_for_death(scene, moment, dying)


def wait_for_death(scene: Scene, moment: str, dying: list[Instance]) -> None:
    """Wait until both are killed."""
    assert [each.ended() for each in dying] == [-9, -9], [each.said for each in dying]
    scene.report.say(f"killed at {moment!r}; {scene.traffic.written:,} events")


@pytest.mark.timeout(900)
def test_killed_at_each_point_of_a_transaction(scene: Scene) -> None:
    """Both commands are killed at each point of a transaction: what was in vain, no reader sees."""
    for _ in range(scene.plan.strikes):
        for moment in OF_A_TRANSACTION:
            killed(scene, f"{moment}:3")
    scene.ready(*(scene.start(command) for command in COMMANDS))
    strikes = scene.plan.strikes * len(OF_A_TRANSACTION) * len(COMMANDS)
    verdict = scene.conclude("kill -9 at each point of a transaction", strikes)
    assert verdict.clean, verdict
    assert verdict.aborted >= scene.plan.strikes * len(OPEN)  # of scoring, not each has outputs
    assert verdict.vain > 0


@pytest.mark.timeout(900)
def test_killed_during_a_rebalance(scene: Scene) -> None:
    """Killed when its partitions are taken away, with a batch in flight, and when it gets some."""
    for _ in range(scene.plan.strikes):
        moment = "partitions revoked"
        dying = [
            scene.start(each, program=["crashing.py", moment], setting=REBALANCED)
            for each in COMMANDS
        ]
        scene.ready(*dying)
        beside = [scene.start(command, setting=REBALANCED) for command in COMMANDS]
        wait_for_death(scene, moment, dying)
        killed(scene, "partitions assigned")
        scene.ready(*(scene.start(each, setting=REBALANCED) for each in COMMANDS))
        for each in beside:
            each.stop()
        for each in scene.running:
            each.kill()
    scene.ready(*(scene.start(command) for command in COMMANDS))
    strikes = scene.plan.strikes * 3 * len(COMMANDS)
    verdict = scene.conclude("kill -9 during a rebalance", strikes)
    assert verdict.clean, verdict
    assert verdict.aborted >= scene.plan.strikes
    assert verdict.vain > 0
