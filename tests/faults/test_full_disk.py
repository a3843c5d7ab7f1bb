import signal

from tests.broker.city import eventually
from tests.faults.scene import Scene

MORE = 1_000


def test_the_disk_is_full(scene: Scene) -> None:
    """With a full disk, an instance does not start, and says so; one that runs goes on serving."""
    hopeless = scene.start("serve", program=["full_disk.py", "now"])
    assert hopeless.ended() == 1
    assert "EDML_HOME" in hopeless.said
    serving = scene.start("serve", program=["full_disk.py", "later"])
    scene.ready(serving, scene.start("score"))
    serving.process.send_signal(signal.SIGUSR1)
    before = scene.ledger.count("serve")
    eventually(lambda: scene.ledger.count("serve") > before + MORE)
    verdict = scene.conclude("disk full", 2)
    assert verdict.clean, verdict
