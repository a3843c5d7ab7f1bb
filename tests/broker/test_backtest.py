import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edml.kafka import spans
from edml.kafka.inspection import inspect
from edml.models.records import Release
from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191128153000-1a2b3c4-2"
V3 = "0.1.0-20191128163000-1a2b3c4-3"


@pytest.fixture
def served(city: City) -> City:
    """A city in which two champions have answered, one after the other, and trips have ended."""
    city.publish(V1)
    city.pick_up(trips(200))
    city.drop_off(trips(300))
    with city.serving():
        eventually(lambda: city.predictions().height == 200)
        city.publish(V2, slope=3.0)
        eventually(lambda: any(is_loaded(each, V2) for each in city.releases()))
        city.pick_up(trips(100, first=200))
        eventually(lambda: city.predictions().filter(pl.col("role") == "champion").height == 300)
    return city


def is_loaded(release: Release, version: str) -> bool:
    """Whether a version is served from now on."""
    return (release.kind, release.version) == ("loaded", version)


def traces(city: City) -> Any:
    """How many records every topic has, who reads what, and every group there is."""
    return asdict(inspect(city.cluster.settings.client()))


def test_the_past_is_played_without_a_trace(served: City, terminal: Terminal) -> None:
    """A candidate is compared with each version that was live, on the same trips."""
    artefact = served.artefact(V3, slope=2.5)
    before = traces(served)
    found = terminal("backtest", "--model", str(artefact.folder), "--json").document
    again = terminal("backtest", "--model", V1, "--as-of", "live")
    assert traces(served) == before
    assert again.code == 0, again.err
    assert "0 differ" in again.out
    assert (found["events"], found["left_out"]) == (300, {})
    models = {(each["role"], each["version"]): each for each in found["models"]}
    predicted = served.predictions()
    for role, version in predicted.select("role", "version").unique().iter_rows():
        same = predicted.filter(pl.col("role") == role, pl.col("version") == version)
        assert models[role, version]["count"] == models[role, version]["shared"] == same.height
    assert models["candidate", V3]["count"] == 300
    live = sum(each["count"] for each in found["windows"] if each["series"] == "live")
    assert live == 300
    assert not any(each["complete"] for each in found["windows"])  # the wait of 3 h is not over


def test_what_was_recorded_comes_out_again(served: City, terminal: Terminal) -> None:
    """Each event with the champion of its moment; one wrong record, and the exit code is 1."""
    found = terminal("backtest", "--as-of", "live", "--json")
    again = found.document["as_of_live"]
    assert found.code == 0
    assert (again["compared"], again["differing"]) == (300, 0)
    assert again["versions"] == {V1: 200, V2: 100}
    assert again["largest"] <= 1e-5
    first = served.read(served.app.predictions_topic)[0]
    value = bytearray(first.value() or b"")
    place = 5 + 1 + 36  # the header, the length of the uuid, the uuid: then the prediction
    value[place + 7] ^= 0x80  # its sign
    served.write(served.app.predictions_topic, [{"key": first.key(), "value": bytes(value)}])
    served.write(served.app.event.topic, [{"key": b"bad", "value": b"no Avro"}])
    wrong = terminal("backtest", "--as-of", "live")
    assert wrong.code == 1
    assert f"1 records of {served.app.event.topic} cannot be decoded" in wrong.out
    assert "1 differ" in wrong.out
    assert str((first.key() or b"").decode()) in wrong.out


def test_what_cannot_be_played_is_explained(city: City, terminal: Terminal) -> None:
    """No model, a version that there is not, a span without events, a folder that holds none."""
    assert "--as-of live" in terminal("backtest").err
    nobody = terminal("backtest", "--model", "1a2b3c4")
    assert (nobody.code, "does not exist" in nobody.err) == (1, True)
    city.publish(V1)
    unknown = terminal("backtest", "--model", "9f9f9f9")
    assert (unknown.code, "no version is called" in unknown.err) == (2, True)
    nothing = terminal("backtest", "--model", V1, "--from", "2019-11", "--to", "2019-11")
    assert (nothing.code, "there are no events" in nothing.err) == (1, True)
    backwards = terminal("backtest", "--model", V1, "--from", "2019-12", "--to", "2019-11")
    assert backwards.code == 2
    empty = terminal("backtest", "--model", str(city.folder))
    assert (empty.code, "edml.json is missing" in empty.err) == (1, True)
    live = terminal("backtest", "--as-of", "live", "--data", str(city.folder))
    assert live.code == 2


def test_a_log_that_is_away_is_told(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every command that looks back says that nobody answers, and where."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
    monkeypatch.setenv("EDML_BOOTSTRAP_SERVERS", address)
    monkeypatch.setattr(spans, "TIMEOUT_S", 1.0)  # nobody comes, however long is waited
    for words in (
        ("backtest", "--model", "1a2b3c4"),
        ("explain", "nobody"),
        ("report", "--output", str(tmp_path / "report.html")),
    ):
        answer = terminal(*words)
        assert (answer.code, address in answer.err) == (1, True), answer.err
        assert "edml up" in answer.err
