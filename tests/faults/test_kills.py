from random import Random
from time import sleep

import pytest

from tests.broker.city import eventually
from tests.faults.report import Outcome
from tests.faults.scene import PATIENCE_S, Scene
from tests.trips import trips

WITHIN_S = 1.5
COMMANDS = ("serve", "score")


@pytest.mark.timeout(1_800)
def test_killed_and_started_again(scene: Scene) -> None:
    """Serving and scoring are killed at random moments: all is predicted and scored just once.

    Some die while they start, some as soon as they have taken up the work, some after a while.
    """
    dice = Random(scene.plan.seed)  # noqa: S311  no secret
    running = {command: scene.start(command) for command in COMMANDS}
    scene.ready(*running.values())
    recovered: dict[str, list[float]] = {command: [] for command in COMMANDS}
    for number in range(scene.plan.kills):
        command = dice.choice(COMMANDS)
        running[command].kill()
        running[command] = scene.start(command)
        if dice.random() < 2 / 3:
            took = scene.first(command, running[command].started_s)
            recovered[command].append(took)
            scene.report.say(
                f"kill {number + 1} of {scene.plan.kills}: {command} is back after {took:.1f} s; "
                f"{scene.traffic.written:,} events, {scene.ledger.count('score'):,} scored"
            )
        sleep(dice.uniform(0, WITHIN_S))
    verdict = scene.conclude(
        "kill -9 at random moments",
        scene.plan.kills,
        {f"first record of {command}": each for command, each in recovered.items()},
    )
    assert verdict.clean, verdict


@pytest.mark.timeout(1_800)
def test_killed_at_least_once(scene: Scene) -> None:
    """Without transactions, serving is killed at random moments: nothing is lost, some is repeated.

    What is repeated has the same answer.
    """
    dice = Random(scene.plan.seed)  # noqa: S311  no secret
    options = ("--guarantee", "at_least_once")
    running = scene.start("serve", options=options)
    scene.ready(running)
    for _ in range(scene.plan.kills):
        running.kill()
        running = scene.start("serve", options=options)
        if dice.random() < 2 / 3:
            scene.ready(running)
        sleep(dice.uniform(0, WITHIN_S))
    events = scene.traffic.stop()
    predictions = scene.city.predictions
    eventually(lambda: predictions()["uuid"].n_unique() >= events, PATIENCE_S)
    running.stop()
    predicted = predictions()
    lost = set(trips(events)["uuid"]) - set(predicted["uuid"])
    counts = {"events": events, "lost": len(lost), "repeated": predicted.height - events}
    scene.report.add(
        "kill -9 at random moments, at least once",
        Outcome({"faults": scene.plan.kills, **counts}, {}),
    )
    assert not lost
    assert predicted.select("uuid", "prediction").unique().height == events
    assert scene.city.dead_letters() == []
