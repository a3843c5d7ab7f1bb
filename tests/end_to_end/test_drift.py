"""The demo of a city that changes, from its start to the last process's end."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.demo import LONG_S, Demo


def rmse(days: list[dict[str, Any]]) -> float:
    """That of the answers on some days."""
    squares, counts = ([each["rmse"] ** 2 for each in days], [each["count"] for each in days])
    return float(np.average(squares, weights=counts) ** 0.5)


@pytest.mark.long
@pytest.mark.timeout(LONG_S)
def test_the_loop_notices_learns_tries_and_promotes(home: Path, jars: Path, tmp_path: Path) -> None:
    """By itself, after the city has changed; every event is predicted once all the while."""
    document = tmp_path / "drift.json"
    demo = Demo(home, jars, "--drift", "--json", str(document), quick=False)
    assert demo.end() == 0, demo.said
    written = json.loads(document.read_text())
    assert written["events"] == written["predictions"] + written["dead_letters"]
    kinds = [each["kind"] for each in written["releases"]]
    course = ["promoted", "alarmed", "requested", "training", "retrained", "challenging"]
    firsts = [kinds.index(kind) for kind in course]
    assert firsts == sorted(firsts)
    assert kinds.index("promoted", firsts[-1]) > firsts[-1]
    alarm = next(each for each in written["releases"] if each["kind"] == "alarmed")
    assert alarm["event_time"] > "2020-03-22"
    promoted = [each for each in written["releases"] if each["kind"] == "promoted"][-1]
    days = [each for each in written["days"] if each["day"] > alarm["event_time"][:10]]
    before = [each for each in days if each["day"] < promoted["event_time"][:10]]
    after = [each for each in days if each["day"] > promoted["event_time"][:10]]
    assert rmse(after) < rmse(before)
    assert "What the loop did, by the days of the events:" in demo.said
    assert demo.running == {}
    assert demo.open_ports == set()
