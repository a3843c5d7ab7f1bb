"""A model artefact: a folder with one model in each of its flavours, and all that is known of it.

::

    ARTEFACT/
      edml.json       version, application, signature, self-test rows, metadata
      saved_model/    flavour savedmodel
      model.onnx      flavour onnx
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from edml.errors import DataError
from edml.models import flavours
from edml.models.archive import pack
from edml.models.records import Metadata, Model, SelfTestRow, Signature, Tensor

DESCRIPTION: Final = "edml.json"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Description:
    """What ``edml.json`` says: everything about the model but the model itself."""

    version: str
    application: str
    signature: Signature
    self_test: list[SelfTestRow]
    metadata: Metadata


@dataclass(frozen=True)
class Artefact:
    """A folder with a model in one or more flavours."""

    folder: Path
    description: Description

    @classmethod
    def write(cls, folder: Path, description: Description) -> "Artefact":
        """Describe the models that lie in ``folder``."""
        text = json.dumps(
            {"format": _FORMAT, **asdict(description)}, default=datetime.isoformat, indent=2
        )
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        return cls(folder, description)

    @classmethod
    def read(cls, folder: Path) -> "Artefact":
        """Read the artefact in ``folder``.

        Raises:
            DataError: there is none, or its description is damaged.
        """
        path = folder / DESCRIPTION
        try:
            return cls(folder, _description(json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError as error:
            raise DataError(
                f"there is no model artefact: {DESCRIPTION} is missing",
                where=str(folder),
                todo="name the folder that `edml train` wrote",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"the artefact's description is damaged: {error!r}",
                where=str(path),
                todo="train the model again, or copy the whole folder again",
            ) from error

    @property
    def version(self) -> str:
        """The model's version."""
        return self.description.version

    def flavours(self) -> list[str]:
        """The flavours that the folder holds."""
        return [
            name for name in flavours.names() if (self.folder / flavours.named(name).path).exists()
        ]

    def packed(self, flavour: str) -> bytes:
        """One flavour of the model as bytes: the same for the same files.

        Raises:
            ModelRefusedError: the folder does not hold this flavour.
        """
        return pack(self.folder, flavours.named(flavour).path)

    def model(self, flavour: str, *, packed: bytes | None = None, uri: str | None = None) -> Model:
        """The model as an event: its bytes within, unless ``uri`` says where they have been put.

        ``packed`` saves packing them again.
        """
        contents = self.packed(flavour) if packed is None else packed
        return Model(
            application=self.description.application,
            version=self.description.version,
            flavour=flavour,
            sha256=sha256(contents).hexdigest(),
            size_bytes=len(contents),
            signature=self.description.signature,
            self_test=self.description.self_test,
            metadata=self.description.metadata,
            artefact=contents if uri is None else None,
            uri=uri,
        )


def _description(facts: dict[str, Any]) -> Description:
    if facts["format"] != _FORMAT:
        raise ValueError(f"format {facts['format']}, expected {_FORMAT}")
    metadata = facts["metadata"]
    times = {
        name: datetime.fromisoformat(metadata[name])
        for name in ("trained_at", "data_from", "data_to")
    }
    return Description(
        version=facts["version"],
        application=facts["application"],
        signature=Signature(
            inputs=[Tensor(**each) for each in facts["signature"]["inputs"]],
            outputs=[Tensor(**each) for each in facts["signature"]["outputs"]],
        ),
        self_test=[SelfTestRow(**each) for each in facts["self_test"]],
        metadata=Metadata(**metadata | times),
    )
