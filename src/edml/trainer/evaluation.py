"""How good predictions are: RMSE, MAE and bias, of all rows and of parts of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
        """The figures by name, ``rows`` among them."""
        return {
            f"{prefix}rmse": self.rmse,
            f"{prefix}mae": self.mae,
            f"{prefix}bias": self.bias,
            f"{prefix}rows": float(self.rows),
        }


def score(labels: Numbers, predictions: Numbers) -> Score:
    """Compare predictions with what came true."""
    errors = predictions - labels
    return Score(
        rows=len(errors),
        rmse=float(np.sqrt(np.mean(errors**2))),
        mae=float(np.mean(np.abs(errors))),
        bias=float(np.mean(errors)),
    )


def score_by(part: pl.Series, labels: Numbers, predictions: Numbers) -> Mapping[str, Score]:
    """The same for each value of ``part``, in order."""
    frame = pl.DataFrame({"part": part, "label": labels, "prediction": predictions})
    return {
        str(value): score(group["label"].to_numpy(), group["prediction"].to_numpy())
        for (value,), group in frame.sort("part").group_by("part", maintain_order=True)
    }
