"""How model versions are named: ``<package version>-<UTC yyyymmddHHMMSS>-<git sha1, 7>[-<N>]``."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edml.errors import UsageError

NO_COMMIT: Final = "0" * 40
"""Stands for the commit outside of a git repository."""

_TIME: Final = "%Y%m%d%H%M%S"
_PATTERN: Final = re.compile(
    r"(?P<package>[0-9A-Za-z.+!_]+)-(?P<at>\d{14})-(?P<commit>[0-9a-f]{7})(?:-(?P<training>\d+))?"
)


@dataclass(frozen=True)
class Version:
    """The name of a model: which code trained it, when, and how often before.

    >>> str(Version("0.1.0", datetime(2019, 11, 28, 14, 30, tzinfo=UTC), "1a2b3c4", 2))
    '0.1.0-20191128143000-1a2b3c4-2'
    """

    package: str
    trained_at: datetime
    commit: str
    training: int = 1
    """1 for the first training of the commit; only later ones show it."""

    def __str__(self) -> str:
        """Write the version as it stands on the log."""
        number = f"-{self.training}" if self.training > 1 else ""
        at = self.trained_at.astimezone(UTC).strftime(_TIME)
        return f"{self.package}-{at}-{self.commit[:7]}{number}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read a version.

        Raises:
            UsageError: the text is no version.
        """
        refusal = UsageError(
            f"{text!r} is not a model's version",
            todo="give one such as 0.1.0-20191128143000-1a2b3c4; `edml models` lists them",
        )
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise refusal
        try:
            at = datetime.strptime(match["at"], _TIME).replace(tzinfo=UTC)
        except ValueError:
            raise refusal from None
        return cls(match["package"], at, match["commit"], int(match["training"] or 1))

    @classmethod
    def following(
        cls, known: Iterable[str], *, package: str, trained_at: datetime, commit: str
    ) -> "Version":
        """The version of a new training: the first, or the next one, of its commit among the known.

        >>> now = datetime(2019, 11, 29, tzinfo=UTC)
        >>> known = ["0.1.0-20191128143000-1a2b3c4"]
        >>> Version.following(known, package="0.1.0", trained_at=now, commit="1a2b3c4").training
        2
        """
        same = [
            version.training for version in map(cls.parse, known) if version.commit == commit[:7]
        ]
        return cls(package, trained_at, commit[:7], max(same, default=0) + 1)


def current_commit(folder: Path) -> str:
    """The commit checked out in ``folder``, 40 hexadecimal digits; `NO_COMMIT` outside of git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],  # noqa: S607  git is where PATH says
            cwd=folder,
            capture_output=True,
            check=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return NO_COMMIT
    return found.stdout.strip()
