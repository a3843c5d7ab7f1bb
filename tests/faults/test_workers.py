"""One command of several workers: they share the load, and they live and end together."""

from collections.abc import Sequence

import psutil
import pytest

from edml.demo.children import runs
from tests.broker.city import eventually
from tests.faults.instances import Instance
from tests.faults.scene import Scene
from tests.faults.test_stopping import members

TWO = ("--workers", "2")


def workers(command: Instance) -> Sequence[psutil.Process]:
    """The processes that a command has started."""
    return psutil.Process(command.process.pid).children()


def ended(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(map(runs, processes))


@pytest.mark.timeout(600)
def test_workers_share_the_load_and_end_together(scene: Scene) -> None:
    """Whether a worker is killed, the command or nobody: none stays behind, and none is needed."""
    scorer = scene.start("score")
    first = scene.start("serve", options=TWO)
    scene.ready(first, scorer)
    eventually(lambda: members(scene.city, "serve") == 2)
    one, other = workers(first)
    one.kill()
    assert first.ended() == 1
    assert "worker 1 was ended by SIGKILL" in first.said
    assert ended([one, other])

    second = scene.start("serve", options=TWO)
    scene.ready(second)
    both = workers(second)
    second.kill()
    eventually(lambda: ended(both))

    third = scene.start("serve", options=TWO)
    eventually(lambda: all(f"{number}: serve: reading" in third.said for number in (1, 2)))
    seconds = [third.stop()]
    assert members(scene.city, "serve") == 0
    scene.ready(scene.start("serve", options=TWO))
    verdict = scene.conclude("two workers", 2, {"until ended": seconds})
    assert verdict.clean, verdict
