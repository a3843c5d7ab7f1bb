import time

from edml.kafka.embedded import EmbeddedLog
from tests.broker.city import eventually
from tests.faults.scene import Scene

COMMANDS = ("serve", "score")


def test_the_registry_is_down(scene: Scene, log: EmbeddedLog) -> None:
    """Records of a schema that is not known yet wait for the registry: none is lost or buried.

    Who starts meanwhile says so and ends with 1: whoever runs it starts it again.
    """
    running = [scene.start(command) for command in COMMANDS]
    scene.ready(*running)
    evolved = scene.traffic.evolved()
    log.kill_registry()
    late = scene.start("serve")
    assert late.ended() == 1
    assert "the schema registry does not answer" in late.said
    scene.traffic.use(evolved)
    eventually(lambda: all("Waiting for the schema registry" in each.said for each in running))
    scene.report.say(f"both wait; {scene.traffic.written:,} events")
    log.start_registry()
    now = time.monotonic()
    back = [scene.first(each.command, now) for each in running]
    assert [each.code for each in running] == [None, None]
    verdict = scene.conclude("registry down", 1, {"first record after it is back": back})
    assert verdict.clean, verdict
