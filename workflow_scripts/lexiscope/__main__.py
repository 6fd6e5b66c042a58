"""``python -m lexiscope``: the command line."""

from lexiscope.cli.app import main

main()
