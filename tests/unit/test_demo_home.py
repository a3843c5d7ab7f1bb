"""The demo's home, its children, and the signals that end it."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from edml.demo.children import Child, ChildEndedError, Children, descendants
from edml.demo.farewell import farewell
from edml.demo.home import Home, HomeError
from edml.demo.report import Report
from edml.demo.signals import StoppedError, raised
from edml.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that no demo has used."""
    return Home.below(Settings(home=tmp_path / "edml", jars=tmp_path / "jars"))


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Children that are ended with the test."""
    with Children(os.environ, tmp_path / "logs") as children:
        yield children


def ended(child: Child) -> Child:
    """The child, when it has ended."""
    child.process.wait(30)
    return child


def test_a_home_is_begun_anew_and_has_settings_of_its_own(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says; Kafka's program files are shared."""
    monkeypatch.setenv("EDML_BOOTSTRAP_SERVERS", "elsewhere:9092")
    with home.held():
        (home.directory / "model-1").mkdir()
        (home.directory / "log.json").write_text("{}")
        home.clear()
        assert sorted(each.name for each in home.directory.iterdir()) == [
            "demo.lock",
            "edml.toml",
        ]
        settings = home.settings
    assert (settings.home, settings.jars) == (home.directory, home.jars)
    assert settings.bootstrap_servers is None


def test_two_demos_at_a_time_are_refused(home: Home) -> None:
    """Each would empty the other's home."""
    with home.held(), pytest.raises(HomeError, match="a demo runs already"), home.held():
        pass


def test_a_folder_that_is_no_demos_is_left_alone(home: Home) -> None:
    """It would be emptied."""
    home.directory.mkdir(parents=True)
    (home.directory / "thesis.txt").write_text("ten years of work")
    with pytest.raises(HomeError, match="something that no demo has made"), home.held():
        pass
    assert (home.directory / "thesis.txt").exists()


def test_a_child_that_fails_is_told_by_its_last_lines(children: Children) -> None:
    """With its exit code, and the file that has the rest."""
    child = ended(children.start("train", ["no-such-command"]))
    with pytest.raises(ChildEndedError) as caught:
        child.check()
    assert "`edml train` has ended: exit code 2" in caught.value.what
    assert "No such command 'no-such-command'" in caught.value.what
    assert caught.value.where == str(child.log_file)


def test_a_child_that_is_killed_is_told_by_its_signal(children: Children) -> None:
    """There may be no last line."""
    child = children.start("serve", ["--help"])
    child.process.kill()
    with pytest.raises(ChildEndedError, match="has ended: SIGKILL"):
        ended(child).check()


def test_a_child_that_is_needed_may_not_end(children: Children) -> None:
    """Not even in good order."""
    child = ended(children.start("serve", ["--help"]))
    child.check()
    with pytest.raises(ChildEndedError, match="though it should still run"):
        child.check_runs()


def test_of_an_overwritten_line_the_last_state_counts(children: Children) -> None:
    """Progress bars write over themselves."""
    child = ended(children.start("data", ["--version"]))
    child.log_file.write_bytes(b"begin\n10%\r20%\r30%\n\n")
    assert child.last_lines() == ["begin", "30%"]
    assert child.last_line == "30%"


def test_leaving_ends_children_of_children_too(tmp_path: Path) -> None:
    """Each child leads a session, and all of it is ended."""
    with Children(os.environ, tmp_path) as children:
        child = children.start("up", ["--help"])
        assert os.getsid(child.process.pid) == child.process.pid
        assert child.process.pid in {each.pid for each in descendants()}
    assert child.process.pid not in {each.pid for each in descendants()}
    assert not psutil.pid_exists(child.process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_the_demo_and_the_next_ones_do_not_disturb_it(
    number: signal.Signals,
) -> None:
    """What is being ended is ended to the end."""
    before = signal.getsignal(number)
    with raised():
        with pytest.raises(StoppedError) as caught:
            signal.raise_signal(number)
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_the_farewell_tells_what_the_loop_did(home: Home) -> None:
    """By the days of the events, where it did anything."""
    quiet = Report(1, 1, 0, 0, 1.0, {"p50": None, "p99": None}, (), "simulated")
    told = (("alarmed", "bias", 26), ("loaded", None, 27), ("promoted", None, 31))
    releases = [
        {"kind": kind, "version": "v1", "cause": cause, "event_time": f"2020-03-{day}T05:00:00"}
        for kind, cause, day in told
    ]
    said = farewell(replace(quiet, releases=tuple(releases)), home)
    assert "  2020-03-26  alarmed      bias\n  2020-03-31  promoted     v1\n" in said
    assert "loaded" not in said
    assert "What the loop did" not in farewell(quiet, home)


def test_the_farewell_unsets_what_would_win_over_the_demos_settings(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what it tells to try works wherever one is."""
    for name in [name for name in os.environ if name.startswith("EDML_")]:
        monkeypatch.delenv(name)
    report = Report(1, 1, 0, 0, 1.0, {"p50": None, "p99": None}, (), "simulated")
    assert f"\n  export EDML_CONFIG={home.config}\n" in farewell(report, home)
    monkeypatch.setenv("EDML_HOME", "elsewhere")
    assert f"\n  unset EDML_HOME; export EDML_CONFIG={home.config}\n" in farewell(report, home)
