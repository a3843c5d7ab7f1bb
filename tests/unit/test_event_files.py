from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from edml.application import dtypes_of
from edml.errors import DataError
from edml.serving.event_files import CAUSE, read_events, write_frame
from tests.parcels import HandedOver

AT = datetime(2026, 1, 1, 8, tzinfo=UTC)
PARCELS = pl.DataFrame(
    {
        "handed_over_at": [AT, AT],
        "parcel": ["a", "b"],
        "depot": ["Bonn", "Kiel"],
        "service": ["express", "standard"],
        "weight_kg": [1.5, None],
    },
    schema=dtypes_of(HandedOver),
)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_events_are_read_as_they_were_written(suffix: str, tmp_path: Path) -> None:
    """Whatever the file, the events have their own types, and nothing against them."""
    path = tmp_path / f"parcels.{suffix}"
    write_frame(PARCELS, path)
    found = read_events(path, HandedOver)
    assert found.drop(CAUSE).equals(PARCELS)
    assert found[CAUSE].null_count() == 2


def test_what_is_wrong_with_a_row_is_told(tmp_path: Path) -> None:
    """Each bad row has its cause, and the others stay."""
    path = tmp_path / "parcels.csv"
    path.write_text(
        "parcel,handed_over_at,depot,service,weight_kg\n"
        "a,2026-01-01T08:00:00,Bonn,express,1\n"
        "b,yesterday,Bonn,express,1\n"
        "c,2026-01-01T08:00:00+01:00,Bonn,express,heavy\n"
        ",2026-01-01T08:00:00,Bonn,express,1\n"
    )
    assert read_events(path, HandedOver)[CAUSE].to_list() == [
        None,
        "handed_over_at is not of type Datetime(time_unit='us', time_zone='UTC')",
        "weight_kg is not of type Float64",
        "parcel is missing",
    ]


def test_lines_that_are_no_objects_are_told(tmp_path: Path) -> None:
    """A line that was cut off does not hide its neighbours."""
    path = tmp_path / "parcels.jsonl"
    write_frame(PARCELS, path)
    path.write_text(path.read_text() + '{"parcel": "c"\n[1]\n')
    assert read_events(path, HandedOver)[CAUSE].to_list() == [
        None,
        None,
        "not a JSON object",
        "not a JSON object",
    ]


def test_a_field_that_may_be_null_may_be_missing(tmp_path: Path) -> None:
    """Other fields may not."""
    path = tmp_path / "parcels.parquet"
    PARCELS.drop("weight_kg").write_parquet(path)
    assert read_events(path, HandedOver)["weight_kg"].to_list() == [None, None]
    PARCELS.drop("depot", "service").write_parquet(path)
    with pytest.raises(DataError, match="columns are missing: depot, service"):
        read_events(path, HandedOver)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """No file, no such type, no such content: each is a message."""
    with pytest.raises(DataError, match=r"type '\.xlsx' are not known"):
        read_events(tmp_path / "parcels.xlsx", HandedOver)
    for suffix in ("parquet", "csv", "jsonl"):
        with pytest.raises(DataError, match="cannot be read"):
            read_events(tmp_path / f"nowhere.{suffix}", HandedOver)
    (tmp_path / "parcels.parquet").write_text("no Parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read_events(tmp_path / "parcels.parquet", HandedOver)
