import signal

import pytest

from tests.broker.city import City, eventually
from tests.faults.scene import Scene

V2 = "0.1.0-20191128153000-1a2b3c4"


def refused(city: City) -> dict[str, str | None]:
    """The causes of the versions that were refused."""
    return {each.version: each.cause for each in city.releases() if each.kind == "refused"}


@pytest.mark.timeout(300)
def test_the_disk_is_full(scene: Scene) -> None:
    """With a full disk, an instance does not start, and says so; one that runs goes on serving.

    A model that there is no room to unpack is refused, and the one before it serves on.
    """
    hopeless = scene.start("serve", program=["full_disk.py", "now"])
    assert hopeless.ended() == 1
    assert "EDML_HOME" in hopeless.said
    serving = scene.start("serve", program=["full_disk.py", "later"])
    scene.ready(serving, scene.start("score"))
    serving.process.send_signal(signal.SIGUSR1)
    scene.city.publish(V2, slope=3.0)
    eventually(lambda: V2 in refused(scene.city))
    scene.report.say(f"refused: {refused(scene.city)[V2]}")
    before = scene.ledger.count("serve")
    eventually(lambda: scene.ledger.count("serve") > before)
    verdict = scene.conclude("disk full", 2)
    assert verdict.clean, verdict
