"""Settings, Templates: an office's texts for messages by hand."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aggregates.kernel.command import Command
from aggregates.office import Office
from aggregates.template import OfficeTemplate, RetireTemplate, SaveTemplate, Tone
from aggregates.values.contact import Channel
from api.application.issuing import Caller, Done, Issuing, NotIssued
from api.application.templates import CheckedTemplate, check_template, template_in_full, templates_of
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Reader, Readings
from api.http.routing import Router
from api.http.templates import template_named
from api.http.web.forms import FormOf, made, once_of, reason_of
from api.http.web.rendering import render
from api.processes.service import Service

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

Fields = Mapping[str, str]
HERE = "/settings/templates"


@router.get(HERE)
def templates_page(request: Request, service: ServiceOf, readings: Readings) -> HTMLResponse:
    """Every template of every office, and a form for a new one."""
    return _page(request, service, readings)


@router.get(f"{HERE}/{{template_id}}")
def template_page(request: Request, template_id: UUID, service: ServiceOf, readings: Readings) -> HTMLResponse:
    """A template: its texts as they would leave, its versions, and a form for the next one."""
    template = template_named(service, template_id)
    office = next(each for each in readings.offices() if each.id == template.office_id)
    checked = check_template(service, office, name=template.name, channel=template.channel, texts=template.texts)
    language = next(iter(template.texts))
    text = template.texts[language]
    given = {
        "office": office.code,
        "name": template.name,
        "channel": template.channel.value,
        "tone": template.tone.value,
        "language": language,
        "subject": text.subject or "",
        "text": text.body,
    }
    return _page(request, service, readings, given=given, chosen=template, checked=checked)


@form.post(HERE)
def save(
    *, request: Request, fields: FormOf, service: ServiceOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """A template is saved in one language; its texts in others stay as they are."""
    try:
        done = _issued(issuing, _saved(service, readings, fields), caller, fields)
    except (Problem, NotIssued) as error:
        return _wrong(request, service, readings, error, given=fields)
    return RedirectResponse(f"{HERE}/{done.id}", 303)


@form.post(f"{HERE}/{{template_id}}/retirement")
def retire(
    *,
    request: Request,
    template_id: UUID,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Response:
    """No further message is written from it."""
    try:
        _issued(issuing, RetireTemplate(template_id=template_id), caller, fields)
    except (Problem, NotIssued) as error:
        return _wrong(request, service, readings, error, given={})
    return RedirectResponse(HERE, 303)


def _issued(issuing: Issuing, command: Command, caller: Caller, fields: Fields) -> Done:
    """The same page sent twice does it once."""
    once = replace(caller, idempotency_key=once_of(fields) or caller.idempotency_key)
    return issuing.issue(command, once, reason=reason_of(fields))


def _saved(service: Service, readings: Reader, fields: Fields) -> SaveTemplate:
    office = readings.office(fields.get("office", ""))
    language, name = fields.get("language", ""), fields.get("name", "")
    known = next((each for each in templates_of(service, [office]) if each.name == name), None)
    others = dict(known.texts) if known is not None and not known.is_retired else {}
    if not fields.get("text"):
        raise FieldProblem("text", "expected the template's text")
    said = {"subject": fields.get("subject") or None, "body": fields["text"].replace("\r\n", "\n")}
    return made(
        SaveTemplate,
        office_id=office.id,
        name=name,
        channel=fields.get("channel", ""),
        tone=fields.get("tone", ""),
        texts={**others, language: said},
    )


def _wrong(
    request: Request, service: Service, readings: Reader, error: Problem | NotIssued, *, given: Fields
) -> HTMLResponse:
    problem = not_issued(error) if isinstance(error, NotIssued) else error
    return _page(request, service, readings, given=given, status=problem.status, told=problem.detail)


def _page(
    request: Request,
    service: Service,
    readings: Reader,
    *,
    given: Fields | None = None,
    status: int = 200,
    told: str | None = None,
    chosen: OfficeTemplate | None = None,
    checked: CheckedTemplate | None = None,
) -> HTMLResponse:
    offices: list[Office] = readings.offices()
    return render(
        request,
        "templates.html",
        status=status,
        area="settings",
        told=told,
        once=uuid4(),
        given=defaultdict(str, given or {}),
        offices=[{"office": office, "templates": templates_of(service, [office])} for office in offices],
        chosen=template_in_full(service, chosen) if chosen is not None else None,
        checked=checked,
        channels=list(Channel),
        tones=list(Tone),
    )
