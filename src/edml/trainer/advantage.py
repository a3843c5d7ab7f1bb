"""Whether one model is better than another on the same rows, or only seems to be by chance.

Errors of neighbouring rows go together (the same rain slows all of them), so that a test which took
rows for independent would find differences everywhere. Here, rows are put together in blocks of
time, and a block is one observation: what one model's losses there exceed the other's by. The test
is by flipping signs (Fisher's randomisation test): were neither better, each block's difference
might as well have had the other sign. It takes no distribution for granted, of which heavy tails
would be the first victim.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

LEAST_BLOCKS: Final = 6
"""Fewer cannot tell: the least probability of six is 1 in 64."""

_FLIPS: Final = 20_000
_SEED: Final = 20191128


@dataclass(frozen=True, kw_only=True)
class Advantage:
    """What the tested model has over the other one: the RMSE of both, and how sure that is.

    RMSE is that of clipped errors, in the unit of the outcome. ``chance`` is the probability of
    as great an advantage by chance alone; 1 when there are too few ``blocks`` to tell.
    """

    rmse: float
    rmse_against: float
    blocks: int
    rows: int
    chance: float

    def figures(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "rmse": self.rmse,
            "rmse_champion": self.rmse_against,
            "blocks": self.blocks,
            "rows": self.rows,
            "chance": self.chance,
        }


def clipped_squares(labels: Numbers, predictions: Numbers, clip: float) -> Numbers:
    """The loss by which models are compared: squared errors, none of more than ``clip``.

    A prediction that is not a number is as wrong as can be.

    >>> clipped_squares(np.array([1.0, 1.0, 1.0]), np.array([3.0, 9.0, np.nan]), clip=4.0)
    array([ 4., 16., 16.])
    """
    errors = np.abs(predictions - labels)
    return np.where(errors < clip, errors, clip) ** 2


def advantage(losses: Numbers, against: Numbers, blocks: NDArray[np.int64]) -> Advantage:
    """Compare the losses of two models on the same rows, each of which lies in some block."""
    names, places = np.unique(blocks, return_inverse=True)
    gains = np.zeros(len(names))
    np.add.at(gains, places, against - losses)
    return Advantage(
        rmse=_root_mean(losses),
        rmse_against=_root_mean(against),
        blocks=len(names),
        rows=len(losses),
        chance=_chance(gains) if len(names) >= LEAST_BLOCKS else 1.0,
    )


def _chance(gains: Numbers) -> float:
    """How often flipped signs make the sum at least as large as it is; never none at all."""
    signs = np.random.default_rng(_SEED).choice([-1.0, 1.0], (_FLIPS, len(gains)))
    reached = np.count_nonzero(signs @ gains >= gains.sum() * (1 - 1e-12))
    return float((reached + 1) / (_FLIPS + 1))


def _root_mean(losses: Numbers) -> float:
    return float(np.sqrt(losses.mean())) if len(losses) else float("nan")
