import signal
from random import Random
from time import sleep

import pytest
from confluent_kafka.admin import AdminClient

from tests.broker.city import City
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")


def members(city: City, command: str) -> int:
    """How many members the group of a command has."""
    group = f"{city.app.topic_prefix}edml.taxi.{command}"
    admin = AdminClient(dict(city.cluster.settings.client()))
    return len(admin.describe_consumer_groups([group])[group].result().members)


@pytest.mark.timeout(1_800)
def test_a_stopped_instance_leaves_its_group(scene: Scene) -> None:
    """After SIGTERM or Ctrl-C under load a command ends by itself with code 0.

    It has left its group then, and who comes next takes over at once: nothing is lost or doubled.
    """
    dice = Random(scene.plan.seed)  # noqa: S311  no secret
    running = {command: scene.start(command) for command in COMMANDS}
    scene.ready(*running.values())
    ended: list[float] = []
    taken_over: list[float] = []
    for number in range(scene.plan.stops):
        sleep(dice.uniform(0, 1))
        for command in COMMANDS:
            by = dice.choice((signal.SIGTERM, signal.SIGINT))
            ended.append(running[command].stop(by))
            assert members(scene.city, command) == 0
            running[command] = scene.start(command)
        taken_over += [scene.first(each.command, each.started_s) for each in running.values()]
        scene.report.say(f"stop {number + 1} of {scene.plan.stops}: ended in {ended[-1]:.1f} s")
    seconds = {"until ended": ended, "first record of the next": taken_over}
    verdict = scene.conclude("SIGTERM and Ctrl-C", len(ended), seconds)
    assert verdict.clean, verdict
