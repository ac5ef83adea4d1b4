"""The commands, put together."""

import atexit
import gc
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.exceptions import TyperException

from api.cli import (
    accounts,
    agencies,
    allocation,
    attachments,
    backups,
    billing,
    bulk,
    calls,
    campaigns,
    carriers,
    cluster,
    collections_stage,
    complaints,
    contact,
    contract,
    deadletters,
    disputes,
    fees,
    freezing,
    holding_back,
    inbound,
    kafka,
    legal,
    log,
    messages,
    money,
    offices,
    payment_claims,
    payments,
    placements,
    projections,
    promises,
    replay,
    reports,
    roles,
    running,
    saved_filters,
    search,
    statements,
    subscriptions,
    templates,
    work,
    worklist,
    write_offs,
)
from api.cli.garbage import collect_once_all_is_imported
from api.cli.groups import CommandsWithGroups, GroupsWhenAsked
from api.cli.lean import load_structlog_alone
from api.cli.problems import problems_shown, show, show_defect
from api.cli.signals import end_when_told


class CommandLine(GroupsWhenAsked):
    """Known problems and wrong usage are said in a line or two, never with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        with problems_shown():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        if any(map(_has_surrogate, given)):
            show("an argument is not text in UTF-8")
            sys.exit(2)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except TyperException as error:
            if not standalone_mode:
                raise
            if message := error.format_message():  # nothing, where there were no arguments: the help is shown by now
                context = getattr(error, "ctx", None)
                show(message, f"{context.command_path} --help" if context else "")
            sys.exit(error.exit_code)
        except typer.Abort:
            show("stopped; nothing was changed")
            sys.exit(1)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


app = CommandsWithGroups(
    name="arrears",
    cls=CommandLine,
    help="Recovers past-due receivables, and proves that each step was allowed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CommandLine.declared = app

for commands in (
    running, roles, cluster, billing, reports, accounts, allocation, payments, money, holding_back, calls,
    collections_stage, freezing, search, statements, inbound, backups, kafka, replay,
):  # fmt: skip
    commands.add_to(app)
for name, group in (
    ("office", offices),
    ("campaign", campaigns),
    ("contact", contact),
    ("message", messages),
    ("inbound", inbound),
    ("template", templates),
    ("dispute", disputes),
    ("promise", promises),
    ("claim", payment_claims),
    ("write-off", write_offs),
    ("complaint", complaints),
    ("legal", legal),
    ("attachment", attachments),
    ("bulk", bulk),
    ("filter", saved_filters),
    ("fee", fees),
    ("subscription", subscriptions),
    ("agency", agencies),
    ("placement", placements),
    ("work", work),
    ("worklist", worklist),
    ("projections", projections),
    ("deadletters", deadletters),
    ("carriers", carriers),
    ("log", log),
    ("schemas", contract),
):
    app.add_typer(group.app, name=name)


def _has_surrogate(argument: str) -> bool:
    """What the system's bytes become where they are no text."""
    return any("\ud800" <= letter <= "\udfff" for letter in argument)


def main() -> None:
    """The command `arrears`."""
    sys.excepthook = show_defect
    atexit.register(gc.freeze)  # else its end looks through all that it holds once more: seconds, for a full cache
    collect_once_all_is_imported()
    load_structlog_alone()
    end_when_told()
    app(prog_name="arrears")
