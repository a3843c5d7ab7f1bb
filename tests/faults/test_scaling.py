from random import Random
from time import sleep

import pytest

from tests.broker.city import eventually
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")


@pytest.mark.timeout(900)
def test_from_one_instance_to_many_and_back(scene: Scene) -> None:
    """Instances join and leave under load: the partitions are shared anew, nothing is lost."""
    dice = Random(scene.plan.seed)  # noqa: S311  no secret
    scene.ready(*(scene.start(command) for command in COMMANDS))
    stopped: list[float] = []
    for _ in range(scene.plan.rounds):
        for _ in range(scene.plan.instances - 1):
            started = [scene.start(command) for command in COMMANDS]
            scene.ready(*started)
            for each in started:  # what came may be another one's
                eventually(lambda: "reading" in each.said)  # noqa: B023
        for command in COMMANDS:
            many = [each for each in scene.running if each.command == command]
            for each in dice.sample(many, scene.plan.instances - 1):
                sleep(dice.uniform(0, 0.5))
                stopped.append(each.stop())
        scene.report.say(f"back to one instance each; {scene.traffic.written:,} events")
    verdict = scene.conclude(
        f"1 → {scene.plan.instances} → 1 instances", len(stopped), {"until one ended": stopped}
    )
    assert verdict.clean, verdict
