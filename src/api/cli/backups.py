"""`arrears backup` and `arrears restore`: an installation as one file, without its master key."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import AsJson, DataDir
from api.cli.output import note, print_json, say
from api.cli.progress import Bars

if TYPE_CHECKING:
    from api.application.backups import Restored

_SHOWN = 100


def add_to(root: typer.Typer) -> None:
    root.command("backup")(backup)
    root.command("restore")(restore)


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="A new file, or a folder to put one in.")],
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write everything but the master key into one file, beside a running service.

    Names and addresses are in it encrypted only: without the master key nobody can read them.
    """
    from adapters.postgres.database import open_database
    from api import logs
    from api.application.backups import back_up

    logs.configure()
    with open_database(data, reading=True) as database:
        made = back_up(database, target, now=datetime.now(UTC))
        is_folder = database.is_embedded
    if as_json:
        print_json(
            {"file": str(made.path), "bytes": made.size, "events": made.seal.position, "seal": made.seal.hash.hex()}
        )
        return
    say(f"{made.path}: {made.seal.position:,} events, {made.size / 1_000_000:,.1f} MB")
    say(f"The log ends with seal {made.seal.hash.hex()[:16]} at position {made.seal.position}.")
    key = "master.key of the data folder, or what ARREARS_MASTER_KEY has," if is_folder else "It"
    note("Files of accounts are not in it: docs/attachments.md says how they travel.")
    note(f"The master key is not in it. {key} must be kept apart: without it nothing personal can be read.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A backup.")],
    data: DataDir = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--master-key",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The master key, which the new folder gets a copy of. Default: that of the environment.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a new data folder from a backup, or fill an empty database, and verify its log.

    A folder or database that is not empty is refused, and so is another master key. Exit code 1 where something is
    wrong with the log.
    """
    from adapters.postgres.database import URL_VARIABLE
    from api import logs
    from api.application.backups import restore_folder, restore_server
    from api.cli.problems import Problem

    logs.configure()
    with Bars() as bars:
        if os.environ.get(URL_VARIABLE):
            if key_file is not None:
                raise Problem("--master-key is for a data folder", hint="For a server: ARREARS_MASTER_KEY_FILE.")
            restored = restore_server(file, env=os.environ, progress=bars.bar("Verifying"))
        elif data is not None:
            restored = restore_folder(file, data, env=os.environ, key_file=key_file, progress=bars.bar("Verifying"))
        else:
            raise Problem("where to?", hint=f"--data FOLDER, or {URL_VARIABLE} for a server")
    _tell(restored, as_json=as_json)


def _tell(restored: "Restored", *, as_json: bool) -> None:
    if as_json:
        print_json({"events": restored.seal.position, "intact": not restored.findings, "findings": restored.findings})
    else:
        for finding in restored.findings[:_SHOWN]:
            say(str(finding))
    if restored.findings:
        raise typer.Exit(1)
    if not as_json:
        say(f"{restored.seal.position:,} events, every one as it was sealed.")
        note("Files of accounts are where they were put back: docs/attachments.md, section Copies.")
        note("Names are filled in again at the next start; until then account numbers stand in their place.")
