"""An ``edml`` whose disk is full: ``full_disk.py now|later <arguments of edml…>``.

Its files cannot grow any more: from the beginning, or from when it gets SIGUSR1. (The limit on the
size of a file needs neither rights nor a disk of its own, and is an error of the same kind.)
"""

import resource
import signal
import sys


def fill(*_: object) -> None:
    """Let no file grow from now on."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))


def main() -> None:
    """Run ``edml``."""
    from edml.cli.main import main

    signal.signal(signal.SIGUSR1, fill)
    if sys.argv[1] == "now":
        fill()
    main(sys.argv[2:])


if __name__ == "__main__":
    main()
