"""What a person may choose of how the network learns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ENOUGH_EXAMPLES: Final = 2_400_000
MOST_EPOCHS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """How the network is made and trained; the defaults were found on rows held back from training.

    The network sees all rows ``epochs`` times, or ``examples`` rows in total; by default 2.4
    million, each at most 30 times. ``held_back`` is the last share of the rows: the epoch that is
    best on it is kept. ``intervals`` are those of each number, between its quantiles. ``ridge`` and
    ``folds`` are those of the wide part; ``members`` is the number of towers in the deep part,
    ``hidden`` the width of each one's layers.
    """

    epochs: int | None = None
    examples: int | None = None
    batch_size: int = 512
    seed: int = 20191128
    held_back: float = 0.1
    members: int = 2
    hidden: Sequence[int] = (64, 32)
    intervals: int = 40
    ridge: float = 4.0
    folds: int = 10
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    dropout: float = 0.05

    def passes(self, rows: int) -> int:
        """How often the network sees each of so many rows.

        >>> Hyperparameters().passes(200_000), Hyperparameters().passes(100)
        (12, 30)
        """
        if self.epochs is not None:
            return self.epochs
        if self.examples is not None:
            return -(-self.examples // rows)
        return min(MOST_EPOCHS, -(-ENOUGH_EXAMPLES // rows))
