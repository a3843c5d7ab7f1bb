"""A terminal in which tests type commands of `edml`, in this very process."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from edml.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What was printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """Runs commands with the settings of a city."""

    captured: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Answer:
        """Type a command."""
        self.captured.readouterr()
        code = 0
        try:
            main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = self.captured.readouterr()
        return Answer(code, printed.out, printed.err)
