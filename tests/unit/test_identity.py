import subprocess
import sys
from pathlib import Path

import pytest

from edml.errors import LogError
from edml.kafka.identity import instance


def test_slots_are_given_in_turn(tmp_path: Path) -> None:
    """Each holder has another name; a slot that is free again is the first to be given."""
    with instance(tmp_path, "serve") as first:
        with instance(tmp_path, "serve") as second:
            assert first != second
        with instance(tmp_path, "serve") as again:
            assert again == second
    with instance(tmp_path, "serve") as later:
        assert later == first


def test_groups_have_slots_of_their_own(tmp_path: Path) -> None:
    """Two components on one machine do not get into each other's way."""
    with instance(tmp_path, "serve") as serve, instance(tmp_path, "score") as score:
        assert serve.startswith("serve-")
        assert serve.removeprefix("serve") == score.removeprefix("score")


def test_machines_have_other_names(tmp_path: Path) -> None:
    """The same slot on another machine is another instance."""
    with instance(tmp_path / "a", "serve") as one, instance(tmp_path / "b", "serve") as other:
        assert one != other


def test_a_machine_whose_name_was_not_written(tmp_path: Path) -> None:
    """A disk that was full when the name was drawn does not leave the machine without one."""
    for home in (tmp_path / "a", tmp_path / "b"):
        (home / "instances").mkdir(parents=True)
        (home / "instances" / "machine").touch()
    with instance(tmp_path / "a", "serve") as one, instance(tmp_path / "b", "serve") as other:
        assert one != other


def test_slot_of_a_killed_process(tmp_path: Path) -> None:
    """Who takes over after a crash has the name of who crashed."""
    hold = (
        "import sys, pathlib\n"
        "from edml.kafka.identity import instance\n"
        "with instance(pathlib.Path(sys.argv[1]), 'serve') as name:\n"
        "    print(name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        held = process.stdout.readline().strip()
        with instance(tmp_path, "serve") as beside:
            assert beside != held
        process.kill()
        process.wait()
    with instance(tmp_path, "serve") as after:
        assert after == held


def test_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A home that is no folder is told, with what to do about it."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(LogError, match="the instance's folder cannot be used") as told,
        instance(tmp_path / "file", "serve"),
    ):
        pass
    assert told.value.todo is not None
    assert "EDML_HOME" in told.value.todo


def test_error_of_the_holder_is_its_own(tmp_path: Path) -> None:
    """What fails while a slot is held is not taken for a fault of the slot."""
    with pytest.raises(FileNotFoundError, match="of the holder"), instance(tmp_path, "serve"):
        raise FileNotFoundError("of the holder")
