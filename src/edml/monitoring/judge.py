"""The judge: is the version on trial better than the other, on the same events?

Of each block, the gain is the difference of the clipped squared errors over their mean: a share
between -2 and 2, so that hard days weigh no more than easy ones. What makes one day hard makes it
hard for both, so little is left but what tells them apart.

The test is anytime-valid: it is looked at with each block, for as long as one likes, and yet a
version that is no better is promoted with a probability of ``promote_error`` at the most (Ville
1939). It is the invariant likelihood ratio of a mean in units of its own, unknown spread
(Pérez-Ortiz et al., "E-statistics, group invariance and anytime-valid testing", 2022; Wang &
Ramdas, "Anytime-valid t-tests and confidence sequences", 2024): gains are taken to be normal, and
nothing is taken to be known of their spread. Days in a row are alike: of a gain, the part that the
day before announces does not count (`CORRELATION`); nor does a thin day count in full (`THIN`).

What renews the champion is made by the champion's own recipe, which has won such a test, and knows
more. So it has nothing to prove, and takes over once the mean of its gains, weighted in the same
way, is not below 0; a test as above would take weeks to tell two such models apart.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Policy
from edml.monitoring.blocks import START

Numbers = NDArray[np.float64]

Kind = Literal["promote", "wait", "drop"]

CORRELATION: Final = 0.6
"""Of the gains of two days in a row, without what is chance in them: as measured on taxi trips."""

THIN: Final = 100.0
"""In a block of so many events, the gain varies by chance as much as it does from day to day."""

FUTILITY: Final = 0.1
"""How probably a version is dropped early though it is better by `WORTHWHILE`, at the most."""

WORTHWHILE: Final = 0.02
"""The least gain that is worth a promotion: 2% of the squared error, 1% of the RMSE."""

EFFECTS: Final = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
"""By how many spreads each bet takes the mean to be above the limit: they share the capital."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_REACH: Final = 9.0
_NONE: Final = 1e-9
_MOST: Final = 1e12


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the blocks from ``start`` to ``end`` say of a version on trial, and why.

    ``statistic`` is the evidence that it is better, decided at ``threshold``; of a renewal, it is
    the weighted mean of its gains. ``figures`` are the mean ``gain`` (a share of the squared
    error), both RMSE of clipped errors, the evidence ``against`` a worthwhile gain (of a renewal:
    that it is worse), and the ``change`` of the mean prediction, as a share of it.
    """

    kind: Kind
    cause: str
    statistic: float
    threshold: float
    blocks: int
    start: datetime | None
    end: datetime | None
    figures: dict[str, float] = field(default_factory=dict)


def verdict(paired: pl.DataFrame, policy: Policy, *, renews: bool = False) -> Trial:
    """What is decided, at the first block at which anything is; later blocks change nothing.

    Args:
        paired: See `edml.monitoring.blocks.paired`; in any order. A block whose sums are no
            numbers, or that is empty, is left out.
        policy: The least and the longest time of a trial, and the probability of error.
        renews: Whether the version on trial takes over when it has done no worse than the other.
    """
    sums = [name for name in paired.columns if name not in {START, "count"}]
    sound = pl.all_horizontal(pl.col("count") > 0, pl.col(*sums).is_finite())
    blocks = paired.filter(sound).sort(START)
    starts: list[datetime] = blocks[START].to_list()
    gains = _gains(blocks)
    follows = np.array(
        [later == earlier + policy.block for earlier, later in pairwise(starts)],
        dtype=np.bool_,
    )
    counts = blocks["count"].cast(pl.Float64).to_numpy()
    better = mean(gains, follows, counts) if renews else evidence(gains, follows, counts)
    worse = evidence((0 if renews else WORTHWHILE) - gains, follows, counts)
    threshold = 0.0 if renews else 1 / policy.promote_error
    decided = _renewed if renews else _decided
    kind: Kind = "wait"
    cause, last = "nothing has been seen yet", -1
    for last, start in enumerate(starts):
        lasted = start + policy.block - starts[0]
        kind, cause = decided(better[last], worse[last], threshold, lasted, policy)
        if kind != "wait":
            break
    seen = blocks[: last + 1]
    return Trial(
        kind=kind,
        cause=cause,
        statistic=float(better[last]) if starts else 0.0 if renews else 1.0,
        threshold=threshold,
        blocks=seen.height,
        start=starts[0] if starts else None,
        end=starts[last] + policy.block if starts else None,
        figures=_figures(seen, gains[: last + 1], float(worse[last])) if starts else {},
    )


def evidence(gains: Numbers, follows: NDArray[np.bool_], counts: Numbers | None = None) -> Numbers:
    """The e-process after each block that the mean of the gains is above 0.

    Of a hundred such processes, one comes above 100 at some time, or fewer, if the mean is 0 or
    less. The last axis of ``gains`` is that of the blocks; others hold trials side by side.
    ``follows`` tells, of each block but the first, whether it comes right after the one before.
    ``counts`` are the events of each block: a thin one says less, and announces less of the next;
    without them, all blocks are as good as blocks can be.
    """
    if not gains.shape[-1]:
        return np.ones_like(gains)
    own, part = _news(gains, follows, counts)
    scale = np.sqrt(np.cumsum(own**2, axis=-1))
    ratio = np.cumsum(part * own, axis=-1) / np.maximum(scale, _NONE)
    number = np.arange(1, gains.shape[-1] + 1)
    return _likelihood_ratio(number, np.cumsum(part**2), ratio)


def mean(gains: Numbers, follows: NDArray[np.bool_], counts: Numbers | None = None) -> Numbers:
    """The mean of the gains after each block, each weighted as in `evidence`."""
    if not gains.shape[-1]:
        return np.zeros_like(gains)
    own, part = _news(gains, follows, counts)
    means: Numbers = np.cumsum(part * own, axis=-1) / np.cumsum(part**2)
    return means


def _news(
    gains: Numbers, follows: NDArray[np.bool_], counts: Numbers | None
) -> tuple[Numbers, Numbers]:
    """What each block has of its own, and what a gain of 1 would make of that.

    Its unit is such that the spread is the same for all blocks.
    """
    count = np.full(gains.shape[-1], np.inf) if counts is None else counts
    sure = 1 / (1 + THIN / count)
    first = np.sqrt(1 - CORRELATION**2)
    adjoins = np.concatenate([[False], follows])
    announced = np.where(adjoins, CORRELATION * np.concatenate([[0.0], sure[:-1]]), 0.0)
    before = np.concatenate([np.zeros_like(gains[..., :1]), gains[..., :-1]], axis=-1)
    unit = np.sqrt(sure) * np.where(adjoins, 1.0, first)
    own = unit * (gains - announced * before)
    return own, unit * (1 - announced)


def _likelihood_ratio(number: NDArray[np.int64], weight: Numbers, ratio: Numbers) -> Numbers:
    """The likelihood ratio of the maximal invariant, as the mean over `EFFECTS`.

    With the spread integrated out by its right Haar measure it is, for an effect of d,
    exp(-d² weight / 2) E[exp(d ratio v)], where v has the chi distribution of ``number`` degrees of
    freedom; the expectation is a Gauss-Legendre sum around the integrand's peak.
    """
    tilt = (EFFECTS * ratio[..., None])[..., None]
    degrees = (number - 1.0)[:, None, None]
    peak = (tilt + np.sqrt(tilt**2 + 4 * degrees)) / 2
    lowest, highest = np.maximum(peak - _REACH, 0), np.maximum(peak, 0) + _REACH
    v = (highest + lowest) / 2 + (highest - lowest) / 2 * _NODES
    log_chi = np.array([(n / 2 - 1) * np.log(2) + math.lgamma(n / 2) for n in number.tolist()])
    exponent = degrees * np.log(v) - v**2 / 2 + tilt * v - log_chi[:, None, None]
    exponent -= (EFFECTS**2 * weight[:, None] / 2)[..., None]
    terms = np.exp(exponent) * _WEIGHTS * (highest - lowest) / 2
    ratios: Numbers = np.minimum(terms.sum(axis=-1).mean(axis=-1), _MOST)
    return ratios


def _decided(
    better: float, worse: float, threshold: float, lasted: timedelta, policy: Policy
) -> tuple[Kind, str]:
    least, longest = policy.trial
    if lasted < least:
        return "wait", f"a trial takes {_days(least)} at least"
    if better >= threshold:
        return "promote", "it is better"
    if worse >= 1 / FUTILITY:
        return "drop", f"it is not better by {WORTHWHILE:.0%} of the squared error"
    if lasted >= longest:
        return "drop", f"it has not shown within {_days(longest)} that it is better"
    return "wait", "it has not shown yet whether it is better"


def _renewed(
    gain: float, worse: float, threshold: float, lasted: timedelta, policy: Policy
) -> tuple[Kind, str]:
    """Whether a renewal takes over. It is over when the next one is due, that knows more."""
    least, longest = policy.trial
    if lasted < least:
        return "wait", f"a trial takes {_days(least)} at least"
    if worse >= 1 / FUTILITY:
        return "drop", "a renewal: it is worse"
    if gain >= threshold:
        return "promote", f"a renewal: it has done no worse in {_days(lasted)}"
    if lasted >= min(longest, max(least, policy.rest)):
        return "drop", f"a renewal: it has done worse in {_days(lasted)}"
    return "wait", "a renewal: it has done worse, by no more than chance"


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):g} days"


def _gains(blocks: pl.DataFrame) -> Numbers:
    """By how much the version on trial has the smaller squared error, as a share of both's mean."""
    both = pl.col("tried_squared") + pl.col("against_squared")
    gain = pl.when(both > 0).then(2 * (pl.col("against_squared") - pl.col("tried_squared")) / both)
    return blocks.select(gain.otherwise(0.0).cast(pl.Float64)).to_series().to_numpy()


def _figures(blocks: pl.DataFrame, gains: Numbers, worse: float) -> dict[str, float]:
    sums = blocks.sum().row(0, named=True)
    count = sums["count"]
    against = sums["against_prediction"]
    return {
        "events": float(count),
        "gain": float(gains.mean()),
        "rmse": float(np.sqrt(sums["tried_squared"] / count)),
        "rmse_against": float(np.sqrt(sums["against_squared"] / count)),
        "bias": sums["tried_error"] / count,
        "bias_against": sums["against_error"] / count,
        "against": worse,
        "change": (sums["tried_prediction"] - against) / abs(against) if against else 0.0,
    }
