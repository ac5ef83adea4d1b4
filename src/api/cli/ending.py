"""How a command ends: the exit codes that scripts rely on (docs/cli.md has the table)."""

from enum import IntEnum

import typer


class ExitCode(IntEnum):
    """Ctrl+C ends with 130, as it does everywhere."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    PARTLY_DONE = 3


def end_of_list(*, done: int, refused: int) -> None:
    """Ends a command that did one thing for each of many. Raises typer.Exit where any of them was refused.

    3 where others were done, 1 where none was; 0 otherwise, also where there was nothing to do.
    """
    if refused:
        raise typer.Exit(ExitCode.PARTLY_DONE if done else ExitCode.FAILED)
