"""A role of the farm in a fork of a command, as `farm.forking` starts one."""

from collections.abc import Sequence

from farm.cli import console


def run_role(arguments: Sequence[str]) -> None:
    """Do what ``farm ARGUMENTS`` does, its output into a file, whatever the command's was. Ends by SystemExit."""
    from farm.cli import main

    console.stdout.no_color = console.stderr.no_color = True
    main(list(arguments), prog_name="farm")
