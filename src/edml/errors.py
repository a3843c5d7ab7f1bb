"""Every error that a user can meet, and what to do about it.

A message says what happened, where, and what to do:

>>> print(
...     DataError(
...         "column 'trip_distance' is missing",
...         where="yellow_2019-04.parquet",
...         todo="fetch the month again with `edml data fetch`",
...     )
... )
column 'trip_distance' is missing
  where: yellow_2019-04.parquet
  to do: fetch the month again with `edml data fetch`
"""


class EdmlError(Exception):
    """What happened, where, and what to do; the command line exits with its ``exit_code``."""

    exit_code = 1
    leaves_threads = False
    """Whether something of this process may never end, so that its end must wait for nothing."""

    def __init__(self, what: str, *, where: str | None = None, todo: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  where: {self.where}")
        if self.todo is not None:
            lines.append(f"  to do: {self.todo}")
        return "\n".join(lines)


class UsageError(EdmlError):
    """The command was called wrongly: an unknown option, a date that is none."""

    exit_code = 2


class SettingsError(EdmlError):
    """A setting in the environment or in ``edml.toml`` is unknown or has a wrong value."""

    exit_code = 2


class DeclarationError(EdmlError):
    """An application is declared wrongly; raised where it is declared, at import."""


class FeatureError(EdmlError):
    """A feature function failed, or lost or reordered rows."""


class DataError(EdmlError):
    """History cannot be read: a file, a column or a month is missing or malformed."""


class DownloadError(EdmlError):
    """Something could not be downloaded, or is not what was asked for (sha256)."""


class EmbeddedLogError(EdmlError):
    """The embedded Kafka or registry cannot be started, reached or stopped."""


class LogError(EdmlError):
    """The Kafka cluster refuses or cannot be reached."""


class OvertakenError(LogError):
    """Another one governs an application's roles by now: look again at what is left to do."""


class TopicError(LogError):
    """A topic is missing, or is not what its readers and writers rely on."""


class RegistryUnavailableError(EdmlError):
    """The schema registry does not answer. A reason to pause, never to drop a record."""


class SchemaError(EdmlError):
    """The registry refuses a schema: it is invalid, or incompatible with the ones before it."""


class ModelRefusedError(EdmlError):
    """A model is not what it says, or does not fit the application; the cause is in the message."""


class NoChampionError(EdmlError):
    """There are events to be predicted, but no model to predict them with."""


class TrainingError(EdmlError):
    """A model cannot be trained: no rows, no finite loss, a checkpoint that does not fit."""
