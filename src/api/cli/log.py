"""`arrears log`: proving the log."""

import typer

from api.cli.opening import guest
from api.cli.options import AsJson, DataDir
from api.cli.output import print_json, say
from api.cli.progress import Bars

app = typer.Typer(no_args_is_help=True, help="The append-only log.")

_SHOWN = 100


@app.callback()
def group() -> None:
    """The append-only log."""


@app.command("verify")
def verify(data: DataDir = None, as_json: AsJson = False) -> None:
    """Prove that nothing in the log was changed, removed, added or reordered. Exit code 1 where something was."""
    findings = []
    with guest(data, catch_up=False) as service, Bars() as bars:
        for finding in service.verify(bars.bar("Verifying")):
            findings.append(finding)
            if not as_json and len(findings) <= _SHOWN:
                say(str(finding))
        head = service.feed.head()
    if as_json:
        print_json({"events": head, "intact": not findings, "findings": findings})
    elif findings:
        say(f"{len(findings):,} findings: this log is not as it was sealed.")
    else:
        say(f"{head:,} events, every one as it was sealed.")
    if findings:
        raise typer.Exit(1)


@app.command("find-again")
def find_again(data: DataDir = None) -> None:
    """Write anew, from the log, by which numbers accounts are found. Only where `verify` says that it is not right."""
    from adapters.eventstore.holders import write_anew

    with guest(data, catch_up=False) as service, service.database.connect() as connection:
        written = write_anew(connection)
    say(f"{written:,} written, as the log says.")
