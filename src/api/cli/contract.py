"""`arrears schemas`: the public contract in a checkout, built from the models and checked against them."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import AsJson
from api.cli.output import print_json, say

app = typer.Typer(no_args_is_help=True, help="The public contract, built from the models and checked against them.")

Root = Annotated[
    Path, typer.Option("--root", metavar="DIR", file_okay=False, exists=True, help="The checkout. Default: here.")
]


@app.command("build")
def build(
    root: Root = Path(),
    unreleased: Annotated[
        bool, typer.Option("--unreleased", help="The committed versions were never released: let them change.")
    ] = False,
) -> None:
    """Write schemas/ and the generated pages of docs/. A released event version that would break is refused."""
    from api.contract.folder import build as write

    written = write(root, unreleased=unreleased)
    for path in written:
        say(f"wrote {path}")
    if not written:
        say("The files are what the models say; nothing to do.")


@app.command("check")
def check(
    root: Root = Path(),
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="COMMIT", help="What was released. Default: the latest tag v*, else HEAD."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fail where the committed files differ from the models, or a released event version would break."""
    from api.contract.folder import differences, incompatibilities

    found = list(differences(root))
    broken = incompatibilities(root, against=against)
    if as_json:
        print_json({"differences": found, "breaks": broken})
    else:
        for each in (*found, *broken):
            say(str(each))
        if found and not broken:
            say("Run: arrears schemas build")
        if broken:
            say("A released version never changes: raise the event's version and register an upcaster.")
        if not found and not broken:
            say("The contract is what the models say, and breaks nothing that was released.")
    if found or broken:
        raise typer.Exit(1)
