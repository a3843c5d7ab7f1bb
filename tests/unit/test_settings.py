import json
import os
from pathlib import Path

import pytest

from edml.errors import SettingsError
from edml.settings import LOG_STATE_FILE, RegistrySettings, Settings

UNUSED_PID = 2**22 + 1  # above the highest process id of Linux


def _write(directory: Path, text: str) -> Path:
    file = directory / "edml.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _remember_log(home: Path, *, pid: int) -> None:
    state = {
        "bootstrap_servers": "127.0.0.1:9093",
        "registry_url": "http://127.0.0.1:8082/apis/ccompat/v7",
        "broker": {"process": {"pid": pid}},
    }
    home.mkdir()
    (home / LOG_STATE_FILE).write_text(json.dumps(state), encoding="utf-8")


def test_defaults(tmp_path: Path) -> None:
    """Without a file or an environment, everything is under .edml and the application is taxi."""
    settings = Settings.read({}, tmp_path)

    assert settings == Settings()
    assert settings.application == "taxi"
    assert settings.jars_directory == Path(".edml/jars")
    assert settings.artefacts == ".edml/artefacts"


def test_file_is_read(tmp_path: Path) -> None:
    """The file's tables and dotted keys are settings; its paths count from where it lies."""
    _write(
        tmp_path,
        """
        application = "flights"
        bootstrap_servers = "kafka-1:9092,kafka-2:9092"
        data = "trips"
        [registry]
        url = "https://registry:8081/"
        user = "edml"
        password = "secret"
        ca = "ca.pem"
        [kafka]
        security.protocol = "SASL_SSL"
        "linger.ms" = 5
        enable.idempotence = true
        """,
    )

    assert Settings.read({}, tmp_path) == Settings(
        application="flights",
        bootstrap_servers="kafka-1:9092,kafka-2:9092",
        data=tmp_path / "trips",
        registry_access=RegistrySettings(
            url="https://registry:8081", user="edml", password="secret", ca=tmp_path / "ca.pem"
        ),
        kafka={"security.protocol": "SASL_SSL", "linger.ms": "5", "enable.idempotence": "true"},
    )


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A variable of the environment replaces what the file says, value by value."""
    _write(tmp_path, 'application = "flights"\n[kafka]\nlinger.ms = 5\nacks = "all"\n')

    settings = Settings.read({"EDML_APP": "taxi", "EDML_KAFKA_LINGER_MS": "50"}, tmp_path)

    assert settings.application == "taxi"
    assert settings.kafka == {"linger.ms": "50", "acks": "all"}


def test_every_variable(tmp_path: Path) -> None:
    """Each variable of the environment finds its setting; other programs' variables are ignored."""
    environment = {
        "EDML_HOME": "/var/edml",
        "EDML_APP": "flights",
        "EDML_BOOTSTRAP_SERVERS": "kafka:9092",
        "EDML_REGISTRY_URL": "http://registry:8081",
        "EDML_REGISTRY_TOKEN": "t",
        "EDML_DATA": "/trips",
        "EDML_ARTEFACT_STORE": "s3://models",
        "EDML_TOPIC_PREFIX": "staging.",
        "EDML_JARS": "/jars",
        "EDML_KAFKA_SASL_USERNAME": "u",
        "EDML_KAFKA_LOG_LEVEL": "7",
        "PATH": "/bin",
    }

    assert Settings.read(environment, tmp_path) == Settings(
        home=Path("/var/edml"),
        application="flights",
        bootstrap_servers="kafka:9092",
        registry_access=RegistrySettings(url="http://registry:8081", token="t"),
        data=Path("/trips"),
        artefact_store="s3://models",
        topic_prefix="staging.",
        jars=Path("/jars"),
        kafka={"sasl.username": "u", "log_level": "7"},
    )


def test_named_file(tmp_path: Path) -> None:
    """EDML_CONFIG names the file to read instead of the one in the working directory."""
    file = tmp_path / "production.toml"
    file.write_text('topic_prefix = "production."', encoding="utf-8")

    assert Settings.read({"EDML_CONFIG": str(file)}).topic_prefix == "production."


def test_bootstrap_servers_as_a_kafka_property(tmp_path: Path) -> None:
    """Who knows librdkafka may name the brokers by its property."""
    settings = Settings.read({"EDML_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}, tmp_path)

    assert settings.client() == {"bootstrap.servers": "kafka:9092", "log_level": 3}


@pytest.mark.parametrize(
    ("environment", "what", "todo"),
    [
        ({"EDML_BOOTSTRAP_SERVER": "k:9092"}, "EDML_BOOTSTRAP_SERVER", "bootstrap_servers"),
        ({"EDML_BOOTSTRAP_SERVERS": "kafka"}, "bootstrap_servers", "host:port"),
        ({"EDML_REGISTRY_URL": "registry:8081"}, "registry.url", "http://"),
        ({"EDML_REGISTRY_TOKEN": "t"}, "registry.token", "registry.url"),
        ({"EDML_APP": " "}, "application", "not empty"),
        ({"EDML_CONFIG": "/nowhere/edml.toml"}, "/nowhere/edml.toml", "existing file"),
    ],
)
def test_wrong_environment(
    environment: dict[str, str], what: str, todo: str, tmp_path: Path
) -> None:
    """A wrong variable is named, with where it stands and what is expected."""
    with pytest.raises(SettingsError) as raised:
        Settings.read(environment, tmp_path)

    assert what in raised.value.what
    assert "environment" in str(raised.value.where)
    assert todo in str(raised.value.todo)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("registy.url = 'http://r'", "unknown setting registy.url"),
        ("application = 3", "application has a wrong value: 3"),
        ("application = ['taxi']", "application has a wrong value: ['taxi']"),
        ("application = ", "not TOML"),
    ],
)
def test_wrong_file(text: str, what: str, tmp_path: Path) -> None:
    """A wrong line of the file is named together with the file."""
    file = _write(tmp_path, text)

    with pytest.raises(SettingsError) as raised:
        Settings.read({}, tmp_path)

    assert what in raised.value.what
    assert raised.value.where == str(file)


def test_running_embedded_log_is_used(tmp_path: Path) -> None:
    """When nothing is configured, the log that runs under the home is the one to use."""
    home = tmp_path / "home"
    _remember_log(home, pid=os.getpid())

    settings = Settings.read({"EDML_HOME": str(home)}, tmp_path)

    assert settings.bootstrap_servers == "127.0.0.1:9093"
    assert settings.registry.url == "http://127.0.0.1:8082/apis/ccompat/v7"


def test_configured_log_wins_over_the_embedded_one(tmp_path: Path) -> None:
    """Who names a cluster gets it alone, never mixed with the embedded log's registry."""
    home = tmp_path / "home"
    _remember_log(home, pid=os.getpid())

    settings = Settings.read(
        {"EDML_HOME": str(home), "EDML_BOOTSTRAP_SERVERS": "kafka:9092"}, tmp_path
    )

    assert settings.bootstrap_servers == "kafka:9092"
    assert settings.registry_access is None


def test_dead_embedded_log_is_not_used(tmp_path: Path) -> None:
    """A log that does not run any more is no log: the errors say how to start one."""
    home = tmp_path / "home"
    _remember_log(home, pid=UNUSED_PID)

    settings = Settings.read({"EDML_HOME": str(home)}, tmp_path)

    with pytest.raises(SettingsError, match="no Kafka is configured") as raised:
        settings.client()
    assert "edml up" in str(raised.value.todo)
    with pytest.raises(SettingsError, match="no schema registry is configured"):
        _ = settings.registry


def test_client_properties() -> None:
    """A client's own properties win over the configured ones, which win over the defaults."""
    settings = Settings(bootstrap_servers="kafka:9092", kafka={"acks": "1", "linger.ms": "5"})

    assert settings.client(acks="all", group_id="serve") == {
        "log_level": 3,
        "bootstrap.servers": "kafka:9092",
        "acks": "all",
        "linger.ms": "5",
        "group.id": "serve",
    }


def test_secrets_are_not_shown() -> None:
    """What is printed for a person holds neither passwords nor tokens."""
    registry = RegistrySettings(url="http://r", user="u", password="pw-1", token="tok-1")

    shown = repr(Settings(registry_access=registry, kafka={"sasl.password": "pw-2"}))

    assert "pw-1" not in shown
    assert "tok-1" not in shown
    assert "pw-2" not in shown


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_limits_of_a_trial_are_above_zero(text: str, tmp_path: Path) -> None:
    """A trial of a model has time and memory; what is no such number is told."""
    settings = Settings.read({"EDML_TRIAL_S": "2.5", "EDML_TRIAL_MB": "512"}, tmp_path)
    assert (settings.trial_s, settings.trial_mb) == (2.5, 512)
    with pytest.raises(SettingsError, match="trial_s has a wrong value"):
        Settings.read({"EDML_TRIAL_S": text}, tmp_path)
