import polars as pl
import pytest

from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"


def test_errors_are_shown_by_version_segment_and_window(city: City, terminal: Terminal) -> None:
    """What is shown is what a batch computation over the scored predictions gives."""
    city.publish(V1)
    assert "Nothing is scored yet" in terminal("scores").out
    city.pick_up(trips(100))
    city.drop_off(trips(100))
    with city.serving(), city.scoring():
        eventually(lambda: count(terminal) == 100)
    (row,) = terminal("scores", "--json").document["scores"]
    scored = pl.DataFrame(
        terminal("query", "--json", f"FROM {sql_name(city.app.scored_topic)}").document
    )
    assert scored.height == 100
    rmse = scored.select((pl.col("error") ** 2).mean().sqrt()).item()
    assert row["rmse"] == pytest.approx(rmse, abs=1e-9)
    assert row["bias"] == pytest.approx(scored["error"].mean(), abs=1e-9)
    by_segment = terminal("scores", "--json", "--by", "segment").document["scores"]
    assert {each["segment"]: each["count"] for each in by_segment} == dict(
        scored.group_by("segment").len().iter_rows()
    )
    assert V1 in terminal("scores").out
    assert "not all windows are complete" in terminal("scores", "--by", "window").out
    assert "None of" in terminal("scores", "--complete").out


def count(terminal: Terminal) -> int:
    """How many predictions are scored."""
    return sum(each["count"] for each in terminal("scores", "--json").document["scores"])


def sql_name(topic: str) -> str:
    """What a topic is called in SQL."""
    return topic.replace(".", "_").replace("-", "_")
