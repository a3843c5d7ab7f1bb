"""Months, days and times as a person writes them."""

from datetime import UTC, datetime, timedelta, timezone

import click
import pytest

from edml.cli.dates import Moment


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2019-11", datetime(2019, 11, 1, tzinfo=UTC), datetime(2019, 12, 1, tzinfo=UTC)),
        ("2019-11-28", datetime(2019, 11, 28, tzinfo=UTC), datetime(2019, 11, 29, tzinfo=UTC)),
    ],
)
def test_what_is_named_last_is_included(text: str, first: datetime, last: datetime) -> None:
    """A month and a day begin and end at midnight, UTC."""
    assert Moment("first").convert(text, None, None) == first
    assert Moment("last").convert(text, None, None) == last


def test_a_time_is_what_it_says() -> None:
    """In its own zone, or else in UTC; at either end."""
    for which in (Moment("first"), Moment("last")):
        assert which.convert("2019-11-28T14:30", None, None) == datetime(
            2019, 11, 28, 14, 30, tzinfo=UTC
        )
        there = datetime(2019, 11, 28, 14, 30, tzinfo=timezone(timedelta(hours=1)))
        assert which.convert("2019-11-28T14:30+01:00", None, None) == there


@pytest.mark.parametrize("text", ["2019-13", "yesterday", "2019-11-28T25:00"])
def test_what_is_none_is_refused(text: str) -> None:
    """With how to write it."""
    with pytest.raises(click.BadParameter, match="write it as"):
        Moment("first").convert(text, None, None)
