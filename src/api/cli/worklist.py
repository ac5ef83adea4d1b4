"""`arrears worklist`: what has to be done, the most urgent first; put off, given to others; days that are closed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.offices import say_done
from api.cli.opening import by_whom, command_of, commanding, issue
from api.cli.options import Account, AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_moment
from api.cli.output import note, print_json, print_table, say
from api.cli.questions import Ask, account_id
from api.cli.tables import figure, key, prose, tabular, text, word

app = typer.Typer(help="What has to be done about accounts, and by whom.")

Agent = Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Whose, and what is nobody's.")]
ItemId = Annotated[UUID, typer.Argument(metavar="ITEM", help="The item's id, as worklist shows it.")]

_ITEMS = (
    figure("score"),
    key("account"),
    text("customer", 6),
    text("what", 1),
    word("due", 2),
    text("assignee", 3),
    figure("amount", 4),
    prose("why", 7),
    word("item", 5),
)
_UNDOCUMENTED = (word("since (UTC)", 3), key("account"), word("kind", 2), text("id"))
_DAYS = (
    key("day"),
    word("office", 1),
    text("agent"),
    figure("contacts", 3),
    figure("follow-ups", 4),
    figure("remaining", 5),
    word("closed (UTC)", 2),
)


@app.callback(invoke_without_command=True)
@tabular
def list_items(
    *,
    context: typer.Context,
    agent: Agent = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Such as follow-up, undocumented or complaint.")
    ] = None,
    account: Account = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, metavar="N", help="The first so many.")] = 50,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """What has to be done about accounts, and by whom: the highest score first."""
    if context.invoked_subcommand is not None:
        return

    def asked(ask: Ask) -> Any:
        of = None if account is None else account_id(ask, account, office=office)
        found = ask("/v1/worklist", limit=limit, agent=agent, kind=kind, office=office, account_id=of)
        if kind is not None or of is not None:
            return found, [], []
        waits = ask("/v1/bulk", limit=limit, office=office, waiting="true")["items"]
        return found, waits, ask("/v1/bulk-schedules", limit=limit, office=office, failed="true")["items"]

    found, waits, fails = answered(data, asked)
    rows, waiting, failed = [*found["items"]], [*waits], [*fails]
    if as_json:
        print_json({"rows": rows, "next_cursor": found["next"], "waiting": waiting, "failed": failed})
        return
    for each in waiting:
        say(f"Waits for a person: bulk action {each['id']} ({each['kind']}, {each['accounts']:,} accounts)")
    for each in failed:
        say(f"Could not be made: schedule {each['id']} ({each['kind']} on {each['filter']}): {each['last_detail']}")
    if not rows:
        say("Nothing is to be done." if not waiting and not failed else "Nothing else is to be done.")
        return
    print_table(_ITEMS, map(_row, rows))
    if found["next"] is not None:
        note("There are more: --limit N")


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    what = row["says"] if row["what"] is None else f"{row['says']} ({row['what'].replace('-', ' ')})"
    why = "; ".join(f"{part['points']} {part['because']}" for part in row["why"])
    due = row["due_on"] if row["due_at"] is None else f"{read_moment(row['due_at']):%Y-%m-%d %H:%M} UTC"
    amount = None if row["amount"] is None else f"{row['amount']} {row['currency']}"
    return (
        row["score"], row["number"] or row["account_id"], row["customer_name"], what, due, row["assignee"],
        amount, why, row["item_id"],
    )  # fmt: skip


@app.command("done")
def complete(
    *,
    account: AccountArgument,
    item: ItemId,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that a follow-up or task was done. Everything else ends with what it is about."""
    from aggregates.account.activities import CompleteFollowUp

    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, CompleteFollowUp(account_id=found, activity_id=item), reason=reason)
    say_done(done, changed="It is done.", same="", as_json=as_json)


@app.command("snooze")
def snooze(
    *,
    account: AccountArgument,
    item: ItemId,
    until: Annotated[
        datetime, typer.Option("--until", parser=read_moment, metavar="MOMENT", help="Until when it is not shown.")
    ],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Put something off. Needs a --reason. A case is shown again on its last day all the same."""
    from aggregates.account.worklist import SnoozeWorklistItem

    found = account_found(data, account, office)
    with commanding(data) as service:
        command = command_of(SnoozeWorklistItem, {}, account_id=found, item_id=item, until=until)
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"It is put off until {until:%Y-%m-%d %H:%M} UTC.", same="", as_json=as_json)


@app.command("assign")
def assign(
    *,
    account: AccountArgument,
    item: ItemId,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="Who does it. Default: nobody, and everybody sees it.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give something to somebody else. Whoever made a contact says themselves how it ended."""
    from aggregates.account.worklist import ReassignWorklistItem

    found = account_found(data, account, office)
    with commanding(data) as service:
        command = command_of(ReassignWorklistItem, {"assignee": "--to"}, account_id=found, item_id=item, assignee=to)
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"It is given to {to or 'nobody'}.", same="It was theirs already.", as_json=as_json)


@app.command("close-day")
@tabular
def close(
    *,
    agent: Annotated[str, typer.Option("--agent", metavar="NAME", help="Whose day.")],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Close an agent's day. Exit code 1, and the contacts, where any of theirs are not documented."""
    from api.application.worklist import ContactsUndocumented, close_day

    with commanding(data) as service:
        try:
            done = close_day(service, *by_whom(service, reason), agent=agent, office=office)
        except ContactsUndocumented as refused:
            open_contacts = refused
        else:
            service.drain()
            say_done(done, changed=f"The day of {agent} is closed.", same="It was closed so already.", as_json=as_json)
            return
    contacts = [each.model_dump(mode="json") for each in open_contacts.contacts]
    if as_json:
        print_json({"changed": False, "undocumented": contacts})
    else:
        say(f"{str(open_contacts)[:1].upper()}{str(open_contacts)[1:]}.")
        print_table(
            _UNDOCUMENTED,
            ([read_moment(each["at"]), each["number"], each["kind"], each["id"]] for each in contacts),
        )
    raise typer.Exit(ExitCode.FAILED)


@app.command("closed-days")
@tabular
def list_days(
    *,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Whose.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, metavar="N", help="The newest so many.")] = 100,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Days that agents closed, the newest first."""
    found = answered(data, lambda ask: ask("/v1/closed-days", office=office, agent=agent, limit=limit))
    rows = found["items"]
    if as_json:
        print_json({"rows": rows, "next_cursor": found["next"]})
        return
    if found["next"] is not None:
        note("There are more: --limit N")
    if rows:
        print_table(
            _DAYS,
            (
                [
                    each["day"], each["office"], each["agent"], each["contacts"], each["follow_ups"],
                    each["remaining"], read_moment(each["closed_at"]),
                ]
                for each in rows
            ),
        )  # fmt: skip
    else:
        say("No day was closed yet.")
