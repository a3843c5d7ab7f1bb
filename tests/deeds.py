"""A training that does what it is told: ``python -m tests.deeds FOLDER MEBIBYTES``."""

import os
import signal
import sys
import time
from pathlib import Path

from edml.retraining.assignment import Result, Workplace
from edml.retraining.child import bound_memory, end_with_parent

MEBIBYTE = 1 << 20
DONE = Result(True, "", [], {"recipe": "all days"}, {"rows": 7})


def main(folder: Path, memory_mb: int) -> None:
    """Do it."""
    end_with_parent()
    match (folder / "deed").read_text().split():
        case ["finish"]:
            sys.stdout.write('["learning", 0.5]\nwhat a library prints\n')
            Workplace(folder).finish(DONE)
        case ["crash"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case ["leave"]:
            sys.stderr.write("I leave")
        case ["hang"]:
            time.sleep(600)
        case ["grow"]:
            grown = []
            while True:
                grown.append(b"\1" * (8 * MEBIBYTE))
                time.sleep(0.02)
        case ["burst"]:
            bound_memory(memory_mb)
            try:
                _ = b"\1" * (memory_mb * 2 * MEBIBYTE)
            except MemoryError:
                (folder / "failure.txt").write_text("it took too much memory")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
