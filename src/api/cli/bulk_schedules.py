"""`arrears bulk schedule`: bulk actions that are made by themselves, once or every period, on a saved filter."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.filters import with_options
from api.cli.opening import by_whom, commanding, issue
from api.cli.options import AsJson, Currency, DataDir, OfficeCode, Reason, read_day, read_moment, wrong_parameter
from api.cli.output import note, print_fields, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import Ask, Refused
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from datetime import date, datetime

app = typer.Typer(no_args_is_help=True, help="Bulk actions that are made by themselves, on a saved filter.")

ScheduleId = Annotated[UUID, typer.Argument(metavar="ID", help="The schedule's id, as list shows it.")]

_MOST = 500
_SHOWN = 50


def add_kind(name: str, parameters: Mapping[str, Any], said_of: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """The command that schedules a kind: its parameters, then the filter, when, and how large it may be."""

    def schedule(
        *,
        data: Any,
        office: Any,
        currency: Any,
        filter: str,  # noqa: A002
        at: "datetime | None",
        every: str | None,
        on: str | None,
        start: "date | None",
        most_accounts: int,
        most_amount: str | None,
        reason: Any,
        as_json: bool,
        **options: Any,
    ) -> None:
        from aggregates.bulk.schedule import Period
        from api.application.bulk import WrongParameter
        from api.application.bulk_schedules import Times, WrongSchedule, schedule_bulk

        if every is not None and every not in {*Period}:
            raise typer.BadParameter(f"--every {every}: expected one of {', '.join(Period)}")
        why = reason if options.get("ignore_preferences") else None  # a message's own option has the same name
        with commanding(data) as service:
            try:
                done = schedule_bulk(
                    service,
                    *by_whom(service, reason),
                    kind=name,
                    said=said_of({**options, "reason": why}),
                    office=office,
                    saved=filter,
                    currency=currency,
                    times=Times(at=at, every=Period(every) if every else None, on=on, starts_on=start),
                    most_accounts=most_accounts,
                    most_amount=most_amount,
                )
            except WrongParameter as wrong:
                raise wrong_parameter(wrong) from None
            except WrongSchedule as wrong_schedule:
                option = "from" if wrong_schedule.field == "starts_on" else wrong_schedule.field
                raise typer.BadParameter(f"--{option.replace('_', '-')}: {wrong_schedule.expected}") from None
            service.drain()
        if as_json:
            print_json({"id": done.id})
        else:
            say(f"Schedule {done.id} is made.")
            note(f"When, and what came of it: arrears bulk schedule show {done.id}")

    options = {
        **parameters, "data": DataDir, "office": OfficeCode, "currency": Currency, "filter": _FILTER, "at": _AT,
        "every": _EVERY, "on": _ON, "start": _FROM, "most_accounts": _MOST_ACCOUNTS, "most_amount": _MOST_AMOUNT,
        "reason": Reason, "as_json": AsJson,
    }  # fmt: skip
    means = f"Make {name} by itself, once or every period; what is too large waits for a person."
    with_options(schedule, means, options, required=("to", "filter", "most_accounts"))
    app.command(name)(schedule)


_FILTER = Annotated[str, typer.Option("--filter", metavar="NAME", help="A saved filter: arrears filter save NAME.")]
_AT = Annotated[
    Any, typer.Option("--at", parser=read_moment, metavar="MOMENT", help="Once, such as 2026-03-31T09:00Z.")
]
_EVERY = Annotated[str | None, typer.Option("--every", metavar="day|week|month", help="Again and again.")]
_ON = Annotated[str | None, typer.Option("--on", metavar="DAY", help="Of a week: monday; of a month: 1 to 31.")]
_FROM = Annotated[Any, typer.Option("--from", parser=read_day, metavar="DAY", help="Not before. Default: today.")]
_MOST_ACCOUNTS = Annotated[
    int, typer.Option("--most-accounts", min=0, metavar="N", help="With more it waits for a person.")
]
_MOST_AMOUNT = Annotated[
    str | None, typer.Option("--most-amount", metavar="AMOUNT", help="With a larger sum it waits for a person.")
]


_LIST = (
    word("schedule", 4), key("kind"), text("filter"), text("when", 1), text("next", 2), figure("most", 5),
    figure("runs", 6), word("last", 3),
)  # fmt: skip
_RUNS = (key("due"), word("outcome"), figure("accounts", 2), word("bulk action", 1), prose("why", 3))


@app.command("list")
@tabular
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Schedules, the newest first; those that are over too."""
    page = answered(data, lambda ask: ask("/v1/bulk-schedules", office=office, limit=_MOST))
    found = [*page["items"]]
    if as_json:
        print_json(found)
        return
    if not found:
        say("There is no schedule yet: arrears bulk schedule KIND --filter NAME --every month --most-accounts N")
        return
    print_table(
        _LIST,
        (
            [each["id"], each["kind"], each["filter"], when(each), next_of(each), each["most_accounts"], each["runs"],
             each["last_outcome"]]
            for each in found
        ),
    )  # fmt: skip


def when(schedule: Mapping[str, Any]) -> str:
    """`every month on 1`, or `once`."""
    if schedule["every"] is None:
        return "once"
    return f"every {schedule['every']}" + (f" on {schedule['on']}" if schedule["on"] else "")


def next_of(schedule: Mapping[str, Any]) -> str | None:
    """The moment or day on which it is due next."""
    if schedule["cancelled_at"] is not None:
        return "ended"
    if schedule["next_at"] is not None:
        return f"{read_moment(schedule['next_at']):%Y-%m-%d %H:%M} UTC"
    return str(schedule["next_on"]) if schedule["next_on"] else "over"


@app.command("show")
@tabular
def show(schedule_id: ScheduleId, data: DataDir = None, as_json: AsJson = False) -> None:
    """A schedule, and which bulk action it made when."""

    def asked(ask: Ask) -> Any:
        found = ask("/v1/bulk-schedules/{id}", id=str(schedule_id))
        return found, ask("/v1/bulk-schedules/{id}/runs", id=str(schedule_id), limit=_MOST if as_json else _SHOWN)

    try:
        found, page = answered(data, asked)
    except Refused as refusal:
        if refusal.reason_code == "unknown-bulkschedule":
            raise Problem("there is no such schedule", hint="arrears bulk schedule list") from None
        raise
    runs = [*page["items"]]
    if as_json:
        print_json({**found, "history": runs})
        return
    most = f"{found['most_accounts']:,} accounts"
    if found["most_amount"] is not None:
        most += f", {found['most_amount']} {found['currency']}"
    print_fields(
        (
            ("id", found["id"]),
            ("kind", found["kind"]),
            ("filter", found["filter"]),
            ("when", when(found)),
            ("next", next_of(found)),
            ("at most", most),
            ("made by", found["made_by"]),
        )
    )
    if runs:
        say("")
        print_table(_RUNS, (_run(each) for each in runs))


def _run(run: Mapping[str, Any]) -> list[Any]:
    due = run["due_on"] or f"{read_moment(run['due_at']):%Y-%m-%d %H:%M} UTC"
    return [due, run["outcome"] or "is made", run["accounts"], run["bulk_id"], run["detail"] or None]


@app.command("cancel")
def cancel(schedule_id: ScheduleId, data: DataDir = None, reason: Reason = None, as_json: AsJson = False) -> None:
    """End a schedule. What it did stays done; what waits for a person still does."""
    from aggregates.bulk.schedule import CancelSchedule

    with commanding(data) as service:
        done = issue(service, CancelSchedule(schedule_id=schedule_id), reason=reason)
        service.drain()
    if as_json:
        print_json({"id": schedule_id, "changed": bool(done.event_ids)})
    else:
        say(f"Schedule {schedule_id} is ended.")
