"""`arrears attachment`: files of an account, which are kept encrypted outside of the database."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.offices import say_done
from api.cli.opening import by_whom, commanding, guest
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason
from api.cli.output import note, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id
from api.cli.tables import figure, key, tabular, text, word

if TYPE_CHECKING:
    from api.application.attachments import GivenFile
    from api.processes.service import Service

app = typer.Typer(no_args_is_help=True, help="Files of an account: proof, documents, what is sent with a message.")

AttachmentId = Annotated[UUID, typer.Argument(metavar="ATTACHMENT", help="The attachment's id, as list shows it.")]


@app.callback()
def group() -> None:
    """Files of an account."""


@app.command("add")
def add_files(
    *,
    account: AccountArgument,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="PDF, images, text, CSV, Word, Excel, ODT.")],
    about: Annotated[
        str | None,
        typer.Option("--about", metavar="CASE", help="dispute:ID, claim:ID or legal:ID; one that is open."),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Keep files with an account. Every file is looked at before the first one is kept."""
    from api.application.attachments import add, checked, read_case

    case = None if about is None else read_case(about)
    found = account_found(data, account, office)
    with commanding(data) as service:
        given = read_files(service, files)
        for each in given:
            checked(service, each)
        issuing, caller = by_whom(service, reason)
        done = [add(service, issuing, found, each, caller, about=case, reason=reason) for each in given]
    rows = [{"name": file.name, "attachment_id": each.id} for file, each in zip(given, done, strict=True)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['name']}: attachment {row['attachment_id']}")


def read_files(service: "Service", files: Iterable[Path]) -> "list[GivenFile]":
    """Not more of each than may be kept. Raises Problem."""
    from adapters.attachments.setup import most_bytes
    from api.application.attachments import GivenFile

    most, given = most_bytes(service.env), []
    for path in files:
        try:
            with path.open("rb") as file:
                content = file.read(most + 1)
        except OSError as error:
            raise Problem(f"{path} cannot be read: {error.strerror}") from None
        if len(content) > most:
            raise Problem(f"{path}: expected at most {most // 1_000_000} MB")
        given.append(GivenFile(path.name, content))
    return given


_FILES = (key("name"), word("type", 2), figure("bytes", 3), text("about", 5), word("added", 4), word("attachment", 1))


@app.command("list")
@tabular
def list_files(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """The files of an account, the latest first."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}/attachments", id=account_id(ask, account, office=office))

    rows: Sequence[Any] = answered(data, asked)
    if as_json:
        print_json(rows)
    elif not rows:
        say("The account has no file.")
    else:
        print_table(
            _FILES,
            (
                (each["name"], each["media_type"], each["size"], each["about"] or "", each["added_on"], each["id"])
                for each in rows
            ),
        )


@app.command("get")
def get_file(
    *,
    account: AccountArgument,
    attachment: AttachmentId,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE|FOLDER", help="Default: its own name, in this folder. None is overwritten."),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Write a file of an account to this machine."""
    from api.application.attachments import content_of

    found = account_found(data, account, office)
    with guest(data) as service:
        file = content_of(service, found, attachment)
    target = (to / file.row.name) if to is not None and to.is_dir() else to or Path(file.row.name)
    try:
        with target.open("xb") as written:
            written.write(file.content)
    except FileExistsError:
        raise Problem(f"{target} is there already", hint="Name another file: --to FILE") from None
    except OSError as error:
        raise Problem(f"{target} cannot be written: {error.strerror}") from None
    if as_json:
        print_json({"file": str(target), "bytes": file.row.size, "sha256": file.row.sha256})
    else:
        say(f"{target}: {file.row.size:,} bytes")


@app.command("remove")
def remove_file(
    *,
    account: AccountArgument,
    attachment: AttachmentId,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take a file off an account. A sweep clears its bytes later, unless a message took them with it."""
    from api.application.attachments import remove

    found = account_found(data, account, office)
    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        done = remove(issuing, found, attachment, caller, reason=reason)
    say_done(done, changed="The file is removed.", same="It was removed already.", as_json=as_json)


@app.command("sweep")
def sweep_files(
    *,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=0, max=36_500, metavar="N", help="Of what was removed, what is not older.")
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be cleared.")] = False,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Clear bytes that no fact tells of, that were removed long ago, or that were of people who were erased."""
    from api.application.attachments import sweep

    with guest(data, catch_up=False) as service:
        swept = sweep(service, keep_days=keep_days, only_count=dry_run)
    if as_json:
        print_json(swept.model_dump(mode="json"))
        return
    cleared = "would be cleared" if dry_run else "cleared"
    say(f"{swept.cleared:,} of {swept.objects:,} {cleared}, {swept.bytes_cleared:,} bytes.")
    if swept.of_others:
        note(f"{swept.of_others:,} are of accounts that are not known here; they were left alone.")
