"""`arrears office`: settings, and pausing all of an office's automation."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.application.settings import model_from, read_toml
from api.cli.asking import answered
from api.cli.opening import commanding, issue
from api.cli.options import AsJson, DataDir, Reason, read_day, read_moment
from api.cli.output import print_fields, print_json, say, shown
from api.cli.questions import no_office

if TYPE_CHECKING:
    from aggregates.office import ChangeOfficeSettings, Office
    from api.application.issuing import Done
    from api.processes.service import Service

app = typer.Typer(no_args_is_help=True, help="Offices: settings, opening, pausing their automation.")

Code = Annotated[str, typer.Argument(metavar="CODE", help="The office's code.")]
Since = Annotated[
    datetime | None,
    typer.Option("--from", parser=read_moment, metavar="MOMENT", help="It may lie in the past. Default: now."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", parser=read_moment, metavar="MOMENT", help="Default: until it is resumed."),
]
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_window(text: str) -> tuple[time, time]:
    match = re.fullmatch(r"(\d{1,2}:\d{2})-(\d{1,2}:\d{2})", text)
    try:
        return time.fromisoformat(match[1].zfill(5)), time.fromisoformat(match[2].zfill(5))  # type: ignore[index]
    except (ValueError, TypeError):
        raise typer.BadParameter(f"{text!r}: expected hours such as 09:00-18:00") from None


def read_weekdays(text: str) -> frozenset[int]:
    days: set[int] = set()
    try:
        for part in text.lower().split(","):
            first, _, last = part.strip().partition("-")
            days.update(range(_WEEKDAYS.index(first), _WEEKDAYS.index(last or first) + 1))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected days such as mon-fri or mon,tue,sat") from None
    return frozenset(days)


def read_bounds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected the last day of each bucket, such as 30,60,90,120") from None


@app.command("show")
def show(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="Which office. Default: all.")] = None,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show an office and its settings, or all offices."""
    views = answered(data, lambda ask: ask("/v1/offices"))
    if code is not None:
        views = [view for view in views if view["code"] == code]
        if not views:
            raise no_office(code)
    if as_json:
        print_json(views[0] if code is not None else views)
        return
    if not views:
        say("There is no office yet: arrears office open CODE --title … or arrears import FILE")
    for view in views:
        _tell(view)


def _tell(view: Mapping[str, Any]) -> None:
    say(f"{view['code']}: {view['title']}")
    window, calendar, flags = view["window"], view["calendar"], sorted(view["flags"].items())
    weekdays = ", ".join(_WEEKDAYS[day] for day in sorted(calendar["weekdays"]))
    fields = [
        ("currency", view["currency"]),
        ("time zone", view["time_zone"]),
        ("aging buckets", ", ".join(bucket["name"] for bucket in view["scheme"]["buckets"])),
        (
            "flags",
            ", ".join(
                f"{code}{' (blocks)' if flag['blocks'] else ''}{' (retired)' if flag.get('retired') else ''}"
                for code, flag in flags
            ),
        ),
        ("messages leave", f"{window['opens'][:5]} to {window['closes'][:5]}, {weekdays}"),
        ("holidays", ", ".join(sorted(calendar["holidays"])) or "none"),
        ("at most", _limits(view["limits"])),
        ("promises", f"{view['grace_days']} days of grace"),
        ("casework", _casework(view["casework"])),
        ("fee service types", ", ".join(view["fee_service_types"]) or "none"),
        (
            "written off for",
            ", ".join(sorted(view.get("write_off_reasons") or _STANDARD_WRITE_OFF_REASONS)),
        ),
        ("fees", _fees(view.get("fees"))),
        ("frozen for", ", ".join(sorted(view.get("freeze_reasons") or _STANDARD_FREEZE_REASONS))),
        ("address", ", ".join(view.get("address") or ()) or "none"),
        ("script of calls", " / ".join(view.get("call_script") or ()) or "the standard"),
        ("contact rules", _contact(view.get("contact") or {})),
        ("campaigns", len(view["campaign_ids"])),
    ]
    if pause := view["pause"]:
        until = shown(read_moment(pause["paused_until"])) if pause["paused_until"] else "it is resumed"
        fields.append(("PAUSED", f"from {shown(read_moment(pause['paused_from']))} UTC until {until}"))
    print_fields(fields)


@app.command("open")
def open_office(
    *,
    code: Code,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Default: the code.")] = None,
    currency: Annotated[str, typer.Option("--currency", metavar="ISO")] = "USD",
    time_zone: Annotated[str, typer.Option("--time-zone", metavar="ZONE")] = "UTC",
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Open an office, with one currency and one time zone. Again with the same settings changes nothing."""
    from adapters.billing.currencies import CURRENCIES
    from aggregates.office import OpenOffice

    if currency not in CURRENCIES:
        raise typer.BadParameter(f"--currency {currency!r}: expected an ISO 4217 code such as USD")
    said = {"code": code, "title": title or code, "currency": currency, "time_zone": time_zone}
    command = model_from(OpenOffice, said)
    with commanding(data) as service:
        done = issue(service, command)
    say_done(done, changed=f"Office {code} is open.", same=f"Office {code} was open already.", as_json=as_json)


@app.command("set")
def change(
    *,
    code: Code,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, metavar="FILE", help="Sections as TOML: docs/cli.md."),
    ] = None,
    buckets: Annotated[
        Any, typer.Option("--buckets", parser=read_bounds, metavar="30,60,…", help="Last day of each.")
    ] = None,
    flag: Annotated[
        list[str] | None,
        typer.Option("--flag", metavar="CODE=TITLE", help="Add a flag, or change one; CODE=TITLE:blocks blocks."),
    ] = None,
    remove_flag: Annotated[list[str] | None, typer.Option("--remove-flag", metavar="CODE")] = None,
    window: Annotated[
        Any, typer.Option("--window", parser=read_window, metavar="09:00-18:00", help="When messages leave.")
    ] = None,
    freeze_reason: Annotated[
        list[str] | None,
        typer.Option("--freeze-reason", metavar="CODE=TITLE", help="Why accounts are frozen; may be repeated."),
    ] = None,
    remove_freeze_reason: Annotated[list[str] | None, typer.Option("--remove-freeze-reason", metavar="CODE")] = None,
    write_off_reason: Annotated[
        list[str] | None,
        typer.Option("--write-off-reason", metavar="CODE=TITLE", help="Why debt is written off; may be repeated."),
    ] = None,
    remove_write_off_reason: Annotated[
        list[str] | None, typer.Option("--remove-write-off-reason", metavar="CODE")
    ] = None,
    retire_flag: Annotated[
        list[str] | None,
        typer.Option("--retire-flag", metavar="CODE", help="Accounts keep it, and no account is given it any more."),
    ] = None,
    weekdays: Annotated[
        Any, typer.Option("--weekdays", parser=read_weekdays, metavar="mon-fri", help="Business days.")
    ] = None,
    holiday: Annotated[
        list[date] | None, typer.Option("--holiday", parser=read_day, metavar="DAY", help="Add one; repeatable.")
    ] = None,
    max_per_minute: Annotated[int | None, typer.Option("--max-per-minute", min=1, metavar="N")] = None,
    max_per_day: Annotated[
        int | None, typer.Option("--max-per-day", min=0, metavar="N", help="Messages; 0: as many as are due.")
    ] = None,
    grace_days: Annotated[
        int | None, typer.Option("--grace-days", min=0, max=60, metavar="N", help="How late a promise may be.")
    ] = None,
    claim_days: Annotated[
        int | None,
        typer.Option(
            "--claim-days", min=1, max=365, metavar="N", help="How long what is said to be paid is not chased."
        ),
    ] = None,
    complaint_days: Annotated[
        int | None,
        typer.Option("--complaint-days", min=1, max=365, metavar="N", help="In how many a complaint is answered."),
    ] = None,
    suit_rests: Annotated[
        bool | None, typer.Option("--suit-rests/--suit-goes-on", help="Whether the chase of who is sued rests.")
    ] = None,
    dispute_reason: Annotated[
        list[str] | None,
        typer.Option("--dispute-reason", metavar="CODE=TITLE", help="Add one; no other is taken then. Repeatable."),
    ] = None,
    remove_dispute_reason: Annotated[list[str] | None, typer.Option("--remove-dispute-reason", metavar="CODE")] = None,
    fee_service_types: Annotated[str | None, typer.Option("--fee-service-types", metavar="A,B")] = None,
    fee_rule: Annotated[
        list[str] | None,
        typer.Option("--fee-rule", metavar="NAME=VALUE", help="A rule of fees: docs/fees.md; VALUE none takes it off."),
    ] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", metavar="ZONE")] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="LINE", help="Where it is; once a line. Empty takes it off."),
    ] = None,
    call_script: Annotated[
        list[str] | None,
        typer.Option("--call-script", metavar="LINE", help="What agents say; once a line. Empty: the standard."),
    ] = None,
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Change the settings that are given; the others stay. Every account is judged anew where that matters."""
    sections: dict[str, Any] = read_toml(file) if file else {}
    with commanding(data) as service:
        office = find_office(service, code)
        if buckets is not None:
            sections["scheme"] = _scheme(buckets)
        if flag or remove_flag or retire_flag:
            sections["flags"] = _flags(office, flag or [], remove_flag or [], retire_flag or [])
        if freeze_reason or remove_freeze_reason:
            sections["freeze_reasons"] = _reasons(
                "freeze-reason", office.freeze_reasons, freeze_reason or [], remove_freeze_reason or []
            )
        if write_off_reason or remove_write_off_reason:
            sections["write_off_reasons"] = _reasons(
                "write-off-reason", office.write_off_reasons, write_off_reason or [], remove_write_off_reason or []
            )
        if window is not None:
            sections["window"] = {"opens": window[0], "closes": window[1]}
        if weekdays is not None or holiday:
            sections["calendar"] = {
                "weekdays": weekdays if weekdays is not None else office.calendar.weekdays,
                "holidays": office.calendar.holidays | set(holiday or []),
            }
        limits = {"max_per_minute": max_per_minute, "max_per_day": max_per_day}
        if given_limits := {name: value or None for name, value in limits.items() if value is not None}:
            sections["limits"] = {**office.limits.model_dump(), **given_limits}
        rules: dict[str, Any] = {
            "claim_days": claim_days,
            "complaint_days": complaint_days,
            "suit_rests": suit_rests,
        }
        if dispute_reason or remove_dispute_reason:
            known = office.casework.dispute_reasons
            rules["dispute_reasons"] = _reasons(
                "dispute-reason", known, dispute_reason or [], remove_dispute_reason or []
            )
        if given_rules := {name: value for name, value in rules.items() if value is not None}:
            sections["casework"] = {**office.casework.model_dump(), **given_rules}
        if fee_service_types is not None:
            sections["fee_service_types"] = [part.strip() for part in fee_service_types.split(",") if part.strip()]
        if fee_rule:
            sections["fees"] = {**office.fees.model_dump(), **_fee_rules(fee_rule)}
        if address is not None:
            sections["address"] = [line for line in address if line.strip()]
        if call_script is not None:
            sections["call_script"] = [line for line in call_script if line.strip()]
        given = {"grace_days": grace_days, "time_zone": time_zone}
        sections |= {name: value for name, value in given.items() if value is not None}
        if not sections:
            raise typer.BadParameter("nothing to change: give a setting, or --file")
        done = issue(service, _settings(office, sections, file), reason=reason)
    say_done(done, changed=f"Office {code} is changed.", same=f"Office {code} was so already.", as_json=as_json)


def _reasons(option: str, known: Mapping[str, str], changed: list[str], removed: list[str]) -> dict[str, str]:
    """Titles by code, as CODE=TITLE changes them."""
    reasons = dict(known)
    for code in removed:
        if reasons.pop(code, None) is None:
            raise typer.BadParameter(f"--remove-{option} {code!r}: expected one of {', '.join(sorted(reasons))}")
    for text in changed:
        code, equals, title = text.partition("=")
        if not equals or not title:
            raise typer.BadParameter(f"--{option} {text!r}: expected CODE=TITLE")
        reasons[code] = title
    return reasons


def _fee_rules(said: list[str]) -> dict[str, Any]:
    """What `NAME=VALUE` says; whether a name is known the office's settings say."""
    found: dict[str, Any] = {}
    for text in said:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise typer.BadParameter(f"--fee-rule {text!r}: expected NAME=VALUE, such as terms-days=14")
        found[name.replace("-", "_")] = None if value == "none" else value
    return found


def _fees(rules: Mapping[str, Any] | None) -> str:
    """The rules that say something."""
    said = {name: value for name, value in (rules or {}).items() if value not in (None, False)}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in said.items()) or "as the standard is"


def _casework(rules: dict[str, Any]) -> str:
    rests = "rests" if rules["suit_rests"] else "goes on"
    return (
        f"payment claims {rules['claim_days']} days, complaints {rules['complaint_days']} days;"
        f" the chase of who is sued {rests};"
        f" reasons of disputes: {', '.join(sorted(rules['dispute_reasons'])) or 'any'}"
    )


_STANDARD_WRITE_OFF_REASONS = ("bankruptcy", "deceased", "other", "settled", "small-balance", "uncollectible")
_STANDARD_FREEZE_REASONS = ("customer-request", "moved", "non-payment", "other")
"""Those of `aggregates.office`, which takes a second to import."""


def _contact(contact: Mapping[str, Any]) -> str:
    """Who collects, and which rules the office said something of."""
    role = str(contact.get("role", "first_party")).replace("_", " ")
    of = f", {contact['debt_type']} debt" if contact.get("debt_type") else ""
    chosen = ", ".join(sorted(contact.get("rules", ())))
    return f"{role}{of}" + (f"; chosen: {chosen}" if chosen else "")


def _limits(limits: dict[str, Any]) -> str:
    a_day = f", {limits['max_per_day']} a day" if limits.get("max_per_day") is not None else ""
    return f"{limits['max_per_minute']} messages a minute{a_day}"


def _settings(office: "Office", sections: dict[str, Any], file: Path | None) -> "ChangeOfficeSettings":
    from aggregates.office import ChangeOfficeSettings

    return model_from(ChangeOfficeSettings, {**sections, "office_id": office.id}, source=file)


def _scheme(bounds: list[int]) -> Any:
    from aggregates.values.aging import BucketScheme

    try:
        return BucketScheme.of(bounds)
    except ValueError:
        raise typer.BadParameter(f"--buckets {','.join(map(str, bounds))}: expected growing days from 1 on") from None


def _flags(office: "Office", changed: list[str], removed: list[str], retired: list[str]) -> dict[str, Any]:
    flags: dict[str, Any] = dict(office.flags)
    for code in removed:
        if flags.pop(code, None) is None:
            raise typer.BadParameter(f"--remove-flag {code!r}: expected one of {', '.join(sorted(flags))}")
    for text in changed:
        code, equals, title = text.partition("=")
        if not equals or not title:
            raise typer.BadParameter(f"--flag {text!r}: expected CODE=TITLE, or CODE=TITLE:blocks")
        flags[code] = {"title": title.removesuffix(":blocks"), "blocks": title.endswith(":blocks")}
    for code in retired:
        if code not in office.flags:
            raise typer.BadParameter(f"--retire-flag {code!r}: expected one of {', '.join(sorted(office.flags))}")
        flags[code] = office.flags[code].model_copy(update={"retired": True})
    return flags


@app.command("pause")
def pause(
    *,
    code: Code,
    since: Since = None,
    until: Until = None,
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Stop all automatic messages of the office: from now, or backdated, or for a time."""
    from aggregates.office import PauseOfficeAutomation, office_id

    with commanding(data) as service:
        command = PauseOfficeAutomation(office_id=office_id(code), paused_from=since, paused_until=until)
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Office {code} sends nothing by itself.", same="It was paused so already.", as_json=as_json)


@app.command("resume")
def resume(code: Code, data: DataDir = None, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let automatic messages leave again, under the rules of now; what was missed is not sent in a burst."""
    from aggregates.office import ResumeOfficeAutomation, office_id

    with commanding(data) as service:
        done = issue(service, ResumeOfficeAutomation(office_id=office_id(code)), reason=reason)
    say_done(done, changed=f"Office {code} sends again.", same="It was not paused.", as_json=as_json)


# --- inside ------------------------------------------------------------------------------------------


def find_office(service: "Service", code: str) -> "Office":
    """Raises Problem where there is none."""
    from adapters.eventstore.application import AggregateNotFoundError
    from aggregates.office import Office, office_id

    try:
        return service.arrears.load(Office, office_id(code))
    except AggregateNotFoundError:
        raise no_office(code) from None


def say_done(done: "Done", *, changed: str, same: str, as_json: bool) -> None:
    """What came of a command: `changed`, or `same` where everything was so already."""
    if as_json:
        print_json({"changed": bool(done.event_ids), "event_ids": done.event_ids})
    else:
        say(changed if done.event_ids else same)
