"""`arrears campaign`: whom auto-collection engages, with which messages, and when."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.offices import Since, Until, find_office, say_done
from api.cli.opening import commanding, guest, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason, account_option, is_id, read_moment
from api.cli.output import print_json, print_table, say, say_lines, shown
from api.cli.problems import Problem
from api.cli.questions import Ask, with_office
from api.cli.tables import figure, key, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.campaign import Campaign, CampaignPlan
    from aggregates.office import Office
    from api.application.campaign_check import CheckedPlan
    from api.application.campaign_forecast import Forecast
    from api.processes.service import Service

Found = TypeVar("Found")

app = typer.Typer(no_args_is_help=True, help="Campaigns: whom auto-collection engages, and with which messages.")

Name = Annotated[str, typer.Argument(metavar="TITLE|ID", help="The campaign's title, or its id.")]
PlanFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A campaign as TOML: docs/campaigns.md.")
]


_CAMPAIGNS = (
    key("campaign"),
    word("office", 3),
    word("status", 5),
    figure("version", 2),
    figure("steps", 4),
    word("id", 1),
)
_STEPS = (
    key("step"),
    text("title", 4),
    figure("days", 6),
    word("after", 5),
    word("by", 7),
    word("required", 2),
    text("languages", 1),
)


_DAYS = (key("day"), figure("messages", 2), text("steps", 1))


@app.command("list")
@tabular
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Every campaign, in the order in which accounts are matched with them."""

    views = answered(data, lambda ask: with_office(ask, "/v1/campaigns", office))
    if as_json:
        print_json(views)
        return
    if not views:
        say("There is no campaign yet: arrears campaign launch FILE.toml")
        return
    rows = (
        (v["title"], v["office"], "paused" if _is_paused(v) else v["status"], v["plan_version"], v["steps"], v["id"])
        for v in views
    )
    print_table(_CAMPAIGNS, rows)


def _is_paused(view: Mapping[str, Any]) -> bool:
    return bool(view["pause"] and view["pause"]["in_force"])


@app.command("show")
@tabular
def show(name: Name, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """A campaign's rules and steps, and every version of them."""

    def asked(ask: Ask) -> dict[str, Any]:
        known = ask("/v1/campaigns", office=office)
        found: dict[str, Any] = ask("/v1/campaigns/{id}", id=_one(known, name, lambda c: (c["title"], c["id"]))["id"])
        return found

    view = answered(data, asked)
    if as_json:
        print_json(view)
        return
    paused = " (paused)" if _is_paused(view) else ""
    say(f"{view['title']}: {view['status']}{paused}, version {view['plan_version']}, {view['id']}")
    for rule, value in view["plan"]["rules"].items():
        if value not in (None, []):
            say(f"  {rule.replace('_', ' ')}: {_rule(value)}")
    say(f"  existing debt: {view['plan'].get('existing', 'leave')}")
    print_table(_STEPS, map(_step, view["plan"]["steps"]))
    for version in view["versions"]:
        why = f": {version['reason']}" if version["reason"] else ""
        on = shown(read_moment(version["recorded_at"]))
        say(f"version {version['plan_version']} on {on} UTC by {version['actor']}{why}")


def _step(step: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        step["id"],
        step["title"],
        step["days"],
        "due date" if step["anchor"] == "past-due" else "engagement",
        step["channel"],
        step["required"] or None,
        sorted(step["templates"]),
    )


def _rule(value: Any) -> str:
    match value:
        case list():
            return ", ".join(sorted(map(str, value)))
        case {"amount": amount}:
            return shown(Decimal(amount))
        case _:
            return shown(value)


@app.command("launch")
@tabular
def launch(
    file: PlanFile,
    data: DataDir = None,
    office: Annotated[
        str | None, typer.Option("--office", metavar="CODE", help="Default: what the file says, else main.")
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Start a campaign in an office; its accounts are matched and judged at once."""
    from aggregates.campaign import LaunchCampaign
    from api.application.campaign_file import read_campaign

    said = read_campaign(file)
    with commanding(data) as service:
        to = find_office(service, office or said.office)
        command = LaunchCampaign(office_id=to.id, title=said.title, plan=said.plan(to.currency))
        done = issue(service, command, reason=reason)
        sends = None if as_json else _forecast(service, done.id)
    say_done(
        done, changed=f"{said.title} runs, with {len(said.steps)} steps.", same="It runs already.", as_json=as_json
    )
    _show_forecast(sends)


@app.command("revise")
@tabular
def revise(
    *,
    file: PlanFile,
    name: Annotated[
        str | None, typer.Option("--campaign", metavar="TITLE|ID", help="Default: the title that the file says.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give a campaign a new version; accounts continue by it from the step they are at, and repeat none."""
    from aggregates.campaign import ReviseCampaign
    from api.application.campaign_file import read_campaign

    said = read_campaign(file)
    with commanding(data) as service:
        campaign = _named(service, name or said.title, office)
        plan: CampaignPlan = said.plan(_currency(service, campaign))
        done = issue(service, ReviseCampaign(campaign_id=campaign.id, plan=plan), reason=reason)
        sends = None if as_json else _forecast(service, campaign.id)
    say_done(
        done, changed=f"{campaign.title} has a new version.", same="The file says what runs already.", as_json=as_json
    )
    _show_forecast(sends)


@app.command("check")
def check(
    *,
    file: PlanFile,
    account: Annotated[
        str | None, account_option("By its number or its id. Default: the office's first that owes something.")
    ] = None,
    data: DataDir = None,
    office: Annotated[
        str | None, typer.Option("--office", metavar="CODE", help="Default: what the file says, else main.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is wrong with a campaign, and every text of it, written for a made-up account and a real one."""
    from api.application.campaign_check import check_plan
    from api.application.campaign_file import read_campaign

    said = read_campaign(file)
    with guest(data) as service:
        to = find_office(service, office or said.office)
        checked = check_plan(service, to, said.plan(to.currency), account=_account(service, account, to))
    if as_json:
        print_json(checked.model_dump(mode="json"))
    else:
        _show(checked)
    if checked.faults:
        raise typer.Exit(1)


@app.command("forecast")
@tabular
def show_forecast(
    file: PlanFile,
    name: Annotated[
        str | None,
        typer.Option("--campaign", metavar="TITLE|ID", help="The one it would revise. Default: it would be a new one."),
    ] = None,
    data: DataDir = None,
    office: Annotated[
        str | None, typer.Option("--office", metavar="CODE", help="Default: what the file says, else main.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a campaign would send, and on which days, if nobody pays, promises or changes anything."""
    from api.application.campaign_file import read_campaign
    from api.application.campaign_forecast import forecast

    said = read_campaign(file)
    with guest(data) as service:
        to = find_office(service, office or said.office)
        revised = _named(service, name, to.code) if name is not None else None
        found = forecast(service, to, said.plan(to.currency), revised)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show_forecast(found)


def _forecast(service: "Service", campaign_id: UUID) -> "Forecast":
    from aggregates.campaign import Campaign
    from api.application.campaign_forecast import forecast_of

    return forecast_of(service, service.arrears.load(Campaign, campaign_id))


def _show_forecast(found: "Forecast | None") -> None:
    from api.application.campaign_forecast import in_words

    if found is None:
        return
    for line in in_words(found):
        say(line)
    if found.days:
        steps = (", ".join(f"{each.title} {each.messages:,}" for each in day.steps) for day in found.days)
        print_table(_DAYS, ((day.day, day.messages, each) for day, each in zip(found.days, steps, strict=True)))


def _show(checked: "CheckedPlan") -> None:
    for each in checked.texts:
        whose = f"account {each.account}" if each.account is not None else "a made-up account"
        say(f"--- {each.title} ({each.step}), {each.channel.value}, {each.language}, for {whose}")
        if each.problem is not None:
            say(f"This would not be sent: {each.problem}")
            continue
        if each.subject is not None:
            say(f"Subject: {each.subject}")
        say_lines(f"{each.body or ''}\n")
    for fault in checked.faults:
        say(f"{fault.field}: {fault.expected}")
    say("It would be refused." if checked.faults else "Nothing is wrong with it.")


@app.command("pause")
def pause(
    *,
    name: Name,
    since: Since = None,
    until: Until = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Stop the campaign's messages at once: from now, or backdated, or for a time."""
    from aggregates.campaign import PauseCampaign

    with commanding(data) as service:
        campaign = _named(service, name, office)
        command = PauseCampaign(campaign_id=campaign.id, paused_from=since, paused_until=until)
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"{campaign.title} is paused.", same="It was paused so already.", as_json=as_json)


@app.command("resume")
def resume(
    name: Name, data: DataDir = None, office: OfficeCode = None, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Let the campaign send again, by its current rules; what was missed is not sent in a burst."""
    from aggregates.campaign import ResumeCampaign

    with commanding(data) as service:
        campaign = _named(service, name, office)
        done = issue(service, ResumeCampaign(campaign_id=campaign.id), reason=reason)
    say_done(done, changed=f"{campaign.title} sends again.", same="It was not paused.", as_json=as_json)


@app.command("retire")
def retire(
    name: Name, data: DataDir = None, office: OfficeCode = None, reason: Reason = None, as_json: AsJson = False
) -> None:
    """End the campaign for good; its accounts are matched with other campaigns."""
    from aggregates.campaign import RetireCampaign

    with commanding(data) as service:
        campaign = _named(service, name, office)
        done = issue(service, RetireCampaign(campaign_id=campaign.id), reason=reason)
    say_done(done, changed=f"{campaign.title} has ended.", same="", as_json=as_json)


# --- inside ------------------------------------------------------------------------------------------


def _offices(service: "Service", code: str | None) -> "list[Office]":
    from api.application.offices import every_office

    return [find_office(service, code)] if code is not None else every_office(service)


def _named(service: "Service", name: str, office: str | None) -> "Campaign":
    """Raises Problem where there is none of this title or id, or several."""
    from api.application.campaigns import campaigns_of

    known = campaigns_of(service, _offices(service, office))
    return _one(known, name, lambda each: (each.title, str(each.id)))


def _one(known: Sequence[Found], name: str, title_and_id: Callable[[Found], tuple[str, str]]) -> Found:
    """Raises Problem where there is none of this title or id, or several."""
    titles = [title_and_id(each) for each in known]
    found = [
        each for each, (title, id_) in zip(known, titles, strict=True) if name.casefold() in (title.casefold(), id_)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"several offices have a campaign {name!r}", hint="Name one: --office CODE")
    said = ", ".join(repr(title) for title, _ in titles) or "none yet"
    raise Problem(f"there is no campaign {name!r}", hint=f"Campaigns: {said}")


def _account(service: "Service", text: str | None, office: "Office") -> "Account | None":
    """Raises Problem where the office has none of this number or id."""
    if text is None:
        return None
    from aggregates.account import Account
    from aggregates.account.command import ids_by_name

    ids = [UUID(text)] if is_id(text) else ids_by_name(office.id, text)
    found = [each for each in service.arrears.load_many(Account, ids) if each.customer.office_id == office.id]
    if not found:
        raise Problem(f"office {office.code!r} has no account {text!r}")
    if len(found) > 1:
        said = ", ".join(str(each.id) for each in found)
        raise Problem(f"office {office.code!r} has several accounts {text!r}", hint=f"Name one by its id: {said}")
    return found[0]


def _currency(service: "Service", campaign: "Campaign") -> str:
    from aggregates.office import Office

    return service.arrears.load(Office, campaign.office_id).currency
