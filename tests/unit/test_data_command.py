import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edml.cli.data import command
from edml.errors import EdmlError, UsageError


def data(*arguments: str) -> Result:
    """Call ``edml data`` and give back what it printed."""
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine is at hand."""
    monkeypatch.chdir(tmp_path)
    for name in ("EDML_DATA", "EDML_HOME", "EDML_APP", "EDML_APPLICATION"):
        monkeypatch.delenv(name, raising=False)


def test_months_are_simulated_and_described() -> None:
    """What is written can be described at once, and the figures are those of a city."""
    made = data("simulate", "--from", "2019-11", "--to", "2019-11", "--per-day", "100")
    assert "Simulated events of 2019-11 are in .edml/data" in made.output
    told = data(
        "describe", "--data", ".edml/data", "--from", "2019-11", "--to", "2019-11", "--json"
    )
    facts = json.loads(told.output)
    assert facts["source"] == ".edml/data"
    assert 2700 < facts["events"] < 3300
    assert 0.99 < facts["counting"] / facts["events"] <= 1
    assert 8 < facts["label_quantiles"]["50.0%"] < 14


def test_a_simulation_tells_its_options_as_json(tmp_path: Path) -> None:
    """Whoever reads the files knows which world they are from."""
    told = data(
        *("simulate", "--from", "2020-03", "--to", "2020-04", "--per-day", "5", "--seed", "7"),
        *("--regime-change", "2020-03-22", "--output", str(tmp_path / "city"), "--json"),
    )
    assert json.loads(told.stdout) == {
        "files": [
            str(tmp_path / "city" / f"yellow_tripdata_{month}.parquet")
            for month in ("2020-03", "2020-04")
        ],
        "per_day": 5,
        "seed": 7,
        "regime_change": "2020-03-22",
    }


def test_a_description_is_readable() -> None:
    """Causes and counts are in a table, and where the events are from."""
    told = data("describe", "--from", "2019-11-03", "--to", "2019-11-03")
    assert "simulated city" in told.output
    assert "across a clock change" in told.output
    assert "trip_duration" in told.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("fetch",),
        ("fetch", "--from", "2019-01"),
        ("fetch", "--month", "2019-01", "--from", "2019-01", "--to", "2019-02"),
    ],
)
def test_months_to_fetch_have_to_be_said(arguments: tuple[str, ...]) -> None:
    """Without months, or with two ways of naming them, the usage is told."""
    with pytest.raises(UsageError, match="which months"):
        data(*arguments)


def test_fetching_where_nothing_answers_is_one_clear_error() -> None:
    """The address, and what to see to."""
    with pytest.raises(EdmlError, match="the download fails"):
        data("fetch", "--month", "2019-04", "--from-url", "http://127.0.0.1:9")
