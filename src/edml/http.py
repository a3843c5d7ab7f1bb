"""httpx, without its command, which takes longer to import than all the rest of it.

It would import rich and pygments, and does without where they are not installed. So it does here:
every module takes httpx from here, and a command that serves starts half a second sooner.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # as if it were not there

import httpx  # noqa: E402

__all__ = ["httpx"]
