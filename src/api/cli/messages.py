"""`arrears message`: writing to a customer by hand, and seeing beforehand what they would get."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli import inbound
from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.attachments import read_files
from api.cli.ending import ExitCode
from api.cli.lists import Accounts, Told, Wanted, each_of, require_one_or_list
from api.cli.offices import say_done
from api.cli.opening import by_whom, command_of, commanding, guest, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_moment
from api.cli.output import note, print_fields, print_json, print_table, say, say_lines
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id
from api.cli.tables import key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account.writing import SendMessage
    from api.application.attachments import GivenFile
    from api.processes.service import Service

app = typer.Typer(no_args_is_help=True, help="Messages: written by hand, and what became of them.")

_REFUSED_BY = (key("rule"), word("until (UTC)", 1), prose("because"))


class Standing(StrEnum):
    """How messages stand; `projections.messages` takes longer to import."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """What became of an uncertain message."""

    SENT = "sent"
    NOT_SENT = "not-sent"


class Over(StrEnum):
    """The channels; `aggregates.values.contact` takes longer to import."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    LETTER = "letter"
    PORTAL = "portal"


Channel = Annotated[Over, typer.Option("--channel", help="How the customer is reached.")]
Text = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="May have placeholders such as {{ amount_due }}: docs/messages.md"),
]
Template = Annotated[
    str | None, typer.Option("--template", metavar="NAME", help="Instead of a text, a template of the office.")
]
Subject = Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="Of an e-mail or a letter.")]
To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="POINT", help="Such as phone-2. Default: the first number or address that may be used."
    ),
]
IgnorePreferences = Annotated[
    bool,
    typer.Option(
        "--ignore-preferences", help="Though the customer prefers another channel; say why. Lifts no rule and no wish."
    ),
]

Attach = Annotated[
    list[Path] | None,
    typer.Option(
        "--attach", metavar="FILE", help="A file that it takes with it, and that the account keeps; repeatable."
    ),
]
AttachmentIds = Annotated[
    list[UUID] | None,
    typer.Option("--attachment", metavar="ID", help="A file of the account that it takes with it; repeatable."),
]
IgnoreMaxPerMinute = Annotated[
    bool, typer.Option("--ignore-max-per-minute", help="Without a turn among the office's messages a minute.")
]

_OPTIONS = {"attachment_ids": "--attachment", "text": "--text", "subject": "--subject", "point_id": "--to"}


@app.callback()
def group() -> None:
    """Messages: written by hand, and what became of them."""


app.command("read")(inbound.read)


_MESSAGES = (
    word("queued (UTC)", 1),
    key("account"),
    word("channel", 2),
    word("state"),
    text("what", 3),
    prose("why", 4),
    text("by", 6),
    word("message", 5),
)


@app.command("list")
@tabular
def list_all(
    *,
    account: Annotated[
        str | None, typer.Argument(metavar="ID|NUMBER", help="Only this account, by its number or its id.")
    ] = None,
    state: Annotated[Standing | None, typer.Option("--state", help="Only messages that stand so.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, metavar="N", help="The newest so many.")] = 50,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Messages of campaigns and by hand, and what became of them; the newest first."""

    def asked(ask: Ask) -> Any:
        wanted = state.value if state is not None else None
        if account is None:
            return ask("/v1/messages", office=office, state=wanted, limit=limit)
        of = account_id(ask, account, office=office)
        return ask("/v1/accounts/{id}/messages", id=of, state=wanted, limit=limit)

    found = answered(data, asked)
    rows = [*found["items"]]
    if as_json:
        print_json({"rows": rows, "next_cursor": found["next"]})
        return
    if not rows:
        say("There is no such message." if state is not None else "There is no message yet.")
        return
    print_table(_MESSAGES, map(_row, rows))
    if found["next"] is not None:
        note("There are more: --limit N")


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    what = row["step_title"] or "by hand"
    why = ": ".join(said for said in (row["code"], row["detail"]) if said)
    at = read_moment(row["queued_at"])
    return at, row["number"], row["channel"], row["state"], what, why, row["queued_by"], row["message_id"]


@app.command("send")
def send(
    *,
    account: Annotated[str | None, typer.Argument(metavar="ID|NUMBER", help="The account's number, or its id.")] = None,
    channel: Channel,
    text: Text = None,
    template: Template = None,
    subject: Subject = None,
    to: To = None,
    ignore_preferences: IgnorePreferences = False,
    ignore_max_per_minute: IgnoreMaxPerMinute = False,
    attach: Attach = None,
    attachment: AttachmentIds = None,
    accounts: Accounts = None,
    once: Annotated[
        str | None,
        typer.Option("--id", metavar="TEXT", help="The same again: nothing is sent a second time to an account."),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Write to the customer of an account now. Contact rules and opt-outs hold for it as for every message.

    With --accounts, exit code 3 where some were refused, and 1 where all were.
    """
    from api.application.attachments import written_with

    said = _said(channel, text, subject, to=to, ignore_preferences=ignore_preferences)
    said = {
        **said,
        "attachment_ids": tuple(attachment) if attachment else None,
        "ignore_max_per_minute": ignore_max_per_minute,
    }
    wanted = Wanted(account, accounts, data, office, reason, as_json)
    require_one_or_list(wanted)
    paused: dict[str, None] = {}
    files: list[GivenFile] = []
    """Read once, whatever the accounts are."""

    def does(service: "Service", of: UUID) -> Told:
        issuing, caller = by_whom(service, reason)
        if attach and not files:
            files.extend(read_files(service, attach))
        command, key = _command(service, of, template, said), None if once is None else f"{once}-{of}"
        command = written_with(service, issuing, command, files, caller, once=key)
        paused.update(dict.fromkeys(_notes(service, of)))
        done = issue(service, command, reason=reason, command_id=_command_id(once, of))
        is_new = bool(done.event_ids)
        more = {"message_id": done.id, "queued": is_new}
        return Told(f"message {done.id}", is_new=is_new, more=more)

    if account is None:
        try:
            each_of(wanted, does)
        finally:
            _note_all(paused)
        return
    found = account_found(data, account, office)
    with commanding(data) as service:
        told = does(service, found)
    _note_all(paused)
    if as_json:
        print_json({"account": account, **told.more})
    else:
        say(told.detail)


def _note_all(words: Iterable[str]) -> None:
    for each in words:
        note(each)


def _command_id(once: str | None, account: UUID) -> UUID | None:
    """The same for the same text and account."""
    from aggregates.kernel.command import identifier

    return None if once is None else identifier("message by hand", once, account)


@app.command("preview")
@tabular
def show_preview(
    *,
    account: AccountArgument,
    channel: Channel,
    text: Text = None,
    template: Template = None,
    subject: Subject = None,
    to: To = None,
    ignore_preferences: IgnorePreferences = False,
    attachment: AttachmentIds = None,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """A message as it would leave now, and everything that forbids it. Exit code 1 where something does."""
    from api.application.written_messages import preview

    said = _said(channel, text, subject, to=to, ignore_preferences=ignore_preferences)
    said = {**said, "attachment_ids": tuple(attachment) if attachment else None}
    found = account_found(data, account, office)
    with guest(data) as service:
        shown = preview(service, _command(service, found, template, said))
    said_of_it = shown.model_dump(mode="json")
    if as_json:
        print_json(said_of_it)
    else:
        show_message(said_of_it)
    if not shown.may_leave:
        raise typer.Exit(ExitCode.FAILED)


MessageId = Annotated[UUID, typer.Argument(metavar="MESSAGE", help="The message's id, as list shows it.")]


@app.command("retry")
def retry(
    *,
    account: AccountArgument,
    message: MessageId,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Send a message by hand that failed or was withdrawn once more, as another message, under the rules of now."""
    from api.application.written_messages import NotAgain, again

    found = account_found(data, account, office)
    with commanding(data) as service:
        try:
            command = again(service, found, message)
        except NotAgain as error:
            raise Problem(str(error)) from None
        done = issue(service, command, reason=reason)
    if as_json:
        print_json({"account": account, "message_id": done.id, "queued": bool(done.event_ids)})
    else:
        say(f"message {done.id}")


@app.command("withdraw")
def withdraw(
    *,
    account: AccountArgument,
    message: MessageId,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take back a message that is queued. One of a campaign is queued anew another day, if it still should."""
    from aggregates.account.messages import WithdrawMessage

    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, WithdrawMessage(account_id=found, message_id=message), reason=reason)
    say_done(done, changed=f"Message {message} is withdrawn.", same="", as_json=as_json)


@app.command("resolve")
def resolve(
    *,
    account: AccountArgument,
    message: MessageId,
    outcome: Annotated[Outcome | None, typer.Option("--as", help="Whether it left.", show_default=False)] = None,
    sent: Annotated[bool, typer.Option("--sent", help="The same as --as sent.")] = False,
    not_sent: Annotated[bool, typer.Option("--not-sent", help="The same as --as not-sent.")] = False,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of an uncertain message, and how you know. A step that did not leave has failed."""
    told = {*filter(None, [outcome, Outcome.SENT if sent else None, Outcome.NOT_SENT if not_sent else None])}
    if len(told) != 1:
        raise typer.BadParameter("expected one of them", param_hint="--sent, --not-sent")
    [outcome] = told
    from aggregates.account.messages import ResolveMessage

    found = account_found(data, account, office)
    with commanding(data) as service:
        said = {"account_id": found, "message_id": message, "outcome": outcome.value}
        done = issue(service, ResolveMessage.model_validate(said), reason=reason)
    left = "left" if outcome is Outcome.SENT else "did not leave"
    say_done(done, changed=f"Message {message} {left}.", same="", as_json=as_json)


def _command(service: "Service", account: UUID, template: str | None, said: Mapping[str, object]) -> "SendMessage":
    from aggregates.account.writing import SendMessage
    from api.application.written_messages import template_called

    named = template_called(service, account, template) if template is not None else None
    return command_of(SendMessage, _OPTIONS, account_id=account, template_id=named, **said)


def _said(
    channel: Over, text: str | None, subject: str | None, *, to: str | None, ignore_preferences: bool
) -> Mapping[str, object]:
    return {
        "channel": channel.value,
        "text": text,
        "subject": subject,
        "point_id": to,
        "ignore_preferences": ignore_preferences,
    }


def _notes(service: "Service", account: UUID) -> list[str]:
    from aggregates.account import Account
    from aggregates.office import Office
    from api.application.written_messages import notes_on

    office_id = service.arrears.load(Account, account).customer.office_id
    return [] if office_id is None else [*notes_on(service.arrears.load(Office, office_id), service.clock.now())]


def show_message(shown: Mapping[str, Any]) -> None:
    """A message as it would leave now, and everything that forbids it."""
    sms, fields = shown["sms"], [("by", shown["channel"])]
    if shown["language"] is not None:
        fields = [("to", shown["to"] or "nobody"), ("by", f"{shown['channel']}, in {shown['language']}")]
    if shown["characters"] is not None:
        size = f"{shown['characters']:,} characters"
        if sms is not None:
            parts = f"{sms['segments']} {'segment' if sms['segments'] == 1 else 'segments'}"
            size = f"{shown['characters']} of {sms['most_characters']} characters, {sms['alphabet']}, {parts}"
        fields.append(("length", size))
    if shown["subject"] is not None:
        fields.append(("subject", shown["subject"]))
    if shown["attachments"]:
        fields.append(("files", ", ".join(shown["attachments"])))
    print_fields(fields)
    if shown["body"] is not None:
        say_lines(f"\n{shown['body']}\n")
    if shown["problem"] is not None:
        say(f"This would not be sent: {shown['problem']}")
    if shown["refused_by"]:
        print_table(_REFUSED_BY, ((e["rule"], _moment(e["until"]), e["detail"]) for e in shown["refused_by"]))
    if shown["may_leave"]:
        say("It may leave now.")
    for each in shown["notes"]:
        note(each)


def _moment(said: str | None) -> datetime | None:
    return None if said is None else read_moment(said)
