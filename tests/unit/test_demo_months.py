"""Which trips the demo uses."""

from pathlib import Path

import polars as pl
import pytest

from edml.demo.commands import Commands
from edml.demo.home import Home
from edml.demo.months import USUAL, Months, Split, before, split
from edml.demo.plan import Plan
from edml.demo.thinning import MOST, thinned
from edml.errors import DataError


def folder(path: Path, months: tuple[str, ...], rows: int = 1) -> Path:
    """A folder with a file for each month."""
    for month in months:
        pl.DataFrame({"trip": range(rows)}).write_parquet(path / f"yellow_tripdata_{month}.parquet")
    return path


def test_the_usual_months_are_taken_where_they_are(tmp_path: Path) -> None:
    """Whatever else lies in the folder."""
    months = Months("2018-01", "2020-06").each
    assert split(folder(tmp_path, months)) == USUAL


def test_other_months_are_parted_by_their_order(tmp_path: Path) -> None:
    """The last quarter happens again; the second version learns from all before, at most ten."""
    months = Months("2022-01", "2023-04").each
    assert split(folder(tmp_path, months)) == Split(
        little=Months("2022-12", "2022-12"),
        more=Months("2022-03", "2022-12"),
        live=Months("2023-01", "2023-04"),
    )


def test_what_comes_before_some_days_is_learnt() -> None:
    """Ten months at most, in a row, that end before the month of the first day."""
    live = Months("2020-02-15", "2020-05-15")
    assert before(live) == Split(
        little=Months("2019-04", "2020-01"), more=Months("2019-04", "2020-01"), live=live
    )
    there = ["2019-09", "2019-11", "2019-12", *Months("2020-01", "2020-06").each]
    assert before(live, there).little == Months("2019-11", "2020-01")
    assert before(live).all == Months("2019-04", "2020-05")
    with pytest.raises(DataError, match="the demo needs 2020-04, 2020-05"):
        before(live, ["2020-01", "2020-02", "2020-03"])


def test_only_months_in_a_row_are_taken(tmp_path: Path) -> None:
    """A model learns from a span of time, and so does a replay run."""
    there = folder(tmp_path, ("2018-05", "2019-11", "2019-12", "2020-01"))
    assert split(there).all == Months("2019-11", "2020-01")


def test_too_few_months_are_refused(tmp_path: Path) -> None:
    """With what there is, and what to do."""
    with pytest.raises(DataError, match="3 months in a row, and there are 2019-11, 2020-01"):
        split(folder(tmp_path, ("2019-11", "2020-01")))


def test_small_months_are_used_where_they_are(tmp_path: Path) -> None:
    """Nothing is copied."""
    data = folder(tmp_path, ("2019-11",))
    into = tmp_path / "thinned"
    assert thinned(data, Months("2019-11", "2019-11"), into, print) == data
    assert not into.exists()


def test_of_large_months_every_nth_row_is_taken(tmp_path: Path) -> None:
    """So that a demo on all trips of the city takes no longer; other months are left alone."""
    data = folder(tmp_path, ("2019-10", "2019-11"), rows=3 * MOST)
    into = tmp_path / "thinned"
    told: list[str] = []
    assert thinned(data, Months("2019-11", "2019-11"), into, told.append) == into
    (file,) = into.iterdir()
    assert pl.read_parquet(file)["trip"].to_list()[:3] == [0, 3, 6]
    assert told == ["taking 15,000 trips of the 45,000 of 2019-11"]


def test_two_records_are_replayed_for_each_event(tmp_path: Path) -> None:
    """The event and its outcome."""
    home = Home(tmp_path / "demo", tmp_path / "jars")
    replay = Commands(Plan(rate_per_s=300), home, tmp_path, USUAL).replay()
    assert replay[-2:] == ("--rate", "600")
