"""Wires ``edml publish``, and what else puts a model on the log."""

from pathlib import Path

import fsspec

from edml.application import Role
from edml.models.admission import admit
from edml.models.artefact import Artefact
from edml.models.records import Model
from edml.monitoring.governor import Decision
from edml.wiring import Cluster, command

INLINE_BYTES = 2_097_152


def publish(
    cluster: Cluster, folder: Path, *, flavour: str | None, role: Role, by: str
) -> tuple[Model, Decision]:
    """Admit the artefact in a folder here, then publish it and give it its role.

    Raises `ModelRefusedError` when it would be refused where it is served.
    """
    artefact = Artefact.read(folder)
    model = pack(cluster, artefact, flavour or artefact.flavours()[0])
    cluster.create()
    with cluster.governor() as governor:
        return model, governor.publish(model, command(cluster, "publish", model.version, role, by))


def pack(cluster: Cluster, artefact: Artefact, chosen: str) -> Model:
    """Admit one flavour of an artefact here; gives back the model as it may be published.

    An artefact of up to `INLINE_BYTES` travels in the record; a larger one is put in the store.
    Raises `ModelRefusedError` when it would be refused where it is served.
    """
    packed = artefact.packed(chosen)
    model = artefact.model(chosen, packed=packed)
    admit(cluster.application, model)
    if len(packed) > INLINE_BYTES:
        uri = f"{cluster.settings.artefacts}/{model.sha256}.zip"
        with fsspec.open(uri, "wb", auto_mkdir=True) as file:
            file.write(packed)
        model = artefact.model(chosen, packed=packed, uri=uri)
    return model
