import time

import pytest

from edml.kafka.embedded import EmbeddedLog
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")
STUTTER_FROZEN_S, STUTTER_S = 0.6, 0.2


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_broker_killed_frozen_and_slow(scene: Scene, log: EmbeddedLog) -> None:
    """The broker is killed and comes back, is frozen, and slow: instances go on, or end with 1.

    Whoever runs them starts them again then, and nothing is lost or doubled.
    """
    back: dict[str, list[float]] = {"killed": [], "frozen": [], "slow": []}

    def is_back(after: str) -> None:
        now = time.monotonic()
        back[after] += [scene.first(command, now) for command in COMMANDS]
        scene.report.say(f"broker {after}: outputs after {max(back[after][-2:]):.1f} s")

    with scene.supervised():
        scene.ready(*(scene.start(command) for command in COMMANDS))
        for _ in range(scene.plan.rounds):
            log.kill_broker()
            time.sleep(scene.plan.dead_s)
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
        restarted = len(scene.instances) - len(COMMANDS)
        scene.report.say(f"{restarted} times an instance ended, and was started again")
        scene.caught_up()
    verdict = scene.conclude(
        "broker killed, frozen and slow",
        scene.plan.rounds * (2 + scene.plan.stutters),
        {f"first record after the broker was {name}": each for name, each in back.items()},
    )
    assert verdict.clean, verdict
