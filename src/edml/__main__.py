"""``python -m edml`` is ``edml``."""

from edml.cli.main import main

main()
