"""`arrears campaign`: whom auto-collection engages, with which messages, and when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.offices import Since, Until, find_office, say_done
from api.cli.opening import commanding, guest, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason
from api.cli.output import print_json, print_table, printable, say, shown
from api.cli.problems import Problem

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.campaign import Campaign, CampaignPlan
    from aggregates.office import Office
    from api.application.campaign_check import CheckedPlan
    from api.processes.service import Service

app = typer.Typer(no_args_is_help=True, help="Campaigns: whom auto-collection engages, and with which messages.")

Name = Annotated[str, typer.Argument(metavar="TITLE|ID", help="The campaign's title, or its id.")]
PlanFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A campaign as TOML: docs/campaigns.md.")
]


@app.command("list")
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Every campaign, in the order in which accounts are matched with them."""
    from api.application.campaigns import campaign_view, campaigns_of

    with guest(data) as service:
        offices = _offices(service, office)
        codes = {each.id: each.code for each in offices}
        views = [campaign_view(each, service.clock.now()) for each in campaigns_of(service, offices)]
    if as_json:
        print_json([{**view.model_dump(mode="json"), "office": codes[view.office_id]} for view in views])
        return
    if not views:
        say("There is no campaign yet: arrears campaign launch FILE.toml")
        return
    print_table(
        ("campaign", "office", "status", "version", "steps", "id"),
        (
            (
                v.title,
                codes[v.office_id],
                "paused" if v.pause and v.pause.in_force else v.status,
                v.plan_version,
                v.steps,
                v.id,
            )
            for v in views
        ),
        right=("version", "steps"),
    )


@app.command("show")
def show(name: Name, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """A campaign's rules and steps, and every version of them."""
    from api.application.campaigns import campaign_in_full

    with guest(data) as service:
        view = campaign_in_full(service, _named(service, name, office))
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    paused = " (paused)" if view.pause and view.pause.in_force else ""
    say(f"{view.title}: {view.status}{paused}, version {view.plan_version}, {view.id}")
    for rule, value in dict(view.plan.rules).items():
        if value not in (None, frozenset()):
            say(f"  {rule.replace('_', ' ')}: {_rule(value)}")
    print_table(
        ("step", "title", "days", "after", "by", "required", "languages"),
        (
            (
                s.id,
                s.title,
                s.days,
                "due date" if s.anchor == "past-due" else "engagement",
                s.channel.value,
                s.required or None,
                sorted(s.templates),
            )
            for s in view.plan.steps
        ),
        right=("days",),
    )
    for version in view.versions:
        why = f": {version.reason}" if version.reason else ""
        say(f"version {version.plan_version} on {version.recorded_at:%Y-%m-%d %H:%M} UTC by {version.actor}{why}")


def _rule(value: Any) -> str:
    return ", ".join(sorted(map(str, value))) if isinstance(value, frozenset) else shown(value)


@app.command("launch")
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
    say_done(
        done, changed=f"{said.title} runs, with {len(said.steps)} steps.", same="It runs already.", as_json=as_json
    )


@app.command("revise")
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
    say_done(
        done, changed=f"{campaign.title} has a new version.", same="The file says what runs already.", as_json=as_json
    )


@app.command("check")
def check(
    *,
    file: PlanFile,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NUMBER", help="Default: the office's first that owes something.")
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


def _show(checked: "CheckedPlan") -> None:
    for text in checked.texts:
        whose = f"account {text.account}" if text.account is not None else "a made-up account"
        say(f"--- {text.title} ({text.step}), {text.channel.value}, {text.language}, for {whose}")
        if text.problem is not None:
            say(f"This would not be sent: {text.problem}")
            continue
        if text.subject is not None:
            say(f"Subject: {printable(text.subject)}")
        say(f"{printable(text.body or '')}\n")
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
    found = [each for each in known if name.casefold() in (each.title.casefold(), str(each.id))]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"several offices have a campaign {name!r}", hint="Name one: --office CODE")
    titles = ", ".join(repr(each.title) for each in known) or "none yet"
    raise Problem(f"there is no campaign {name!r}", hint=f"Campaigns: {titles}")


def _account(service: "Service", number: str | None, office: "Office") -> "Account | None":
    """Raises Problem where the office has none of this number."""
    if number is None:
        return None
    from adapters.eventstore.application import AggregateNotFoundError
    from aggregates.account import Account
    from aggregates.account.command import account_id

    try:
        return service.arrears.load(Account, account_id(office.id, number))
    except AggregateNotFoundError:
        raise Problem(f"office {office.code!r} has no account {number!r}") from None


def _currency(service: "Service", campaign: "Campaign") -> str:
    from aggregates.office import Office

    return service.arrears.load(Office, campaign.office_id).currency
