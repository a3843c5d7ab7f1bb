"""The flavours of model that there are, by name. Another package adds one as an entry point."""

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from edml.errors import ModelRefusedError
from edml.models.flavour import Flavour

GROUP: Final = "edml.flavours"
"""The entry points' group: each names an object that is a `Flavour`."""

_OWN: Final = (
    EntryPoint("savedmodel", "edml.models.savedmodel:SAVED_MODEL", GROUP),
    EntryPoint("onnx", "edml.models.onnx:ONNX", GROUP),
)


def names() -> list[str]:
    """The names of all flavours, edml's own first."""
    return list(_known())


def named(name: str) -> Flavour:
    """The flavour of that name; its library is imported when it loads a model.

    Raises:
        ModelRefusedError: there is no such flavour.
    """
    try:
        entry = _known()[name]
    except KeyError:
        raise ModelRefusedError(
            f"there is no flavour {name!r}, only {', '.join(names())}",
            todo=f"install the package that has an entry point {name!r} in the group {GROUP!r}",
        ) from None
    flavour: Flavour = entry.load()
    return flavour


def _known() -> dict[str, EntryPoint]:
    """Give the entry points by name; nobody replaces edml's own."""
    return {entry.name: entry for entry in _OWN} | {
        entry.name: entry
        for entry in entry_points(group=GROUP)
        if entry.name not in {own.name for own in _OWN}
    }
