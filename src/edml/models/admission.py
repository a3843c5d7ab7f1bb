"""Admission: what a model must show before it may answer anyone.

Its bytes are what the `Model` says, they unpack and load, the inputs can be bound to what the
application provides, and the self-test comes out as it did where the model was trained.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from edml.application import Application
from edml.errors import ModelRefusedError
from edml.models import flavours, self_test
from edml.models.archive import LARGEST_BYTES, unpack
from edml.models.binding import bind, unbound
from edml.models.flavour import Predictor
from edml.models.records import Model, Signature
from edml.models.trial import Trials

Fetch = Callable[[Model], bytes]
"""Gives the packed artefact of a model; raises `ModelRefusedError` when it is not to be had."""

WARM_SIZES: Final = (1, 64, 2048)
"""The batch sizes that a model is warmed for: few, many, and as many as it takes at once."""


@dataclass(frozen=True)
class Admitted:
    """A model that may be served, and what it is loaded into."""

    model: Model
    predictor: Predictor


def fetch_artefact(model: Model) -> bytes:
    """Give the bytes within the record, or else those behind its URI, read through fsspec."""
    if model.artefact is not None:
        return model.artefact
    if model.uri is None:
        raise ModelRefusedError("the model has neither an artefact nor a URI")
    if model.size_bytes > LARGEST_BYTES:
        raise ModelRefusedError(
            f"the artefact takes {model.size_bytes} bytes: more than {LARGEST_BYTES}"
        )
    import fsspec

    try:
        with fsspec.open(model.uri, "rb") as source:
            # One byte more shows that there is more.
            contents: bytes = source.read(model.size_bytes + 1)
    # Each of fsspec's file systems has errors of its own.
    except Exception as error:
        raise ModelRefusedError(
            f"the artefact cannot be fetched: {error}",
            where=model.uri,
            todo="see that the artefact store can be read from here",
        ) from error
    return contents


def admit(  # noqa: PLR0913  what varies is named by its caller
    application: Application,
    model: Model,
    fetch: Fetch = fetch_artefact,
    *,
    warm_sizes: Sequence[int] = WARM_SIZES,
    threads: int = 1,
    trials: Trials | None = None,
) -> Admitted:
    """Fetch, check, load, warm and try a model: what is given back may be served at once.

    With ``trials``, this process only loads what was loaded in another one before.

    Raises:
        ModelRefusedError: with the cause.
    """
    if model.application != application.name:
        raise ModelRefusedError(
            f"the model is for the application {model.application!r}, not {application.name!r}"
        )
    flavour = flavours.named(model.flavour)
    packed = fetch(model)
    _check_bytes(model, packed)
    frame = self_test.inputs(application, model.self_test)
    _check_inputs(model.signature, frame)
    if trials is not None:
        trials.run(model, packed, frame, warm_sizes)
    with trials.loading(model) if trials is not None else nullcontext():
        with TemporaryDirectory(prefix="edml-model-") as folder:
            unpack(packed, Path(folder))
            predictor = flavour.load(Path(folder), threads=threads)
        _check_signature(model.signature, predictor.signature)
        self_test.run(application, predictor, model.self_test)
        warm(predictor, frame, warm_sizes)
    return Admitted(model, predictor)


def _check_bytes(model: Model, packed: bytes) -> None:
    if len(packed) != model.size_bytes:
        raise ModelRefusedError(
            f"the artefact has {len(packed)} bytes, but the model says {model.size_bytes}",
            todo="publish it again",
        )
    digest = sha256(packed).hexdigest()
    if digest != model.sha256:
        raise ModelRefusedError(
            f"the artefact's sha256 is {digest}, but the model says {model.sha256}",
            todo="publish it again",
        )


def _check_signature(declared: Signature, found: Signature) -> None:
    for what, said, there in (
        ("inputs", declared.inputs, found.inputs),
        ("outputs", declared.outputs, found.outputs),
    ):
        said_by_name = {tensor.name: tensor for tensor in said}
        there_by_name = {tensor.name: tensor for tensor in there}
        if said_by_name != there_by_name:
            raise ModelRefusedError(
                f"the artefact's {what} are {_shown(there_by_name)}, "
                f"but the model says {_shown(said_by_name)}"
            )


def _shown(tensors: Mapping[str, object]) -> str:
    return ", ".join(str(tensors[name]) for name in sorted(tensors)) or "none"


def _check_inputs(signature: Signature, frame: pl.DataFrame) -> None:
    causes = unbound(signature, frame.schema)
    if causes:
        raise ModelRefusedError(
            "; ".join(causes),
            todo="add the column to the application's features, or train the model without it",
        )


def warm(predictor: Predictor, frame: pl.DataFrame, sizes: Sequence[int]) -> None:
    """Ask a model for batches of these sizes, made of the rows of ``frame``."""
    for size in sizes:
        copies = -(-size // frame.height)
        predictor.predict(bind(predictor.signature, pl.concat([frame] * copies).head(size)))
