"""The demo's own home: a log of its own, so that it neither needs nor touches anybody else's."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edml.errors import EdmlError
from edml.settings import ENVIRONMENT_PREFIX, Settings

LOCK_FILE: Final = "demo.lock"


class HomeError(EdmlError):
    """The demo's home cannot be used: another demo has it, or it holds something else."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory that holds all that a demo makes, until the next one begins."""

    directory: Path
    jars: Path

    @classmethod
    def below(cls, settings: Settings) -> "Home":
        """``demo`` in the home of ``settings``; Kafka's program files are those of everybody."""
        return cls((settings.home / "demo").absolute(), settings.jars_directory.absolute())

    @property
    def logs(self) -> Path:
        """What the commands say that the demo runs."""
        return self.directory / "logs"

    @property
    def trips(self) -> Path:
        """The simulated data."""
        return self.directory / "data"

    @property
    def config(self) -> Path:
        """The demo's settings."""
        return self.directory / "edml.toml"

    def model(self, number: int) -> Path:
        """The artefact of a training."""
        return self.directory / f"model-{number}"

    @property
    def environment(self) -> Mapping[str, str]:
        """Our environment, but for the settings; TensorFlow is told to say less."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIX)}
        return {**kept, "EDML_CONFIG": str(self.config), "TF_CPP_MIN_LOG_LEVEL": "3"}

    @property
    def settings(self) -> Settings:
        """The demo's settings, as its commands read them."""
        return Settings.read(self.environment)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the home for one demo. Raises `HomeError` when another one has it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if any(self.directory.iterdir()) and not (self.directory / LOCK_FILE).exists():
            raise HomeError(
                "the demo's home holds something that no demo has made",
                where=str(self.directory),
                todo="move it away, or set EDML_HOME to another directory",
            )
        with (self.directory / LOCK_FILE).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise HomeError(
                    "a demo runs already",
                    where=str(self.directory),
                    todo="end it with Ctrl-C in its terminal, or set EDML_HOME to another folder",
                ) from error
            yield

    def clear(self) -> None:
        """Forget the demo before: what is on the log, models, data, logs."""
        for each in self.directory.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            elif each.name != LOCK_FILE:
                each.unlink()
        # A text in JSON's quotes is one in TOML's, too.
        home, jars = json.dumps(str(self.directory)), json.dumps(str(self.jars))
        self.config.write_text(f"home = {home}\njars = {jars}\n", encoding="utf-8")
