"""Whether librdkafka takes the properties that a person has set: asked before anything is read."""

import confluent_kafka as ck

from edml.errors import SettingsError
from edml.kafka.spans import QUIET
from edml.settings import KAFKA_PREFIX, Settings


def check(settings: Settings) -> None:
    """Raise `SettingsError` when a property has an unknown name or a wrong value.

    Nothing is connected: clients are made, and thrown away.
    """
    if settings.bootstrap_servers is None:
        return
    for name, value in settings.kafka.items():
        _try({name: value}, f"{name}={value}")
    _try(dict(settings.kafka), "its properties together")


def _try(properties: dict[str, str], shown: str) -> None:
    try:
        ck.Producer({**properties, "log_level": QUIET})
        ck.Consumer({**properties, "group.id": "edml.check", "log_level": QUIET}).close()
    except ck.KafkaException as error:
        variables = ", ".join(f"{KAFKA_PREFIX}{_variable(name)}" for name in properties)
        raise SettingsError(
            f"Kafka's client does not take {shown}: {error.args[0].str().strip()}",
            where=f"{variables}, or kafka.… in edml.toml",
            todo="see librdkafka's CONFIGURATION.md for the names and values of its properties",
        ) from error


def _variable(name: str) -> str:
    return name.replace(".", "_").upper()
