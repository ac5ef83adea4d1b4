"""`arrears template`: the office's texts for messages by hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.offices import find_office, say_done
from api.cli.opening import commanding, guest, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason, account_option, read_moment
from api.cli.output import print_json, print_table, say, say_lines, shown
from api.cli.problems import Problem
from api.cli.questions import Ask, with_office
from api.cli.tables import figure, key, tabular, text, word

if TYPE_CHECKING:
    from api.application.templates import CheckedTemplate

app = typer.Typer(no_args_is_help=True, help="Templates: the office's texts for messages by hand.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The template's name in its office.")]

_TEMPLATES = (
    key("template"),
    word("office", 3),
    word("channel", 7),
    word("tone", 4),
    text("languages", 2),
    figure("version", 5),
    word("retired", 6),
)


@app.command("list")
@tabular
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Every template, by name."""

    views = answered(data, lambda ask: with_office(ask, "/v1/templates", office))
    if as_json:
        print_json(views)
        return
    if not views:
        say("There is no template yet: arrears template save FILE.toml")
        return
    columns = ("name", "office", "channel", "tone", "languages", "template_version")
    print_table(_TEMPLATES, ([*(view[each] for each in columns), view["retired"] or None] for view in views))


@app.command("show")
def show(name: Name, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """What a template says in each language, and every version of it."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/templates/{id}", id=_one(ask("/v1/templates", office=office), name)["id"])

    view = answered(data, asked)
    if as_json:
        print_json(view)
        return
    retired = ", retired" if view["retired"] else ""
    say(f"{view['name']}: {view['channel']}, {view['tone']}, version {view['template_version']}{retired}, {view['id']}")
    for language, template in view["texts"].items():
        say(f"--- {language}")
        if template["subject"] is not None:
            say(f"Subject: {template['subject']}")
        say_lines(f"{template['body']}\n")
    for version in view["versions"]:
        why = f": {version['reason']}" if version["reason"] else ""
        on = shown(read_moment(version["recorded_at"]))
        say(f"version {version['template_version']} on {on} UTC by {version['actor']}{why}")


@app.command("save")
def save(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="As TOML: docs/messages.md.")
    ],
    data: DataDir = None,
    office: Annotated[
        str | None, typer.Option("--office", metavar="CODE", help="Default: what the file says, else main.")
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give the office a template, or the one of this name its next version. Faulty texts are refused."""
    from api.application.templates import read_template

    said = read_template(file)
    with commanding(data) as service:
        to = find_office(service, office or said.office)
        done = issue(service, said.command(to.id, source=file), reason=reason)
    say_done(done, changed=f"Template {said.name} is saved.", same="It says that already.", as_json=as_json)


@app.command("retire")
def retire(
    name: Name,
    data: DataDir = None,
    office: Annotated[str, typer.Option("--office", metavar="CODE", help="Whose template it is.")] = "main",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let no further message be written from it. Saved again, it can be used again."""
    from aggregates.template import RetireTemplate, template_id

    with commanding(data) as service:
        retired = RetireTemplate(template_id=template_id(find_office(service, office).id, name))
        done = issue(service, retired, reason=reason)
    say_done(done, changed=f"Template {name} is retired.", same="It was retired already.", as_json=as_json)


@app.command("preview")
def preview(
    name: Name,
    account: Annotated[
        str | None, account_option("By its number or its id. Default: the office's first that owes something.")
    ] = None,
    data: DataDir = None,
    office: Annotated[str, typer.Option("--office", metavar="CODE", help="Whose template it is.")] = "main",
    as_json: AsJson = False,
) -> None:
    """Its texts, written for a made-up account and a real one. Exit code 1 where one cannot be sent."""
    from aggregates.account import Account
    from aggregates.template import OfficeTemplate, template_id
    from api.application.templates import check_template

    found = account_found(data, account, office) if account is not None else None
    with guest(data) as service:
        of = find_office(service, office)
        [*named] = service.arrears.load_many(OfficeTemplate, [template_id(of.id, name)])
        if not named:
            raise Problem(f"office {office!r} has no template {name!r}", hint="arrears template list")
        checked = check_template(
            service,
            of,
            name=name,
            channel=named[0].channel,
            texts=named[0].texts,
            account=service.arrears.load(Account, found) if found is not None else None,
        )
    if as_json:
        print_json(checked.model_dump(mode="json"))
    else:
        _show(checked)
    if checked.faults or any(each.problem for each in checked.texts):
        raise typer.Exit(ExitCode.FAILED)


def _show(checked: "CheckedTemplate") -> None:
    for each in checked.texts:
        whose = f"account {each.account}" if each.account is not None else "a made-up account"
        say(f"--- {each.channel.value}, {each.language}, for {whose}")
        if each.problem is not None:
            say(f"This would not be sent: {each.problem}")
            continue
        if each.subject is not None:
            say(f"Subject: {each.subject}")
        say_lines(f"{each.body or ''}\n")
    for fault in checked.faults:
        say(f"{fault.field}: {fault.expected}")


def _one(known: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Raises Problem where there is none of this name, or several."""
    found = [each for each in known if each["name"] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"several offices have a template {name!r}", hint="Name one: --office CODE")
    said = ", ".join(repr(each["name"]) for each in known) or "none yet"
    raise Problem(f"there is no template {name!r}", hint=f"Templates: {said}")
