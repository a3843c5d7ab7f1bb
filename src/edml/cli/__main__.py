"""``python -m edml.cli``: the command line of this very interpreter."""

from edml.cli.main import main

main()
