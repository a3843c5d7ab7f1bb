"""The process of a training: ``python -m edml.retraining.child FOLDER MEBIBYTES``.

It knows no log: all that it learns from lies in its folder, or in that of history.
"""

import json
import os
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

_NICE: Final = 10
_MEBIBYTE: Final = 1 << 20
_LEAST_WORTH: Final = "1000"


def main(folder: Path, memory_mb: int) -> None:
    """Train what the folder's assignment says, and leave there what came of it."""
    end_with_parent()
    os.nice(_NICE)
    bound_memory(memory_mb)
    # What libraries print must not come between what is told.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    from edml.application.finding import find_application
    from edml.errors import EdmlError
    from edml.retraining import candidate
    from edml.retraining.assignment import Workplace
    from edml.retraining.bounded import out_of_memory

    workplace = Workplace(folder)
    assignment = workplace.assignment()
    if assignment is None:
        sys.exit(f"{folder} holds no assignment")
    try:
        application = find_application(assignment.application)
        result = candidate.make(application, assignment, workplace, _telling(told))
        workplace.finish(result)
    except MemoryError:
        workplace.failure.write_text(out_of_memory(memory_mb).what, encoding="utf-8")
    except EdmlError as error:
        workplace.failure.write_text(error.what, encoding="utf-8")
    # Each library has errors of its own; the worker has to be told of whatever it is.
    except Exception as error:  # noqa: BLE001
        cause = f"{type(error).__name__}: {error}"
        workplace.failure.write_text(cause.splitlines()[0], encoding="utf-8")
    # Whatever a library would still do at the end is nobody's business.
    os._exit(0)


def _telling(told: TextIO) -> Callable[[str, float], None]:
    def tell(what: str, done: float) -> None:
        print(json.dumps([what, round(done, 3)]), file=told, flush=True)

    return tell


def bound_memory(memory_mb: int) -> None:
    """Bound what is allocated, and be the first to go when the machine has no more memory."""
    most = memory_mb * _MEBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    worth = Path("/proc/self/oom_score_adj")
    if worth.exists():
        worth.write_text(_LEAST_WORTH)


def end_with_parent() -> None:
    """End when the parent's end of our standard input is closed, by whatever ended the parent."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
