"""Finds the application that a person names: an installed one, or one declared in a file."""

import importlib
import runpy
from importlib.metadata import entry_points
from typing import Any, Final

from edml.application import Application
from edml.errors import UsageError

ENTRY_POINTS: Final = "edml.applications"
"""The entry points' group: each names an `Application`."""


def find_application(name: str) -> Application:
    """The application of this name: an installed one, ``package.module:name`` or ``file.py:name``.

    Raises `UsageError` when there is none.
    """
    installed = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if name in installed:
        found = installed[name].load()
    elif ":" in name:
        found = _declared(*name.rsplit(":", 1))
    else:
        raise UsageError(
            f"there is no application {name!r}",
            todo=f"name one of {', '.join(sorted(installed))}, or where yours is declared: "
            "`path/to/file.py:name` or `package.module:name`",
        )
    if not isinstance(found, Application):
        raise UsageError(f"{name} is a {type(found).__name__}, not an edml.Application")
    return found


def _declared(where: str, name: str) -> Any:
    try:
        if where.endswith(".py"):
            return runpy.run_path(where)[name]
        return getattr(importlib.import_module(where), name)
    except (ImportError, OSError, AttributeError, KeyError) as error:
        raise UsageError(
            f"the application {where}:{name} cannot be imported: {error}",
            todo="name a file or a module, and the variable in it that holds the Application",
        ) from error
