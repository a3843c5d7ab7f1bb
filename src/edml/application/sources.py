"""How one comes by a past that one does not have: files to download, or a simulation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from edml.errors import DeclarationError

MONTH: Final = "{month}"
"""Stands in a path for a month, such as 2019-04."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Which world is simulated: the same values give the same events.

    From ``regime_change`` on, the first day of it included, the world is another one, so that
    models age.
    """

    per_day: int = 1_000
    seed: int = 1
    regime_change: date | None = None


class Simulate(Protocol):
    """Writes files of simulated events that the application's ``history`` reads."""

    def __call__(
        self, folder: Path, start: date, end: date, simulation: Simulation
    ) -> Iterator[Path]:
        """Write the months that ``[start, end)`` touches; give back each file once it is there.

        Months are written as a whole, so that a file is the same whichever others are asked for.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """Files that somebody publishes below ``url``: some for each month, and some but ``once``."""

    url: str
    monthly: Sequence[str]
    once: Sequence[str] = ()

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise DeclarationError(f"downloads.url is {self.url!r}: expected an http address")
        if not self.monthly or not all(MONTH in path for path in self.monthly):
            raise DeclarationError(
                f"downloads.monthly is {list(self.monthly)!r}: expected paths that hold '{MONTH}'"
            )

    def paths(self, months: Sequence[str]) -> list[str]:
        """The paths, below the URL, of everything that these months need."""
        return [
            *self.once,
            *(path.replace(MONTH, month) for month in months for path in self.monthly),
        ]
