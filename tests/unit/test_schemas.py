"""The schemas that are kept beside the classes they are derived from."""

from importlib.resources import files

import pytest

from edml.apps.taxi import taxi
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.schema import avro_schema, avsc
from edml.kafka.control import ModelsEntry, ModelsKey
from edml.models.records import Command, Release
from edml.scoring.records import Score
from edml.wiring import schemas

KEPT = {
    **{f"edml.apps/taxi.schemas/{name}.avsc": each for name, each in schemas(taxi).items()},
    "edml/schemas/models-key.avsc": avro_schema(ModelsKey),
    "edml/schemas/models.avsc": avro_schema(ModelsEntry),
    "edml/schemas/release.avsc": avro_schema(Release),
    "edml/schemas/command.avsc": avro_schema(Command),
    "edml/schemas/score.avsc": avro_schema(Score),
}


@pytest.mark.parametrize("kept", KEPT)
def test_the_kept_schema_is_the_derived_one(kept: str) -> None:
    """A change of a class is a change of its .avsc, which a reviewer sees."""
    package, *path = kept.split("/")
    assert avsc(KEPT[kept]) == files(package).joinpath(*path).read_text(encoding="utf-8")


def test_every_schema_has_a_record() -> None:
    """What is kept is what Avro calls a record, with a name and a namespace."""
    kept: list[RecordSchema] = list(KEPT.values())
    assert [each["type"] for each in kept] == ["record"] * len(kept)
    assert all(each["name"] and each["namespace"].startswith("edml") for each in kept)
