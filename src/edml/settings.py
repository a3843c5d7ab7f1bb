"""The configuration: one frozen object, read once at the edge.

What is said later wins: the defaults, the embedded log that runs under ``EDML_HOME``, the file
``edml.toml``, the environment. `Settings.read` gives it back; everything else takes arguments.

>>> settings = Settings.read({"EDML_BOOTSTRAP_SERVERS": "kafka:9092", "EDML_KAFKA_LINGER_MS": "20"})
>>> settings.client(client_id="edml-serve")
{'bootstrap.servers': 'kafka:9092', 'log_level': 3, 'linger.ms': '20', 'client.id': 'edml-serve'}
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edml.errors import SettingsError

CONFIG_FILE: Final = "edml.toml"
LOG_STATE_FILE: Final = "log.json"
"""Where, below the home, the running embedded log says how it is reached."""

ENVIRONMENT_PREFIX: Final = "EDML_"
KAFKA_PREFIX: Final = "EDML_KAFKA_"
REGISTRY_PREFIX: Final = "EDML_REGISTRY_"
ERRORS: Final = 3
"""The syslog level of errors: librdkafka's notices of what it does are not for a terminal."""
# The few librdkafka properties whose names have underscores of their own.
UNDERSCORED: Final = frozenset({"log_level"})

Value = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How the schema registry is reached: its URL, and who we are there (a user, or a token).

    ``ca`` is the PEM file of the authority that signed the registry's certificate; None trusts
    the authorities that this machine trusts.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between this machine and production.

    ``home`` holds what edml keeps on this machine, ``jars`` the embedded Kafka's program files.
    ``data`` is a directory of trip records, None stands for simulated ones. ``artefact_store`` is
    the fsspec URI of models that are too large for a record. ``topic_prefix`` stands before every
    topic's name. ``trial_s`` and ``trial_mb`` bound the trial of a model in a process of its own.
    ``kafka`` holds any librdkafka property.
    """

    home: Path = Path(".edml")
    application: str = "taxi"
    bootstrap_servers: str | None = None
    registry_access: RegistrySettings | None = None
    data: Path | None = None
    artefact_store: str | None = None
    topic_prefix: str = ""
    jars: Path | None = None
    trial_s: float = 120.0
    trial_mb: int = 8192
    kafka: Mapping[str, str] = field(default_factory=dict, repr=False)  # it may hold passwords

    @classmethod
    def read(
        cls, environment: Mapping[str, str] = os.environ, directory: Path | None = None
    ) -> "Settings":
        """Give back the settings of ``environment`` and of ``edml.toml`` in ``directory`` (here).

        Raises ``SettingsError`` for an unknown name or a wrong value.
        """
        file = _config_file(environment, directory or Path())
        values = {**_from_file(file), **_from_environment(environment)}
        return _with_embedded_log(_Written(values).settings())

    @property
    def registry(self) -> RegistrySettings:
        """How the schema registry is reached. Raises ``SettingsError`` when none is known."""
        if self.registry_access is None:
            raise SettingsError(
                "no schema registry is configured",
                where=f"neither EDML_REGISTRY_URL, {CONFIG_FILE} nor a log running under"
                f" {self.home}",
                todo="start the embedded log with `edml up`, or set EDML_REGISTRY_URL",
            )
        return self.registry_access

    @property
    def jars_directory(self) -> Path:
        """Where the embedded Kafka's program files are."""
        return self.jars or self.home / "jars"

    @property
    def artefacts(self) -> str:
        """The fsspec URI below which large models are kept."""
        return self.artefact_store or str(self.home / "artefacts")

    def client(self, **overrides: str | float | bool) -> dict[str, str | int | float | bool]:
        """Give back the librdkafka properties of a client; ``group_id="x"`` sets ``group.id``.

        Raises ``SettingsError`` when no Kafka is known.
        """
        if self.bootstrap_servers is None:
            raise SettingsError(
                "no Kafka is configured",
                where=f"neither EDML_BOOTSTRAP_SERVERS, {CONFIG_FILE} nor a log running under"
                f" {self.home}",
                todo="start the embedded log with `edml up`, or set EDML_BOOTSTRAP_SERVERS",
            )
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "log_level": ERRORS,
            **self.kafka,
            **{_property_name(name): value for name, value in overrides.items()},
        }


@dataclass(frozen=True, slots=True)
class _Setting:
    """One value, and the place where a person wrote it."""

    value: Value
    where: str
    directory: Path


_PATHS = frozenset({"home", "data", "jars", "registry.ca"})
_NAMES = frozenset(
    {
        *(f.name for f in fields(Settings) if f.name not in {"kafka", "registry_access"}),
        *(f"registry.{f.name}" for f in fields(RegistrySettings)),
    }
)
_SHORT = {"app": "application"}


def _config_file(environment: Mapping[str, str], directory: Path) -> Path | None:
    named = environment.get("EDML_CONFIG")
    if named is None:
        file = directory / CONFIG_FILE
        return file if file.is_file() else None
    if not Path(named).is_file():
        raise SettingsError(
            f"the settings file {named} does not exist",
            where="EDML_CONFIG in the environment",
            todo="name an existing file, or unset EDML_CONFIG",
        )
    return Path(named)


def _from_file(file: Path | None) -> dict[str, _Setting]:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings file is not TOML: {error}",
            where=str(file),
            todo="mend the line, or see the reference of the settings for an example",
        ) from error
    found = {}
    for name, value in _flat(document):
        setting = _Setting(_scalar(name, value, str(file)), str(file), file.parent)
        found[_known(name, shown=name, where=str(file))] = setting
    return found


def _flat(table: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _scalar(name: str, value: object, where: str) -> Value:
    if isinstance(value, Value):
        return value
    raise SettingsError(
        f"{name} has a wrong value: {value!r}",
        where=where,
        todo=f"give {name} a text, a number, or true or false",
    )


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Setting]:
    found = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == "EDML_CONFIG":
            continue
        where = f"{variable} in the environment"
        name = _known(_name_of(variable), shown=variable, where="the environment")
        found[name] = _Setting(value, where, Path())
    return found


def _name_of(variable: str) -> str:
    if variable.startswith(KAFKA_PREFIX):
        return f"kafka.{_property_name(variable.removeprefix(KAFKA_PREFIX).lower())}"
    if variable.startswith(REGISTRY_PREFIX):
        return f"registry.{variable.removeprefix(REGISTRY_PREFIX).lower()}"
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower()


def _property_name(name: str) -> str:
    return name if name in UNDERSCORED else name.replace("_", ".")


def _known(name: str, *, shown: str, where: str) -> str:
    full = _SHORT.get(name, name)
    if full in _NAMES or full.startswith("kafka."):
        return full
    near = get_close_matches(full, _NAMES, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise SettingsError(
        f"unknown setting {shown}",
        where=where,
        todo=f"{meant}The settings are {', '.join(sorted(_NAMES))} and kafka.<property>",
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """What a person wrote, by the name of the setting."""

    values: Mapping[str, _Setting]

    def text(self, name: str) -> str | None:
        setting = self.values.get(name)
        if setting is None:
            return None
        if not isinstance(setting.value, str) or not setting.value.strip():
            raise _wrong(name, setting, "a text that is not empty")
        return setting.value

    def path(self, name: str) -> Path | None:
        text = self.text(name)
        return None if text is None else self.values[name].directory / Path(text).expanduser()

    def url(self, name: str) -> str | None:
        text = self.text(name)
        if text is not None and urlsplit(text).scheme not in {"http", "https"}:
            raise _wrong(name, self.values[name], "an http:// or https:// address")
        return None if text is None else text.rstrip("/")

    def positive(self, name: str) -> float | None:
        setting = self.values.get(name)
        if setting is None:
            return None
        try:
            number = float(setting.value)
        except ValueError:
            number = 0.0
        if not 0 < number < inf:
            raise _wrong(name, setting, "a number above 0")
        return number

    def servers(self, name: str) -> str | None:
        text = self.text(name)
        if text is not None and not all(_is_server(server) for server in text.split(",")):
            raise _wrong(name, self.values[name], "host:port, or several with commas between them")
        return text

    def kafka(self) -> dict[str, str]:
        return {
            name.removeprefix("kafka."): _property_value(setting.value)
            for name, setting in self.values.items()
            if name.startswith("kafka.") and name != "kafka.bootstrap.servers"
        }

    def registry(self) -> RegistrySettings | None:
        url = self.url("registry.url")
        told = [name for name in self.values if name.startswith("registry.")]
        if url is None and told:
            raise _wrong(told[0], self.values[told[0]], "a registry's URL beside it (registry.url)")
        if url is None:
            return None
        return RegistrySettings(
            url=url,
            user=self.text("registry.user"),
            password=self.text("registry.password"),
            token=self.text("registry.token"),
            ca=self.path("registry.ca"),
        )

    def settings(self) -> Settings:
        return Settings(
            home=self.path("home") or Path(".edml"),
            application=self.text("application") or "taxi",
            bootstrap_servers=self.servers("bootstrap_servers")
            or self.servers("kafka.bootstrap.servers"),
            registry_access=self.registry(),
            data=self.path("data"),
            artefact_store=self.text("artefact_store"),
            topic_prefix=self.text("topic_prefix") or "",
            jars=self.path("jars"),
            trial_s=self.positive("trial_s") or 120.0,
            trial_mb=int(self.positive("trial_mb") or 8192),
            kafka=self.kafka(),
        )


def _is_server(server: str) -> bool:
    host, _, port = server.strip().rpartition(":")
    return bool(host) and port.isdigit()


def _property_value(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wrong(name: str, setting: _Setting, expected: str) -> SettingsError:
    return SettingsError(
        f"{name} has a wrong value: {setting.value!r}",
        where=setting.where,
        todo=f"give {name} {expected}",
    )


def _with_embedded_log(settings: Settings) -> Settings:
    """Add how the running embedded log is reached, unless a person said what to use."""
    if settings.bootstrap_servers is not None or settings.registry_access is not None:
        return settings
    try:
        state = json.loads((settings.home / LOG_STATE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return settings
    if not _runs(state["broker"]["process"]):
        return settings
    return replace(
        settings,
        bootstrap_servers=state["bootstrap_servers"],
        registry_access=RegistrySettings(url=state["registry_url"]),
    )


def _runs(process: Mapping[str, int] | None) -> bool:
    if process is None:
        return False
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
