"""`arrears inbound`: messages of customers that have to be read or assigned, or came elsewhere; `arrears thread`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.offices import say_done
from api.cli.opening import by_whom, command_of, commanding
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_moment
from api.cli.output import note, print_json, print_table, say, say_lines
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id
from api.cli.tables import key, prose, tabular, text, word

app = typer.Typer(no_args_is_help=True, help="Messages of customers: to be read, without an account, by hand.")


class Over(StrEnum):
    """As `aggregates.account.inbound.Incoming`, which takes longer to import; a test compares them."""

    SMS = "sms"
    EMAIL = "email"


class State(StrEnum):
    """How messages of customers stand."""

    TO_READ = "to-read"
    READ = "read"
    NOTED = "noted"


_RECEIVED = (
    word("received (UTC)", 1),
    key("account"),
    word("by", 2),
    word("state", 3),
    word("asks", 4),
    text("from", 5),
    prose("text"),
    word("message"),
)
_DOORS = (key("door"), text("from"))
_UNMATCHED = (word("received (UTC)", 1), word("by", 2), text("from"), prose("text"), word("message"))

InboundId = Annotated[UUID, typer.Argument(metavar="MESSAGE", help="The message's id, as inbound list shows it.")]


@app.callback()
def group() -> None:
    """Messages of customers: to be read, without an account, by hand."""


@app.command("list")
@tabular
def list_all(
    *,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Those from numbers and addresses that no account has.")
    ] = False,
    state: Annotated[State | None, typer.Option("--state", help="Only messages that stand so.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, metavar="N", help="The newest so many.")] = 50,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Messages of customers, the newest first; --state to-read has those that wait for a person."""
    if unmatched and (state is not None or office is not None):
        raise typer.BadParameter("--unmatched: messages without an account have no --state and no --office")

    def asked(ask: Ask) -> Any:
        if unmatched:
            return ask("/v1/inbound/unmatched", limit=limit)
        return ask("/v1/inbound", office=office, state=state and state.value, limit=limit)

    found = answered(data, asked)
    if as_json:
        print_json({"rows": [*found["items"]], "next_cursor": found["next"]})
        return
    rows = [*found["items"]]
    if not rows:
        say("There is no such message." if unmatched or state is not None else "No customer has written yet.")
        return
    print_table(_UNMATCHED, map(_unmatched, rows)) if unmatched else print_table(_RECEIVED, map(_received, rows))
    if found["next"] is not None:
        note("There are more: --limit N")


def _received(row: Mapping[str, Any]) -> tuple[object, ...]:
    at = read_moment(row["received_at"])
    said = _said(row)
    return at, row["number"], row["channel"], row["state"], row["request"] or "", row["sender"], said, row["inbound_id"]


def _unmatched(row: Mapping[str, Any]) -> tuple[object, ...]:
    return read_moment(row["received_at"]), row["channel"], row["sender"], _said(row), row["inbound_id"]


def _said(row: Mapping[str, Any]) -> str:
    return ": ".join(" ".join(each.split()) for each in (row["subject"], row["text"]) if each)


@app.command("add")
def add(
    *,
    account: AccountArgument,
    channel: Annotated[Over, typer.Option("--channel", help="By which it came.")],
    sender: Annotated[str, typer.Option("--from", metavar="POINT", help="The number or e-mail address it came from.")],
    said: Annotated[str, typer.Option("--text", metavar="TEXT", help="What it says.")],
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="Of an e-mail.")] = None,
    at: Annotated[
        datetime | None, typer.Option("--at", parser=read_moment, metavar="MOMENT", help="When. Default: now.")
    ] = None,
    answers: Annotated[
        UUID | None, typer.Option("--answers", metavar="MESSAGE", help="Our message that it answers.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record a message of the customer's that somebody got or heard of elsewhere. STOP and its like are honoured."""
    from aggregates.account.inbound import ReceiveMessage
    from api.application.inbound import receive_by_hand

    found = account_found(data, account, office)
    options = {"sender": "--from", "received_at": "--at", "in_reply_to": "--answers"}
    command = command_of(
        ReceiveMessage,
        options,
        account_id=found,
        channel=channel.value,
        sender=sender,
        text=said,
        subject=subject,
        received_at=at,
        in_reply_to=answers,
    )
    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        done = receive_by_hand(issuing, command, caller)
    if as_json:
        print_json({"account": account, "inbound_id": done.id})
    else:
        say(f"message {done.id}")


@app.command("assign")
def assign(
    *,
    message: InboundId,
    account: AccountArgument,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Put a message without an account on one, as if it had come there."""
    from api.application.inbound import assign

    found = account_found(data, account, office)
    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        done = assign(issuing, caller, message, found)
    say_done(done, changed=f"Message {message} is on account {account}.", same="It was there before.", as_json=as_json)


@app.command("discard")
def discard(
    *,
    message: InboundId,
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """A message is about no account: its text is destroyed."""
    from api.application.inbound import discard

    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        done = discard(issuing, caller, message)
    say_done(done, changed=f"Message {message} is discarded.", same="It was before.", as_json=as_json)


def read(
    *,
    account: AccountArgument,
    message: InboundId,
    stops: Annotated[
        bool | None,
        typer.Option("--stop/--no-stop", help="Of one that might ask for no more messages: whether it does."),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """A message of the customer's was read and dealt with: the sequence goes on."""
    from aggregates.account.inbound import MarkMessageRead

    found = account_found(data, account, office)
    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        done = issuing.issue(MarkMessageRead(account_id=found, inbound_id=message, stops=stops), caller)
    say_done(done, changed=f"Message {message} is read.", same="", as_json=as_json)


def thread(
    *,
    account: AccountArgument,
    number: Annotated[
        str | None, typer.Option("--number", metavar="POINT", help="Only this number or e-mail address.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """The conversations with the customer of an account, by number and e-mail address."""

    def asked(ask: Ask) -> Any:
        of = account_id(ask, account, office=office)
        return ask("/v1/accounts/{id}/threads", id=of, number=number)

    found = answered(data, asked)
    if as_json:
        print_json(found)
        return
    if not found["threads"]:
        if number is not None:
            raise Problem(f"there is no conversation with {number!r}")
        say("Nobody has written by text or e-mail yet.")
    for each in found["threads"]:
        _show(each)
    if found["next"] is not None:
        note("There are earlier messages: GET /v1/accounts/{id}/threads")


def _show(each: Mapping[str, Any]) -> None:
    opted_out = ", opted out" if each["opted_out"] else ""
    say(f"{each['channel']} {each['point'] or 'a number that is not known any more'}{opted_out}")
    for message in each["messages"]:
        who = "customer" if message["direction"] == "inbound" else "we"
        state = ", ".join([message["state"], *message["receipts"], *filter(None, [message["request"]])])
        say(f"{read_moment(message['at']):%Y-%m-%d %H:%M} UTC  {who} ({state})  {message['id']}")
        for line in (message["subject"], message["text"]):
            if line:
                say_lines("\n".join(f"    {part}" for part in line.split("\n")))
    say("")


def take_mail_once(data: Path | None, *, as_json: bool) -> None:
    """What is in the mailboxes now. Raises Problem where none is set up, and where one cannot be read."""
    from api.processes.parts import RECEIVE

    with commanding(data) as service:
        if not RECEIVE.is_wanted(service.env):
            raise Problem("no mailbox is set up", hint="docs/inbound.md describes every setting.")
        stored, away = RECEIVE.polling(service).once()
    if as_json:
        print_json({"stored": stored, "problems": away})
    else:
        say(f"{stored:,} {'mail is' if stored == 1 else 'mails are'} taken.")
    if away:
        raise Problem("; ".join(away))


@app.command("doors")
@tabular
def doors(*, as_json: AsJson = False) -> None:
    """What may come in, and from where, as the environment of this process says."""
    import os

    from adapters.inbound.mailboxes import mailboxes_of
    from adapters.inbound.setup import doors_of

    rows = [*doors_of(os.environ).described(), *((each.name, each.leads_from) for each in mailboxes_of(os.environ))]
    if as_json:
        print_json({"rows": [{"door": door, "from": leads_from} for door, leads_from in rows]})
    else:
        print_table(_DOORS, rows)


def add_to(root: typer.Typer) -> None:
    root.command("thread")(thread)
