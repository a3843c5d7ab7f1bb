from datetime import UTC, datetime, timedelta

import polars as pl

from edml.application import Policy
from edml.monitoring.outcomes import doubts

START = datetime(2020, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy(most_change=0.5)


def answers(*blocks: tuple[int, int, float], version: str = "v1") -> pl.DataFrame:
    """A block a day: predictions, how many have an outcome, and the mean error."""
    return pl.DataFrame(
        [
            {
                "version": version,
                "start": START + number * DAY,
                "predictions": predictions,
                "answered": answered,
                "count": answered,
                "sum_error": answered * error,
                "sum_prediction": answered * 12.0,
            }
            for number, (predictions, answered, error) in enumerate(blocks)
        ]
    )


def days(found: object) -> list[int]:
    """Which days are in doubt."""
    assert isinstance(found, dict)
    return [(start - START).days for start in found]


def test_outcomes_that_stop_are_missed() -> None:
    """Half of the usual share is too little, whatever is usual; few events tell nothing."""
    usual = [(100, 70, 0.1)] * 5
    seen = answers(*usual, (100, 40, 0.1), (100, 30, 0.1), (100, 0, 0.0), (10, 0, 0.0))
    found = doubts(seen, {}, POLICY)
    assert days(found) == [6, 7]
    assert found[START + 7 * DAY].cause == "0% of the predictions have an outcome"
    assert days(doubts(answers((100, 0, 0.0)), {}, POLICY)) == [0]


def test_outcomes_that_are_absurd_are_not_believed() -> None:
    """More than half of the mean prediction off, to either side."""
    seen = answers((100, 100, 5.0), (100, 100, -7.0), (100, 100, 7.0))
    found = doubts(seen, {}, POLICY)
    assert days(found) == [1, 2]
    assert "off by 58%" in found[START + DAY].cause


def test_a_model_that_has_gone_mad_is_no_reason_to_doubt() -> None:
    """Another one predicts the same outcomes well."""
    mad, sane = answers((100, 100, 900.0)), answers((100, 100, 1.0), version="v2")
    assert doubts(pl.concat([mad, sane]), {}, POLICY) == {}
    assert days(doubts(mad, {}, POLICY)) == [0]


def test_predictions_around_zero_are_measured_by_their_error() -> None:
    """Where the mean prediction is small beside what is usual, its share tells nothing."""
    seen = answers((100, 100, 7.0)).with_columns(sum_prediction=pl.lit(100.0))
    assert days(doubts(seen, {"v1": 15.0}, POLICY)) == []
    assert days(doubts(seen, {"v1": 2.0}, POLICY)) == [0]
