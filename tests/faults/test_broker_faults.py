import time

import pytest

from edml.kafka.embedded import EmbeddedLog
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")
STUTTER_FROZEN_S, STUTTER_S = 0.6, 0.2


@pytest.mark.timeout(900)
def test_broker_killed_frozen_and_slow(scene: Scene, log: EmbeddedLog) -> None:
    """The broker is killed and restarted, frozen for long, and slow: the same instances go on.

    None of them ends, nothing is lost and nothing doubled.
    """
    running = [scene.start(command) for command in COMMANDS]
    scene.ready(*running)
    back: dict[str, list[float]] = {"killed": [], "frozen": [], "slow": []}

    def is_back(after: str) -> None:
        now = time.monotonic()
        back[after] += [scene.first(command, now) for command in COMMANDS]
        scene.report.say(f"broker {after}: outputs after {max(back[after][-2:]):.1f} s")

    for _ in range(scene.plan.rounds):
        log.kill_broker()
        log.start_broker()
        is_back("killed")
        log.suspend_broker()
        time.sleep(scene.plan.frozen_s)
        log.resume_broker()
        is_back("frozen")
        for _ in range(scene.plan.stutters):
            log.suspend_broker()
            time.sleep(STUTTER_FROZEN_S)
            log.resume_broker()
            time.sleep(STUTTER_S)
        is_back("slow")
    assert [each.code for each in running] == [None, None], [each.said for each in running]
    verdict = scene.conclude(
        "broker killed, frozen and slow",
        scene.plan.rounds * (2 + scene.plan.stutters),
        {f"first record after the broker was {name}": each for name, each in back.items()},
    )
    assert verdict.clean, verdict
