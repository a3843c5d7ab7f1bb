"""How good predictions are: RMSE, MAE and bias, of all rows, of parts of them, and of baselines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application
from edml.trainer.dataset import Examples, hours
from edml.trainer.season import HeldOut

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """Of so many rows: the root of the mean squared error, the mean absolute error, the mean error.

    An error is prediction minus label: a positive bias says that predictions are too high.
    """

    rows: int
    rmse: float
    mae: float
    bias: float

    def named(self, prefix: str = "") -> dict[str, float]:
        """The figures by name, such as ``<prefix>rmse``."""
        return {
            f"{prefix}rmse": self.rmse,
            f"{prefix}mae": self.mae,
            f"{prefix}bias": self.bias,
            f"{prefix}rows": float(self.rows),
        }


@dataclass(frozen=True)
class Evaluation:
    """A model on the rows held out: as a whole, by segment, by hour, and beside its baselines.

    ``season`` is what its errors are compared with once it is live; see `edml.trainer.season`.
    """

    whole: Score
    baselines: Mapping[str, Score]
    segments: Mapping[str, Score]
    hours: Mapping[str, Score]
    season: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        """All figures by name: ``rmse``, ``baseline.mean.rmse``, ``segment.Queens.bias``, …."""
        return self.whole.named() | dict(self._parts()) | dict(self.season)

    def _parts(self) -> Iterator[tuple[str, float]]:
        parts = {"baseline": self.baselines, "segment": self.segments, "hour": self.hours}
        for part, scores in parts.items():
            for name, found in scores.items():
                yield from found.named(f"{part}.{name}.").items()


def evaluate(
    application: Application,
    tested: Examples,
    predictions: Numbers,
    baselines: Mapping[str, Numbers],
) -> Evaluation:
    """Compare a model's and its baselines' predictions with what came true."""
    season = HeldOut.of(
        tested.events[application.event.time],
        tested.features[application.segment],
        predictions - tested.labels,
        application.clip,
        application.policy.block,
    )
    return Evaluation(
        whole=score(tested.labels, predictions),
        baselines={name: score(tested.labels, each) for name, each in baselines.items()},
        segments=_by(tested.features[application.segment], tested.labels, predictions),
        hours=_by(hours(application, tested.events), tested.labels, predictions),
        season=season.metrics(),
    )


def score(labels: Numbers, predictions: Numbers) -> Score:
    """Compare predictions with labels.

    >>> score(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    Score(rows=2, rmse=1.0, mae=1.0, bias=1.0)
    """
    errors = predictions - labels
    return Score(
        rows=len(errors),
        rmse=float(np.sqrt(np.mean(errors**2))),
        mae=float(np.mean(np.abs(errors))),
        bias=float(np.mean(errors)),
    )


def _by(part: pl.Series, labels: Numbers, predictions: Numbers) -> dict[str, Score]:
    frame = pl.DataFrame({"part": part, "label": labels, "prediction": predictions})
    known = frame.drop_nulls("part").sort("part")
    return {
        str(value): score(group["label"].to_numpy(), group["prediction"].to_numpy())
        for (value,), group in known.group_by("part", maintain_order=True)
    }
