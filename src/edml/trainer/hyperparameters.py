"""What a person may choose of how the network learns; the defaults were found on held-back rows."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """How the network is made and trained.

    ``held_back`` is the last share of the training rows that only tells when to stop. ``intervals``
    are those of each number, between quantiles. ``ridge`` and ``folds`` are those of the wide part.
    """

    epochs: int = 6
    batch_size: int = 512
    seed: int = 20191128
    held_back: float = 0.1
    members: int = 4
    hidden: Sequence[int] = (64, 32)
    intervals: int = 12
    ridge: float = 12.0
    folds: int = 5
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
