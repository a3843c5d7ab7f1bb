"""Short and long forms of the same tests: ``FAULTS=long`` asks for the long one."""

import os
from typing import Final

LONG: Final = os.environ.get("FAULTS") == "long"


def times(short: int, long: int) -> int:
    """How often: ``short`` in `make test`, ``long`` in `make faults`."""
    return long if LONG else short
