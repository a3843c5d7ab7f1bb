import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep

import polars as pl
import psutil
import pytest

from edml.errors import EdmlError, ModelRefusedError
from edml.models import trial
from edml.models.admission import admit
from edml.models.archive import pack
from edml.models.records import Model
from edml.models.trial import Limits, Trials, kept_waiting_s
from tests import hostile_models
from tests.artefacts import straight_line
from tests.parcels import handed_over, parcels

QUICK = Limits(time_s=240)


@pytest.fixture
def good(tmp_path: Path) -> Model:
    """A good model of a straight line."""
    events = pl.DataFrame([handed_over("a")]).cast({"handed_over_at": pl.Datetime("us", "UTC")})
    artefact = straight_line(
        parcels, tmp_path / "good", events, version="1-20260101000000-0000000", column="weight_g"
    )
    return artefact.model("onnx")


def doing(deed: str, good: Model, folder: Path) -> Model:
    """The same model, but for what its load does."""
    folder = folder / deed
    folder.mkdir()
    (folder / "model.onnx").write_text(f"hostile {deed}")
    packed = pack(folder, "model.onnx")
    digest = sha256(packed).hexdigest()
    return replace(good, flavour="hostile", artefact=packed, sha256=digest, size_bytes=len(packed))


def trials(folder: Path, limits: Limits = QUICK) -> Trials:
    """The trials of one instance."""
    return Trials(folder / "trials", "serve-0", limits)


def marks(folder: Path) -> list[str]:
    """What is remembered, by its kind."""
    return sorted(path.suffix for path in (folder / "trials").glob("*"))


DEEDS = {
    "crash": (QUICK, "ends the process: SIGSEGV"),
    "exit": (QUICK, "ends the process: exit code 0"),
    "hang": (Limits(time_s=3), "not loaded and warm within 3 s"),
    "eat": (QUICK, "takes more memory"),
    "no model": (QUICK, "cannot load"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_hostile_model_does_its_deed_elsewhere(
    deed: str, good: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that ends its process, hangs or takes all memory is refused with that cause."""
    hostile_models.install(tmp_path / "packages", monkeypatch)
    limits, cause = DEEDS[deed]
    with pytest.raises(ModelRefusedError, match=cause):
        admit(parcels, doing(deed, good, tmp_path), trials=trials(tmp_path, limits))
    assert ".admitted" not in marks(tmp_path)


def test_what_was_admitted_needs_no_trial_again(good: Model, tmp_path: Path) -> None:
    """The second admission on a machine has no time for a child, and needs none."""
    admit(parcels, good, trials=trials(tmp_path))
    assert marks(tmp_path) == [".admitted"]
    admit(parcels, good, trials=trials(tmp_path, Limits(time_s=1e-6)))


def test_a_load_that_ended_its_process_twice_is_refused(good: Model, tmp_path: Path) -> None:
    """After one unfinished load a model is tried apart again; after two it is not loaded."""
    admit(parcels, good, trials=trials(tmp_path))
    killed = []  # held, for what nobody holds any more is left
    for expected in ("not loaded and warm within", "begun 2 times and never finished"):
        killed.append(trials(tmp_path).loading(good))
        killed[-1].__enter__()
        with pytest.raises(ModelRefusedError, match=expected):
            admit(parcels, good, trials=trials(tmp_path, Limits(time_s=1e-6)))


def test_one_unfinished_load_is_forgiven(good: Model, tmp_path: Path) -> None:
    """A machine that lost its power while it loaded a good model serves it after all."""
    killed = trials(tmp_path).loading(good)
    killed.__enter__()
    assert admit(parcels, good, trials=trials(tmp_path)).model is good
    assert marks(tmp_path) == [".admitted"]
    del killed


def test_a_refusal_is_a_finished_load(good: Model, tmp_path: Path) -> None:
    """What the process outlives counts as no crash."""
    wrong = replace(good, self_test=[replace(good.self_test[0], prediction=-1.0)])
    for _ in range(3):
        with pytest.raises(ModelRefusedError, match="it predicted -1"):
            admit(parcels, wrong, trials=trials(tmp_path))
    assert marks(tmp_path) == []


BUSY = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


def test_what_waits_for_a_busy_machine_is_told_from_what_hangs() -> None:
    """Of two that share a core, each is kept waiting; one that sleeps is not."""
    with ExitStack() as ended:
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
        asleep = subprocess.Popen(["sleep", "600"])
        for each in (*busy, asleep):
            ended.callback(each.wait)
            ended.callback(each.kill)
        while not all(kept_waiting_s(each.pid) > 1 for each in busy):
            sleep(0.05)
        assert kept_waiting_s(asleep.pid) < 1


def test_a_busy_machine_makes_no_model_worse(
    good: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that was kept waiting for longer than it may take is not over; there is an end."""
    monkeypatch.setattr(trial, "kept_waiting_s", lambda _: 1e9)
    with monkeypatch.context() as slow:
        slow.setattr(trial, "monotonic", lambda: 100_000 * monotonic())
        slow.setattr(trial, "_MOST_TIMES", 1e9)
        admit(parcels, good, trials=trials(tmp_path / "busy"))
    with pytest.raises(ModelRefusedError, match="not loaded and warm within"):
        admit(parcels, good, trials=trials(tmp_path / "for ever", Limits(time_s=1e-6)))


def on_trial(child: psutil.Process) -> bool:
    """Whether a child of ours tries a model."""
    try:
        return "edml.models.trial_child" in child.cmdline()
    except psutil.NoSuchProcess:  # or a zombie: it has ended
        return False


def test_a_trial_ends_when_it_is_told(
    good: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stops does not wait for a model that hangs, and leaves no child behind."""
    hostile_models.install(tmp_path / "packages", monkeypatch)
    hanging = trials(tmp_path, Limits(time_s=600))
    threading.Timer(1.0, hanging.stop).start()
    begun = monotonic()
    with pytest.raises(EdmlError, match="was stopped"):
        admit(parcels, doing("hang", good, tmp_path), trials=hanging)
    assert monotonic() - begun < 240
    assert not [child for child in psutil.Process().children() if on_trial(child)]
