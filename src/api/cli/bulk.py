"""`arrears bulk`: one change to many accounts of the collections report, previewed, confirmed and undone."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.application.leaving_words import leaving_in_words
from api.cli import bulk_schedules
from api.cli.asking import answered
from api.cli.filters import SAVED, filter_options, given_of, with_options
from api.cli.messages import show_message
from api.cli.opening import by_whom, command_of, commanding, issue
from api.cli.options import AsJson, AsOf, Currency, DataDir, OfficeCode, Reason, read_moment, wrong_parameter
from api.cli.output import Format, note, print_csv, print_fields, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import Refused
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from api.application.bulk import ChangedSincePreview
    from api.processes.step_by_step import StepByStep
    from projections.questions.bulk import BulkView

app = typer.Typer(no_args_is_help=True, help="One change to many accounts: previewed, confirmed, undone.")
preview_app = typer.Typer(
    no_args_is_help=True, help="Freeze the accounts that a change would be about; nothing changes."
)
app.add_typer(preview_app, name="preview")
app.add_typer(bulk_schedules.app, name="schedule")

BulkId = Annotated[UUID, typer.Argument(metavar="ID", help="The bulk action's id, as preview and list show it.")]
As = Annotated[Format, typer.Option("--format", help="A table for people; CSV or JSON for programs.")]

_MOST = 500
_MESSAGE = "message"
"""The kind whose rows have texts."""
_PATIENCE_SECONDS, _LOOK_SECONDS = 600.0, 0.05
_SHOWN = 50
_STABLE = ("id", "kind", "state", "accounts", "total", "currency")
"""What comes first in every answer."""


# --- preview -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kind, as an option."""

    name: str
    metavar: str
    help: str
    is_repeated: bool = False
    is_flag: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of bulk action, as a command."""

    help: str
    parameters: tuple[Parameter, ...]


KINDS: Mapping[str, Kind] = {
    "flags": Kind(
        "Put flags of the office on accounts, or take them off.",
        (
            Parameter("add", "FLAG", "A flag of the office to put on; may be repeated.", is_repeated=True),
            Parameter("remove", "FLAG", "A flag to take off; may be repeated.", is_repeated=True),
        ),
    ),
    "fees": Kind(
        "Add a fee to accounts, on a new invoice of a fee service type.",
        (
            Parameter(
                "basis",
                "BASIS",
                "What it is taken of: fixed, balance-percent; of invoices fixed-per-customer, invoice-balance-percent,"
                " invoice-total-percent; initial-discount-percent.",
            ),
            Parameter("amount", "AMOUNT", "Of a fixed one, such as 10.00."),
            Parameter("percent", "PERCENT", "Of any other, such as 5 or 1.5."),
            Parameter("service_type", "TYPE", "One of the office's service types of fees, such as late-fee."),
            Parameter("include_fees", "", "Take it of fee invoices too.", is_flag=True),
            Parameter("include_disputed", "", "Take it of disputed amounts too.", is_flag=True),
            Parameter("include_unfulfilled", "", "Of subscriptions that are not fulfilled too.", is_flag=True),
            Parameter("without_paid_since", "", "Leave out who has paid since the day of --as-of.", is_flag=True),
        ),
    ),
    "stage": Kind(
        "Say where accounts stand with an outside agency.",
        (Parameter("to", "STAGE", "The collections stage that the accounts get: not set, pending or sent."),),
    ),
    "freeze": Kind(
        "Freeze accounts and all their subscriptions for a reason of the office: their chase rests.",
        (Parameter("code", "CODE", "A reason of the office, such as moved."),),
    ),
    "rollback": Kind(
        "Roll frozen accounts back to active, with the subscriptions frozen with them. Others are skipped.", ()
    ),
    "write-off": Kind(
        "Write off all that accounts owe, for a reason of the office.",
        (
            Parameter("code", "CODE", "A reason of the office, such as small-balance."),
            Parameter("below", "AMOUNT", "Only balances below this: others are refused."),
            Parameter("claim", "keep|release", "Whether what comes in later pays what was written off. Default: keep."),
        ),
    ),
    "arm": Kind(
        "Place accounts with an agency, which gets the report's file.",
        (Parameter("agency", "AGENCY", "An agency of the office."),),
    ),
    "placement": Kind(
        "Place accounts with an agency, which gets a file of its layout.",
        (Parameter("agency", "AGENCY", "An agency of the office."),),
    ),
    "message": Kind(
        "Send a message to the customer of each account. It cannot be undone.",
        (
            Parameter("channel", "CHANNEL", "Over which it is sent: sms, email, letter, voice or portal."),
            Parameter("template", "NAME", "A template of the office, in each customer's language."),
            Parameter("text", "TEXT", "What it says, with the placeholders of templates."),
            Parameter("subject", "TEXT", "Of an e-mail or a letter; a template has its own."),
            Parameter(
                "ignore_preferences",
                "",
                "Send it though the customer prefers another channel; say why with --reason.",
                is_flag=True,
            ),
            Parameter("reason", "TEXT", "Why preferences are ignored. It is recorded with each message."),
            Parameter(
                "ignore_max_per_minute", "", "Send without a turn among the office's messages a minute.", is_flag=True
            ),
        ),
    ),
}
"""Those of `aggregates.account.bulk_kinds.BULK_KINDS`, which takes a second to import."""


def _of_report() -> dict[str, Any]:
    """The options that say which accounts."""
    many = typer.Option("--account", metavar="ID|NUMBER", help="Only this account; may be repeated.")
    return {
        "data": DataDir, "office": OfficeCode, "currency": Currency, "as_of": AsOf, "filter": SAVED, **filter_options(),
        "account": Annotated[list[str] | None, many], "as_json": AsJson,
    }  # fmt: skip


def _preview_of(name: str, kind: Kind) -> Callable[..., None]:
    """The command that previews a kind: its parameters, then the report's filters."""

    def preview(
        *,
        data: Any,
        office: Any,
        currency: Any,
        as_of: Any,
        filter: Any,  # noqa: A002
        account: Any,
        as_json: bool,
        **options: Any,
    ) -> None:
        said = _said_of(kind, options)
        filters = given_of(options)
        with commanding(data) as service:
            service.drain()
            found = _previewed(
                service,
                name,
                said,
                filters,
                office=office,
                currency=currency,
                as_of=as_of,
                saved=filter,
                accounts=account or [],
            )
            would = _would(service, found) if name == _MESSAGE else {}
        if as_json:
            print_json({**_stable(found), **would})
            return
        say(f"Bulk action {found.id}: {_accounts(found.accounts)}{_total(found)}. Nothing was changed.")
        if would:
            _say_would(would)
            note("A message cannot be undone.")
        note(f"Look: arrears bulk show {found.id}. Then: arrears bulk confirm {found.id}")

    means = f"{kind.help} Freezes the accounts and how they are; nothing is changed."
    with_options(preview, means, {**_options_of(kind), **_of_report()})
    return preview


def _said_of(kind: Kind, options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a kind as they were said."""
    return {each.name: options[each.name] or [] if each.is_repeated else options[each.name] for each in kind.parameters}


def _options_of(kind: Kind) -> dict[str, Any]:
    """An option for each parameter of a kind."""
    options: dict[str, Any] = {}
    for each in kind.parameters:
        named = f"--{each.name.replace('_', '-')}"
        if each.is_flag:
            options[each.name] = Annotated[bool, typer.Option(named, help=each.help)]
            continue
        option = typer.Option(named, metavar=each.metavar, help=each.help)
        options[each.name] = Annotated[list[str] | None if each.is_repeated else str | None, option]
    return options


for _name, _kind in KINDS.items():
    preview_app.command(_name)(_preview_of(_name, _kind))
    bulk_schedules.add_kind(_name, _options_of(_kind), partial(_said_of, _kind))


def _previewed(
    service: "StepByStep",
    kind: str,
    said: Mapping[str, Any],
    filters: Mapping[str, str],
    *,
    office: str | None,
    currency: str | None,
    as_of: date | None,
    saved: str | None,
    accounts: Sequence[str],
) -> "BulkView":
    from adapters.bulk.freezing import Selection
    from api.application.bulk import WrongParameter, preview
    from projections.questions import Filters

    of = Selection(
        office=office,
        currency=currency,
        as_of=as_of,
        filters=command_of(Filters, {}, **filters),
        accounts=tuple(accounts),
        saved=saved,
    )
    try:
        done = preview(service, *by_whom(service, None), kind=kind, said=said, of=of)
    except WrongParameter as wrong:
        raise wrong_parameter(wrong) from None
    service.drain()
    return _until_ended(service, done.id)


def _would(service: "StepByStep", found: "BulkView") -> dict[str, Any]:
    """What would become of the messages: how many may leave, which rule would refuse how many, which are too long."""
    from api.application.bulk import bulk_in_full
    from projections.questions.bulk import TOO_LONG, bulk_rows

    with service.database.connect("arrears_app") as connection:
        counted = bulk_in_full(service, connection, found.id) or found
        too_long = bulk_rows(connection, found.id, rule=TOO_LONG, limit=_MOST).rows if counted.too_long else ()
    return {
        "may_leave": counted.may_leave,
        "leaving": None if counted.leaving is None else counted.leaving.model_dump(mode="json"),
        "refused_by": counted.refused_by,
        "too_long": counted.too_long,
        "too_long_accounts": [each.account for each in too_long],
    }


def _how_they_leave(leaving: Mapping[str, Any], count: int) -> str:
    return str(leaving_in_words(leaving, count, lambda at: f"{read_moment(at):%Y-%m-%d %H:%M} UTC"))


def _say_would(would: Mapping[str, Any]) -> None:
    say(f"May leave: {would['may_leave']:,}.")
    if would["may_leave"] and would["leaving"] is not None:
        say(f"Confirmed now, {_how_they_leave(would['leaving'], would['may_leave'])}.")
    if would["refused_by"]:
        say(f"Would be refused by {_rules(would['refused_by'])}.")
    if would["too_long"]:
        more = would["too_long"] - len(would["too_long_accounts"])
        named = ", ".join(would["too_long_accounts"]) + (f" and {more:,} more" if more else "")
        say(f"Longer than an SMS may be: {named}.")


def _rules(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{rule}: {count:,}" for rule, count in counts.items())


# --- export ------------------------------------------------------------------------------------------


def _export(
    *,
    data: Any,
    to: Path,
    force: bool,
    bom: bool,
    office: Any,
    currency: Any,
    as_of: Any,
    filter: Any,  # noqa: A002
    as_json: bool,
    **options: Any,
) -> None:
    from adapters.bulk.freezing import Selection
    from api.application.export import ExportFormat, export
    from projections.questions import Filters

    format = to.suffix.removeprefix(".").lower()  # noqa: A001
    if format not in {ExportFormat.CSV, ExportFormat.XLSX}:
        raise typer.BadParameter(f"{to}: expected a file that ends with .xlsx or .csv")
    if bom and format != ExportFormat.CSV:
        raise typer.BadParameter("--bom: expected for a .csv file only")
    if to.exists() and not force:
        raise Problem(f"{to} is there already", hint="another name, or --force to replace it")
    kind = ExportFormat.CSV_BOM if bom else ExportFormat(format)
    filters = command_of(Filters, {}, **given_of(options))
    of = Selection(office=office, currency=currency, as_of=as_of, filters=filters, saved=filter)
    with commanding(data) as service:
        service.drain()
        try:
            bulk_id, rows = export(service, *by_whom(service, None), of, format=kind, to=to)
        except OSError as error:
            raise Problem(f"{to} cannot be written: {error.strerror or error}") from None
    if as_json:
        print_json({"id": bulk_id, "file": str(to), "rows": rows})
    else:
        say(f"{to}: {_accounts(rows)}.")


_to = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Ends with .xlsx or .csv.")]
_force = Annotated[bool, typer.Option("--force", help="Replace a file of this name.")]
_bom = Annotated[bool, typer.Option("--bom", help="CSV with a byte order mark, for spreadsheets that ask for one.")]
with_options(
    _export,
    "Write the collections report into a workbook or a CSV file. Who took it, and how many rows, is recorded.",
    {
        "to": _to,
        "force": _force,
        "bom": _bom,
        **{name: each for name, each in _of_report().items() if name != "account"},
    },
)
app.command("export")(_export)


# --- look --------------------------------------------------------------------------------------------

_LIST = (
    word("bulk action"),
    word("kind"),
    word("state"),
    figure("accounts", 4),
    figure("done", 5),
    word("by", 2),
    word("previewed", 3),
)


@app.command("list")
@tabular
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Bulk actions, the newest first."""
    page = answered(data, lambda ask: ask("/v1/bulk", office=office, limit=_MOST))
    found = page["items"]
    if page["next"] is not None:
        note(f"There are more: these are the newest {len(found)}.")
    if as_json:
        print_json(found)
        return
    if not found:
        say("There is no bulk action yet.")
        return
    names = ("accounts", "done", "previewed_by")
    print_table(
        _LIST,
        (
            [each["id"], each["kind"], _state(each), *(each[n] for n in names), read_moment(each["previewed_at"])]
            for each in found
        ),
    )


def _state(found: Mapping[str, Any]) -> str:
    waits = found["state"] == "previewed" and found.get("schedule_id") is not None
    return "waits for a person" if waits else str(found["state"])


_ROWS = (key("account"), figure("amount"), word("outcome"), prose("reason", 2), text("undone", 1))


@app.command("show")
@tabular
def show(
    *,
    bulk_id: BulkId,
    text_of: Annotated[
        str | None,
        typer.Option("--text", metavar="ACCOUNT", help="The message to this account, as it would leave now."),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="RULE", help="Only messages that this rule would refuse; or sms-too-long."),
    ] = None,
    data: DataDir = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
) -> None:
    """A bulk action and its accounts: what it is about, how far it is, and what came of each."""
    chosen = Format.JSON if as_json else format

    def ask_and_show(ask: Any) -> None:
        if text_of is not None:
            shown = ask("/v1/bulk/{id}/text", id=str(bulk_id), account=text_of)
            if chosen is Format.JSON:
                print_json(shown)
            else:
                show_message(shown)
            return
        found = ask("/v1/bulk/{id}", id=str(bulk_id))
        limit = _SHOWN if chosen is Format.TABLE else None
        page = ask("/v1/bulk/{id}/rows", id=str(bulk_id), rule=rule, limit=limit)
        match chosen:
            case Format.JSON:
                rest = {name: value for name, value in found.items() if name not in _STABLE}
                print_json({**{name: found[name] for name in _STABLE}, **rest, "rows": [*page["items"]]})
            case Format.CSV:
                header = ("account", "amount", "outcome", "reason", "undone", "undone_reason")
                print_csv(header, ([_cell(row, name) for name in header] for row in page["items"]))
            case Format.TABLE:
                _show_table(found, page)

    try:
        answered(data, ask_and_show)
    except Refused as refusal:
        if refusal.reason_code == "unknown-bulk":
            raise _no_bulk() from None
        raise


def _show_table(found: Mapping[str, Any], page: Mapping[str, Any]) -> None:
    counts = ("done", "changed", "refused", "skipped", "undone", "kept")
    fields = [
        *((name, found[name]) for name in ("id", "kind", "state", "accounts")),
        *([("total", f"{Decimal(found['total']):,f} {found['currency']}")] if found["total"] is not None else []),
        ("does", ", ".join(f"{n} {_said(v)}" for n, v in found["parameters"].items() if v) or None),
        (
            "of",
            ", ".join(f"{n} {_said(v)}" for n, v in found["filters"].items()) or "every account that owes something",
        ),
        ("office", found["office"]),
        ("as of", found["as_of"]),
        ("previewed by", found["previewed_by"]),
        ("confirmed by", found["confirmed_by"]),
        ("undone by", found["undo_begun_by"]),
        *([("may leave", f"{found['may_leave']:,}")] if found["may_leave"] is not None else []),
        *([("they leave", _how_they_leave(found["leaving"], found["may_leave"]))] if found["leaving"] else []),
        *([("would be refused", _rules(found["refused_by"]))] if found["refused_by"] else []),
        *([("too long", f"{found['too_long']:,}")] if found["too_long"] else []),
        *([("asked", f"{found['asked']:,} of {found['accounts']:,}")] if found["confirmed_by"] else []),
        *((name, found[name]) for name in counts if found[name]),
    ]
    print_fields((name, value) for name, value in fields if value is not None)
    say("")
    print_table(
        _ROWS,
        (
            [
                row["account"],
                _cell(row, "amount"),
                row["outcome"],
                "; ".join(each for each in (row["reason"], row["undone_reason"]) if each),
                row["undone"],
            ]
            for row in page["items"]
        ),
    )
    if page["next"] is not None:
        note("There are more: --format csv for all.")


def _cell(row: Mapping[str, Any], name: str) -> Any:
    return Decimal(row[name]) if name == "amount" and row[name] is not None else row[name]


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# --- confirm, cancel, undo ---------------------------------------------------------------------------


@app.command("confirm")
def confirm(
    *,
    bulk_id: BulkId,
    without_changed: Annotated[
        bool, typer.Option("--without-changed", help="Leave out accounts that changed since the preview.")
    ] = False,
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Do what was previewed, and exactly that. Where any account changed since, nothing is done."""
    from api.application.bulk import ChangedSincePreview
    from api.application.bulk import confirm as confirmed

    with commanding(data) as service:
        service.drain()
        try:
            confirmed(service, *by_whom(service, reason), bulk_id, without_changed=without_changed)
        except ChangedSincePreview as changed:
            raise _changed(changed) from None
        found = _until_ended(service, bulk_id, is_shown=lambda found: found.state != "previewed")
    _say_ended(found, as_json=as_json)


def _changed(changed: "ChangedSincePreview") -> Problem:
    more = changed.total - len(changed.accounts)
    lines = [str(changed), *changed.accounts, *([f"and {more:,} more"] if more else [])]
    return Problem("\n".join(lines), hint="preview it anew; or do the rest: --without-changed")


@app.command("cancel")
def cancel(bulk_id: BulkId, data: DataDir = None, reason: Reason = None, as_json: AsJson = False) -> None:
    """Stop it: before it is confirmed, or before its next accounts. What was done stays done, and can be undone."""
    from aggregates.bulk.action import CancelBulk

    with commanding(data) as service:
        issue(service, CancelBulk(bulk_id=bulk_id), reason=reason)
        service.drain()
        found = _found(service, bulk_id)
    _say_ended(found, as_json=as_json)


@app.command("undo")
@tabular
def undo(
    *,
    bulk_id: BulkId,
    only_show: Annotated[bool, typer.Option("--show", help="Only show what an undo would do.")] = False,
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Reverse what it changed on each account; what somebody changed since is left as it is, and named.

    Once more it asks those accounts that did not reverse it; nothing is reversed twice.
    """
    from aggregates.bulk.action import BeginBulkUndo

    if only_show:
        _show_undo(data, bulk_id, as_json=as_json)
        return
    with commanding(data) as service:
        before = _found(service, bulk_id)
        asked = issue(service, BeginBulkUndo(bulk_id=bulk_id), reason=reason)
        is_new = bool(asked.event_ids)  # else it is under way, or there is nothing left to reverse
        found = _until_ended(
            service, bulk_id, is_shown=lambda now: not is_new or now.undo_begun_at != before.undo_begun_at
        )
    if as_json:
        print_json(_stable(found))
        return
    say(f"Bulk action {found.id} is {found.state}: reversed on {_accounts(found.undone)}.")
    if left := found.done - found.undone:
        note(f"On {_accounts(left)} it stays, or some of it. Which and why: arrears bulk show {found.id}")


_UNDO = (key("account"), figure("amount"), word("undo"), prose("reason", 1))


def _show_undo(data: Any, bulk_id: UUID, *, as_json: bool) -> None:
    try:
        found = answered(data, lambda ask: ask("/v1/bulk/{id}/undo", id=str(bulk_id)))
    except Refused as refusal:
        if refusal.reason_code == "unknown-bulk":
            raise _no_bulk() from None
        raise
    rest = {name: value for name, value in found.items() if name not in {"items", "next"}}
    if as_json:
        print_json({**rest, "rows": [*found["items"]]})
        return
    amount = "" if found["amount"] is None else f", {Decimal(found['amount']):,f} {found['currency']}"
    say(f"An undo would reverse all of it on {found['can_be_undone']:,} of {_accounts(found['accounts'])}{amount}.")
    for why, count in found["reasons"].items():
        say(f"Not, or not all of it, on {_accounts(count)}: {why}.")
    say("")
    print_table(
        _UNDO,
        (
            [each["account"], _cell(each, "amount"), "yes" if each["can_be_undone"] else "not all", each["reason"]]
            for each in found["items"]
        ),
    )


def _until_ended(
    service: "StepByStep", bulk_id: UUID, *, is_shown: "Callable[[BulkView], bool]" = lambda _: True
) -> "BulkView":
    """Once every account was asked, by whomever. Raises NotReached where that does not go on.

    Beside a running service what was just asked is shown a moment later: `is_shown` says whether it is.
    """
    from adapters.readers.runner import NotReached
    from adapters.stop import pause

    moved, since = -1, time.monotonic()
    while True:
        service.drain()
        found = _looked_up(service, bulk_id)
        if found is not None and found.state not in {"running", "undoing"} and is_shown(found):
            return found
        if found is not None and (asked := found.asked + found.undone + found.kept) != moved:
            moved, since = asked, time.monotonic()
        elif time.monotonic() - since > _PATIENCE_SECONDS:
            raise NotReached("the bulk action does not go on: arrears work list")
        pause(service.stop, _LOOK_SECONDS)


# --- inside ------------------------------------------------------------------------------------------


def _found(service: "StepByStep", bulk_id: UUID) -> "BulkView":
    found = _looked_up(service, bulk_id)
    if found is None:
        raise _no_bulk()
    return found


def _looked_up(service: "StepByStep", bulk_id: UUID) -> "BulkView | None":
    from projections.questions.bulk import bulk_action

    with service.database.connect("arrears_app") as connection:
        return bulk_action(connection, bulk_id)


def _no_bulk() -> Problem:
    return Problem("there is no such bulk action", hint="arrears bulk list")


def _stable(found: "BulkView") -> dict[str, Any]:
    return {name: getattr(found, name) for name in _STABLE}


def _say_ended(found: "BulkView", *, as_json: bool) -> None:
    if as_json:
        print_json(_stable(found))
        return
    counts = {name: getattr(found, name) for name in ("done", "changed", "refused", "skipped")}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "done")
    say(f"Bulk action {found.id} is {found.state}: {said}.")
    if found.changed or found.refused:
        note(f"Which and why: arrears bulk show {found.id}")


def _accounts(count: int) -> str:
    return "1 account" if count == 1 else f"{count:,} accounts"


def _total(found: "BulkView") -> str:
    return "" if found.total is None else f", {found.total:,f} {found.currency}"
