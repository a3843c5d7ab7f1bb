from dataclasses import replace

import pytest

from bench.drift.rates import DENSE, delays, false_alarms, input_alarms
from bench.drift.streams import Stream
from edml.apps.taxi import taxi
from edml.monitoring.blocks import from_errors


def test_sums_are_drawn_as_errors_would_add_up() -> None:
    """However dense a stream is: its count, mean error and mean square are those of its errors."""
    stream = Stream(per_hour=400, day=0.0, bias=1.0, change=0)
    drawn = stream.windows(20, 1, taxi)
    added_up = from_errors(stream.errors(20, 2), taxi, "v1")
    for segment in ("centre", "airport"):
        one, other = (
            each.filter(segment=segment)
            .select("count", "sum_clipped_error", "sum_clipped_squared")
            .sum()
            .row(0)
            for each in (drawn, added_up)
        )
        assert one[0] == pytest.approx(other[0], rel=0.03)
        assert one[1] / one[0] == pytest.approx(other[1] / other[0], abs=0.2)
        assert one[2] / one[0] == pytest.approx(other[2] / other[0], rel=0.1)


def test_rates_and_delays_are_counted() -> None:
    """On one stream of each kind."""
    assert false_alarms(DENSE, 1, 90)["alarms"] == 0
    assert 3 < delays(replace(DENSE, bias=4.0), 1)["median"] < 8
    assert input_alarms(120, 1) == []
    assert input_alarms(120, 1, moved=1.4) != []
