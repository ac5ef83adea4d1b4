"""`arrears call`: calls that people make, judged before they begin and documented when they end; `arrears activity`."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.lists import Accounts, OneAccount, Told, Wanted, each_of, require_one_or_list
from api.cli.offices import say_done
from api.cli.opening import by_whom, command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, is_id, read_day, read_moment
from api.cli.output import note, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id
from api.cli.tables import key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.values.contact import RuleRefusal
    from api.processes.step_by_step import StepByStep

call = typer.Typer(no_args_is_help=True, help="Calls that people make: judged before they begin, documented after.")
activity = typer.Typer(no_args_is_help=True, help="What people did outside: recorded, and corrected.")

Disposition = Annotated[
    str,
    typer.Option("--disposition", metavar="CODE", help="How it ended, as the office defines it: office show --json."),
]
MaybeDisposition = Annotated[
    str | None,
    typer.Option("--disposition", metavar="CODE", help="How it ended; without one a contact is undocumented."),
]
Notes = Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="What was said.")]
Assignee = Annotated[str | None, typer.Option("--assignee", metavar="NAME", help="Who comes back to it.")]
FollowUp = Annotated[
    date | None, typer.Option("--follow-up", parser=read_day, metavar="DAY", help="When. Default: as the office says.")
]
FollowUpAt = Annotated[
    datetime | None,
    typer.Option("--follow-up-at", parser=read_moment, metavar="MOMENT", help="When, to the minute; no day is needed."),
]
At = Annotated[
    datetime | None, typer.Option("--at", parser=read_moment, metavar="MOMENT", help="When it was. Default: now.")
]

_MOST = 200
"""Calls in a list."""
_REFUSALS = (key("rule"), word("basis", 1), word("allowed from (UTC)", 2), word("override", 3), prose("because"))
_UNDOCUMENTED = (word("since (UTC)", 3), key("account"), word("kind", 2), text("agent", 1), text("id"))


def add_to(root: typer.Typer) -> None:
    root.add_typer(call, name="call")
    root.add_typer(activity, name="activity")


@call.callback()
def call_group() -> None:
    """Calls that people make: judged before they begin, documented after."""


@activity.callback()
def activity_group() -> None:
    """What people did outside: recorded, and corrected."""


# --- calls ---------------------------------------------------------------------------------------------


@call.command("start")
@tabular
def start(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="POINT", help="A number, such as phone-1. Default: the first that may be called."),
    ] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Lift house policy, with a --reason. Nobody lifts a law.")
    ] = False,
    agent_phone: Annotated[
        str | None,
        typer.Option(
            "--agent-phone",
            envvar="ARREARS_AGENT_PHONE",
            metavar="NUMBER",
            help="Where you are: the voice carrier rings there, and puts you through. Default: you dial.",
        ),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Begin a call, if contact rules allow it; else say every rule that refuses it. Exit code 1 where one does.

    With --accounts, exit code 3 where some were refused, and 1 where all were; nobody dials for you then.
    """
    from aggregates.account import Account
    from aggregates.account.calls import StartCall
    from api.application.dialling import ClickToCall, call_of
    from api.application.issuing import ContactRefused

    wanted = Wanted(account, accounts, data, office, reason, as_json)
    require_one_or_list(wanted)

    def begins(of: UUID) -> StartCall:
        return command_of(StartCall, {"point_id": "--to"}, account_id=of, point_id=to, override=override)

    def does(service: "StepByStep", of: UUID) -> Told:
        started = service.arrears.load(Account, of).calls.open[issue(service, begins(of), reason=reason).id]
        more = {"call": str(started.id), "point_id": started.point_id, "number": started.number}
        return Told(f"Call {started.id} to {started.number} ({started.point_id}) has begun.", more=more)

    if account is None:
        each_of(wanted, does)
        return
    found = account_found(data, account, office)
    started = None
    refusals: tuple[RuleRefusal, ...] = ()
    with commanding(data) as service:
        try:
            issuing, caller = by_whom(service, reason)
            done = ClickToCall.of(service, issuing).start(begins(found), caller, agent_phone=agent_phone, reason=reason)
            started = call_of(service, found, done.id)
        except ContactRefused as refused:
            refusals = refused.refusals
    if started is None:
        tell_refusals("The call is refused by {}.", refusals, as_json=as_json)
        raise typer.Exit(ExitCode.FAILED)
    if as_json:
        print_json(
            {"call": str(started.id), "point_id": started.point_id, "number": started.number, "state": started.state}
        )
    else:
        say(f"Call {started.id} to {started.number} ({started.point_id}) has begun.")
        if started.state is not None:
            note(_FAR[started.state])
        note(f"When it is over: arrears call end {account} {started.id} --disposition …")


_FAR = {
    "asked": "Nobody knows whether the carrier placed it. It is not placed again.",
    "placed": "The carrier rings you, and then the customer.",
    "not-placed": "The carrier did not place it: dial the number yourself.",
    "over": "The call is over.",
}
_LOOK_SECONDS = 2.0


@call.command("show")
def show_call(
    *,
    account: AccountArgument,
    call_id: Annotated[str, typer.Argument(metavar="CALL", help="The call's id.")],
    wait: Annotated[bool, typer.Option("--wait", help="Until the carrier says that it has ended.")] = False,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """How far the carrier is with a call that is not documented yet; how it ended is recorded."""
    from adapters.stop import pause
    from api.application.dialling import ClickToCall

    found = account_found(data, account, office)
    with commanding(data) as service:
        issuing, caller = by_whom(service, None)
        calls = ClickToCall.of(service, issuing)
        shown = calls.look_up(found, _id(call_id, "CALL"), caller)
        while wait and shown.state == "placed":
            pause(service.stop, _LOOK_SECONDS)
            shown = calls.look_up(found, _id(call_id, "CALL"), caller)
    if as_json:
        print_json(shown.model_dump(mode="json"))
        return
    say(_FAR[shown.state] if shown.state is not None else "It is not placed by a carrier: you dial.")
    if shown.result is not None:
        lasted = f", {shown.seconds} seconds" if shown.seconds is not None else ""
        say(f"{shown.result.replace('-', ' ').capitalize()}{lasted}.")
        note(f"arrears call end {account} {call_id} --disposition {shown.disposition or '…'}")


@call.command("script")
def show_script(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """What to ask and to say in a call about an account, in this order."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}/call-script", id=account_id(ask, account, office=office))

    script = answered(data, asked)
    if as_json:
        print_json(script)
        return
    for at, step in enumerate(script["steps"], 1):
        of_law = f" [{step['source']}]" if "source" in step else ""
        say(f"{at}. {step['text']}{of_law}")
        if "known" in step:
            say(f"   We have {step['known']}.")
        if "problem" in step:
            note(f"   Not filled in: {step['problem']}")


@call.command("end")
def end(
    *,
    account: AccountArgument,
    call_id: Annotated[str, typer.Argument(metavar="CALL", help="The call's id.")],
    disposition: Disposition,
    notes: Notes = None,
    assignee: Assignee = None,
    follow_up: FollowUp = None,
    follow_up_at: FollowUpAt = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say how a call ended, and when to come back to it."""
    from aggregates.account.activities import EndCall

    found = account_found(data, account, office)
    with commanding(data) as service:
        command = command_of(
            EndCall,
            {"follow_up_on": "--follow-up"},
            account_id=found,
            call_id=_id(call_id, "CALL"),
            disposition=disposition,
            notes=notes,
            assignee=assignee,
            follow_up_on=follow_up,
            follow_up_at=follow_up_at,
        )
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Call {call_id} is documented.", same="It was so already.", as_json=as_json)


@call.command("list")
@tabular
def list_calls(
    *,
    undocumented: Annotated[
        bool, typer.Option("--undocumented", help="Contacts of which nobody said how they ended, calls and others.")
    ] = False,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Whose.")] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Calls that were made, the newest first; or contacts that are not documented, the oldest first."""
    if not undocumented:
        found = answered(data, lambda ask: ask("/v1/activity", limit=_MOST, type="call", agent=agent, office=office))
        rows = found["items"]
        if as_json:
            print_json({"rows": [*rows]})
        else:
            columns = (word("day", 4), key("account"), prose("what", 3), text("by", 1))
            print_table(columns, ([r["effective_on"], r["number"], r["summary"], r["actor"]] for r in rows))
        if found["next"] is not None:
            note(f"There are more: these are the newest {len(rows)}.")
        return
    rows = answered(data, lambda ask: ask("/v1/undocumented-contacts", office=office, agent=agent))
    if as_json:
        print_json({"rows": rows})
    elif rows:
        print_table(_UNDOCUMENTED, ([read_moment(r["at"]), r["number"], r["kind"], r["agent"], r["id"]] for r in rows))
    else:
        say("Every contact is documented.")


# --- what was done outside -----------------------------------------------------------------------------


@activity.command("add")
@tabular
def add(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="call, sms, email, letter, note or task.")],
    disposition: MaybeDisposition = None,
    notes: Notes = None,
    inbound: Annotated[bool, typer.Option("--inbound", help="The customer began it.")] = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="POINT", help="The number or address, such as phone-1.")
    ] = None,
    assignee: Assignee = None,
    follow_up: FollowUp = None,
    follow_up_at: FollowUpAt = None,
    at: At = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record what was done outside. Contact rules that it broke are recorded with it, and said.

    With --accounts, exit code 3 where some were refused, and 1 where all were.
    """
    from aggregates.account.activities import RecordActivity

    direction = "internal" if kind in {"note", "task"} else "inbound" if inbound else "outbound"
    wanted = Wanted(account, accounts, data, office, reason, as_json)
    require_one_or_list(wanted)

    def recorded(service: "StepByStep", of: UUID) -> "tuple[UUID, tuple[RuleRefusal, ...]]":
        command = command_of(
            RecordActivity,
            {"follow_up_on": "--follow-up", "point_id": "--to"},
            account_id=of,
            kind=kind,
            direction=direction,
            disposition=disposition,
            notes=notes,
            point_id=to,
            assignee=assignee,
            follow_up_on=follow_up,
            follow_up_at=follow_up_at,
            at=at,
        )
        done = issue(service, command, reason=reason)
        return done.id, _broken(service.arrears.history, of, done.id)

    def does(service: "StepByStep", of: UUID) -> Told:
        made, broken = recorded(service, of)
        rules = f" It broke {', '.join(each.rule for each in broken)}." if broken else ""
        return Told(f"Activity {made} is recorded.{rules}", more=_as_json(made, broken))

    if account is None:
        each_of(wanted, does)
        return
    found = account_found(data, account, office)
    with commanding(data) as service:
        made, broken = recorded(service, found)
    if as_json:
        print_json(_as_json(made, broken))
        return
    say(f"Activity {made} is recorded.")
    if broken:
        tell_refusals("It broke {}, which is recorded with it.", broken, as_json=False)


def _as_json(activity_id: UUID, broken: "Iterable[RuleRefusal]") -> dict[str, Any]:
    return {"id": str(activity_id), "violations": [each.model_dump(mode="json") for each in broken]}


def _broken(history: Any, account: UUID, activity_id: UUID) -> "tuple[RuleRefusal, ...]":
    from aggregates.account import Account
    from aggregates.account.activities import ActivityRecorded

    for recorded in reversed(history(Account, account)):
        event = recorded.event
        if isinstance(event, ActivityRecorded) and event.activity_id == activity_id:
            return event.violations or ()
    return ()


@activity.command("correct")
def correct(
    *,
    account: AccountArgument,
    activity_id: Annotated[str, typer.Argument(metavar="ACTIVITY", help="The activity's id.")],
    disposition: MaybeDisposition = None,
    notes: Notes = None,
    assignee: Assignee = None,
    follow_up: FollowUp = None,
    follow_up_at: FollowUpAt = None,
    at: At = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say anew what an activity was, all of it: a new fact, which points to the one that was wrong."""
    from aggregates.account.activities import CorrectActivity

    found = account_found(data, account, office)
    with commanding(data) as service:
        command = command_of(
            CorrectActivity,
            {"follow_up_on": "--follow-up"},
            account_id=found,
            activity_id=_id(activity_id, "ACTIVITY"),
            disposition=disposition,
            notes=notes,
            assignee=assignee,
            follow_up_on=follow_up,
            follow_up_at=follow_up_at,
            at=at,
        )
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Corrected: it is activity {done.id} now.", same="It was so already.", as_json=as_json)


# --- inside --------------------------------------------------------------------------------------------


def tell_refusals(what: str, refusals: "Iterable[RuleRefusal]", *, as_json: bool) -> None:
    """Every rule, with its counts and from when it alone would allow."""
    found = list(refusals)
    if as_json:
        print_json({"refusals": [each.model_dump(mode="json") for each in found]})
        return
    say(what.format(f"{len(found)} {'rule' if len(found) == 1 else 'rules'}"))
    print_table(
        _REFUSALS,
        (
            (each.rule, each.basis, each.allowed_from, "possible" if each.may_override else None, _because(each))
            for each in found
        ),
    )


def _because(refusal: "RuleRefusal") -> str:
    return f"{refusal.detail} ({refusal.source})"


def _id(said: str, what: str) -> UUID:
    if not is_id(said):
        raise Problem(f"{what} {said!r}: expected an id")
    return UUID(said)
