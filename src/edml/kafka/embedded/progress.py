"""What a person sees while the log is fetched and started."""

from typing import Protocol


class Progress(Protocol):
    """Told what is being done; a terminal shows it."""

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """A new step begins; ``total_bytes`` says how much will be downloaded in it."""

    def advance(self, arrived_bytes: int) -> None:
        """Some more bytes of the step have arrived."""

    def say(self, text: str) -> None:
        """Something happened that a person should know of."""


class Silence:
    """Shows nothing."""

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """Show nothing."""

    def advance(self, arrived_bytes: int) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""
