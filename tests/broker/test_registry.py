import socket
import uuid
from collections.abc import Iterator

import pytest

from edml.errors import RegistryUnavailableError, SchemaError
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.registry import Registry, UnknownSchemaError, subject
from edml.settings import RegistrySettings


def trip(*fields: dict[str, object]) -> RecordSchema:
    """The schema of a trip with these fields besides its uuid."""
    return {
        "type": "record",
        "name": "Trip",
        "fields": [{"name": "uuid", "type": "string"}, *fields],
    }


@pytest.fixture
def registry(registry_url: str) -> Iterator[Registry]:
    """A client of the running registry."""
    with Registry(RegistrySettings(url=registry_url)) as registry:
        yield registry


@pytest.fixture
def values() -> str:
    """A subject that no other test has."""
    return subject(f"trips-{uuid.uuid4()}")


def test_a_schema_comes_back_by_its_id(registry_url: str, registry: Registry, values: str) -> None:
    """What one client registers, another one finds; registering it again gives the same id."""
    schema_id = registry.register(values, trip())

    with Registry(RegistrySettings(url=registry_url)) as other:
        assert schema_id == other.register(values, trip())
        assert trip() == other.schema(schema_id)


def test_an_unknown_id_is_a_fault_of_the_record(registry: Registry) -> None:
    """A registry that answers, and does not know the id, is no reason to wait."""
    with pytest.raises(UnknownSchemaError, match="no schema of id 987654321"):
        registry.schema(987654321)


def test_an_incompatible_schema_is_refused(registry: Registry, values: str) -> None:
    """A field that changes its type is refused when asked before and when registered."""
    registry.set_compatibility(values, "BACKWARD")
    registry.register(values, trip({"name": "zone", "type": "int"}))
    changed = trip({"name": "zone", "type": "string"})

    assert registry.incompatibilities(values, changed)
    with pytest.raises(SchemaError, match="refuses the schema"):
        registry.register(values, changed)


def test_a_field_with_a_default_is_compatible(registry: Registry, values: str) -> None:
    """Old records can be read with a schema that has a new field with a default."""
    registry.register(values, trip())

    assert (
        registry.incompatibilities(values, trip({"name": "zone", "type": "int", "default": 1}))
        == []
    )


def test_every_schema_can_be_the_first(registry: Registry, values: str) -> None:
    """A subject that does not exist has nothing to be compatible with."""
    assert registry.incompatibilities(values, trip()) == []


def test_an_invalid_schema_is_refused(registry: Registry, values: str) -> None:
    """What is no Avro schema is not registered."""
    with pytest.raises(SchemaError, match="refuses the schema"):
        registry.register(values, {"type": "record", "name": "Trip"})


def test_a_registry_that_is_not_there_is_a_reason_to_wait() -> None:
    """Nobody listens at the address: the error is not one of a record."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            Registry(RegistrySettings(url=url)) as registry,
            pytest.raises(RegistryUnavailableError, match="does not answer"),
        ):
            registry.schema(1)


def test_a_wrong_address_is_a_reason_to_wait(registry_url: str) -> None:
    """The server's 404 for an address without a registry does not make every record bad."""
    with (
        Registry(RegistrySettings(url=f"{registry_url}/nowhere")) as registry,
        pytest.raises(RegistryUnavailableError, match="answers 404"),
    ):
        registry.schema(1)
