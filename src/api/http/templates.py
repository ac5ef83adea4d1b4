"""Templates of an office: texts with a name for messages by hand; every version of them."""

from uuid import UUID

from fastapi import Response

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.office import Office, office_id
from aggregates.template import OfficeTemplate, RetireTemplate, SaveTemplate
from aggregates.values.codes import Code
from api.application.issuing import Done
from api.application.templates import (
    CheckedTemplate,
    TemplateInFull,
    TemplateView,
    check_template,
    template_in_full,
    template_view,
    templates_of,
)
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.problems import documented, unknown
from api.http.reading import OfficeOf, Readings
from api.http.routing import Router
from api.http.shapes import JsonBody
from api.processes.service import Service

router = Router(prefix="/v1/templates", tags=["templates"])


@body_of(SaveTemplate, instead={"office_id": "office"})
class NewTemplate(CommandBody):
    """A template, or its next version: it is known by its name."""

    office: Code


@body_of(RetireTemplate, address={"template_id"})
class TemplateRetirement(CommandBody):
    """Why no further message is written from it; it may be left out."""


_RETIREMENT = TemplateRetirement()


@router.get("", responses=documented(404))
def list_templates(*, service: ServiceOf, readings: Readings, office: OfficeOf = None) -> list[TemplateView]:
    """Templates by name; those that were retired too."""
    return [template_view(each) for each in templates_of(service, readings.offices_named(office))]


@router.get("/{template_id}", responses=documented(404))
def get_template(*, template_id: UUID, service: ServiceOf) -> TemplateInFull:
    """A template and every version of it."""
    return template_in_full(service, template_named(service, template_id))


@router.get("/{template_id}/preview", responses=documented(404))
def preview_template(*, template_id: UUID, service: ServiceOf, account_id: UUID | None = None) -> CheckedTemplate:
    """Its texts, written for a made-up account and for a real one: the one that is named, else one of the office's."""
    template = template_named(service, template_id)
    assert template.office_id is not None  # noqa: S101  a template is saved in one
    office = service.arrears.load(Office, template.office_id)
    account = service.arrears.load(Account, account_id) if account_id is not None else None
    if account is not None and account.customer.office_id != office.id:
        raise unknown("account")
    return check_template(
        service, office, name=template.name, channel=template.channel, texts=template.texts, account=account
    )


def template_named(service: Service, template_id: UUID) -> OfficeTemplate:
    """Raises a Problem where no template has this id."""
    try:
        return service.arrears.load(OfficeTemplate, template_id)
    except AggregateNotFoundError:
        raise unknown("template") from None


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def save_template(*, body: JsonBody[NewTemplate], issuing: IssuingOf, caller: CallerOf, response: Response) -> Done:
    """Save a template: a new one, or the next version of the one that has this name."""
    command = from_body(SaveTemplate, body, office_id=office_id(body.office))
    done = issuing.issue(command, caller, reason=body.reason)
    created(response, f"/v1/templates/{done.id}")
    return done


@router.post("/{template_id}/retire", responses=MAY_BE_REFUSED)
def retire_template(
    *, template_id: UUID, body: JsonBody[TemplateRetirement] = _RETIREMENT, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Let no further message be written from it. Saved again, it can be used again."""
    return issuing.issue(RetireTemplate(template_id=template_id), caller, reason=body.reason)
