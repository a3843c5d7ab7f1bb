"""What becomes of a training's process, whatever it does: the worker hears of it and lives on."""

import time
from pathlib import Path

import psutil
import pytest

from edml.errors import TrainingError
from edml.retraining.assignment import Workplace
from edml.retraining.bounded import Bounds, InterruptedTrainingError, run
from tests.deeds import DONE

PLENTY = Bounds(time_s=240, memory_mb=2048)


def do(deed: str, folder: Path, bounds: Bounds = PLENTY, *, left: int = 1_000_000) -> list[str]:
    """Have a training do it, and stop it after it was asked so often; gives back what it told."""
    (folder / "deed").write_text(deed)
    told: list[str] = []
    asked = iter(range(left))
    run(
        Workplace(folder),
        bounds,
        lambda: next(asked, None) is not None,
        lambda what, done: told.append(f"{what} {done}"),
        module="tests.deeds",
    )
    return told


def children() -> list[psutil.Process]:
    """What we have started and not ended."""
    ours = psutil.Process().children()
    running = [each for each in ours if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in running if "tests.deeds" in each.cmdline()]


def test_what_it_tells_is_heard_and_what_it_leaves_is_found(tmp_path: Path) -> None:
    """Progress comes line by line; what libraries print is no progress."""
    assert do("finish", tmp_path) == ["learning 0.5"]
    assert Workplace(tmp_path).result() == DONE


@pytest.mark.parametrize(
    ("deed", "cause"),
    [
        ("crash", "ended: SIGSEGV"),
        ("leave", "ended: exit code 0: …I leave"),
        ("burst", "too much memory"),
    ],
)
def test_an_end_without_a_result_is_told(deed: str, cause: str, tmp_path: Path) -> None:
    """A fault, an end too soon, more memory at once than there may be."""
    with pytest.raises(TrainingError, match=cause):
        do(deed, tmp_path, Bounds(time_s=240, memory_mb=256))


def test_one_that_grows_is_ended(tmp_path: Path) -> None:
    """What it takes is measured, too."""
    with pytest.raises(TrainingError, match="more than 200 MiB of memory"):
        do("grow", tmp_path, Bounds(time_s=240, memory_mb=200))
    assert children() == []


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    """When its time is over."""
    with pytest.raises(TrainingError, match=r"took more than 0\.5 s"):
        do("hang", tmp_path, Bounds(time_s=0.5, memory_mb=2048))
    assert children() == []


def test_whoever_loses_the_lease_ends_it(tmp_path: Path) -> None:
    """Nobody trains on without a lease, or when asked to stop."""
    began = time.monotonic()
    with pytest.raises(InterruptedTrainingError):
        do("hang", tmp_path, left=2)
    assert children() == []
    assert time.monotonic() - began < 240  # it slept for ten minutes
