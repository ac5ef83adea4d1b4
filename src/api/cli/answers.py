"""Questions of commands answered in this process, as HTTP answers them: by its addresses, in its JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

from adapters.eventstore.application import AggregateNotFoundError
from adapters.postgres.database import Connection
from aggregates.account import Account
from aggregates.campaign import Campaign
from aggregates.office import Office
from aggregates.promise import PromiseStatus
from aggregates.template import OfficeTemplate
from aggregates.values.aging import BucketScheme
from aggregates.values.contact import Channel
from aggregates.values.instalment_plan import Every
from aggregates.values.money import Money
from aggregates.values.patterns import message_of
from api.application.account_contact import check_account
from api.application.account_view import account_view, accounts_of_customer, read_account, read_whole_account
from api.application.amounts import read_amount
from api.application.attachments import attachments_of
from api.application.call_script import call_script_of
from api.application.campaigns import campaign_in_full, campaign_view, campaigns_of
from api.application.casework import complaints_of, disputes_of, flags_of, holds_of, legal_cases_of, payment_claims_of
from api.application.inbound import threads_of
from api.application.instalment_plans import instalments_of, plan_view
from api.application.offices import defined_in, office_view, scheme_of, today_in
from api.application.placements import agencies_of
from api.application.saved_filters import saved_filters_of
from api.application.statements import UnknownInvoice, invoice_copy_of, read_for_statement, statement_of
from api.application.templates import template_in_full, template_view, templates_of
from api.application.write_offs import write_offs_of
from api.cli.opening import question
from api.cli.questions import Ask, Refused, no_office
from api.processes.service import Service
from projections.questions import (
    Filters,
    NoOffice,
    Order,
    ReportRefused,
    SeveralCurrencies,
    Sort,
    UnknownAccount,
    accounts,
    activities,
    aging,
    audit,
    collections,
    kpi,
    office_and_currency_of,
    office_ids,
    promises,
    roll_rates,
)
from projections.questions.activity_filters import ActivityFilters
from projections.questions.bulk import bulk_actions, bulk_rows
from projections.questions.bulk_schedules import schedule, schedule_runs, schedules
from projections.questions.collections.defined import check_agency, defined_by
from projections.questions.fees import fees_of
from projections.questions.inbound import received, thread_entries, unmatched
from projections.questions.messages import messages
from projections.questions.placements import commissions, placement_files, placements
from projections.questions.quarantined import quarantined
from projections.questions.work import work, works
from projections.questions.worklist import closed_days, undocumented, worklist

_PAGE = 1_000


@dataclass(frozen=True)
class Here:
    """What an answer is made from: the service, one snapshot of its read tables, and the office that is asked about."""

    service: Service
    connection: Connection
    office: str | None

    @cached_property
    def offices(self) -> list[Office]:
        """The one that is named, or all by code. Raises Refused where there is none."""
        found = [self.service.arrears.load(Office, each) for each in office_ids(self.connection, self.office)]
        if not found and self.office is not None:
            raise no_office(self.office)
        return found

    @property
    def today(self) -> date:
        return today_in(self.offices, self.service.clock.now())

    @property
    def scheme(self) -> BucketScheme:
        return scheme_of(self.offices)


Answer = Callable[..., Any]
ANSWERS: dict[str, Answer] = {}
"""By the address at which HTTP answers the same."""


def answers(path: str) -> Callable[[Answer], Answer]:
    def registered(answer: Answer) -> Answer:
        ANSWERS[path] = answer
        return answer

    return registered


@contextmanager
def answering_here(data: Path | None, *, catch_up: bool = True) -> Iterator[Ask]:
    """All answers are of one moment. Raises the problems of opening the data folder or the database."""
    with question(data, catch_up=catch_up) as (service, connection):

        def ask(path: str, *, limit: int | None = None, **asked: Any) -> Any:
            here = Here(service, connection, asked.get("office"))
            paged = {"limit": limit} if path in PAGED else {}
            try:
                return ANSWERS[path](here, **asked, **paged)
            except SeveralCurrencies as refusal:
                raise Refused(str(refusal), currencies=refusal.currencies) from None
            except NoOffice as refusal:
                raise Refused(str(refusal), reason_code="no-office") from None
            except UnknownAccount:
                raise Refused("there is no such account") from None
            except ReportRefused as refusal:
                raise Refused(str(refusal)) from None

        yield ask


# --- reports -------------------------------------------------------------------------------------------


@answers("/v1/report/aging")
def report_aging(
    here: Here,
    *,
    office: str | None = None,
    currency: str | None = None,
    as_of: date | None = None,
    known_on: date | None = None,
) -> Any:
    return _json(
        aging(
            here.connection,
            as_of=as_of or here.today,
            known_on=known_on,
            scheme=here.scheme,
            office=office,
            currency=currency,
        )
    )


@answers("/v1/report/roll-rates")
def report_roll_rates(
    here: Here,
    *,
    office: str | None = None,
    currency: str | None = None,
    known_on: date | None = None,
    to: date,
    **first: date,
) -> Any:
    return _json(
        roll_rates(
            here.connection,
            start=first["from"],
            end=to,
            known_on=known_on,
            scheme=here.scheme,
            office=office,
            currency=currency,
        )
    )


@answers("/v1/report/collections")
def report_collections(
    here: Here,
    *,
    limit: int | None,
    office: str | None = None,
    currency: str | None = None,
    as_of: date | None = None,
    known_on: date | None = None,
    sort: str | None = None,
    descending: str | None = None,
    **filters: Any,
) -> Any:
    wanted, order, defined = _filters(filters), _order(sort, descending), defined_by(here.offices)

    def page(size: int, cursor: str | None) -> Any:
        return collections(
            here.connection,
            today=here.today,
            scheme=here.scheme,
            as_of=as_of,
            known_on=known_on,
            office=office,
            currency=currency,
            filters=wanted,
            defined=defined,
            order=order,
            limit=size,
            cursor=cursor,
        )

    return {**_pages(page, limit), "bucket_names": [*here.scheme.names]}


def _order(sort: str | None, descending: str | None) -> Order:
    if sort is not None and sort not in {*Sort}:
        raise Refused(f"sort: expected one of {', '.join(Sort)}, not {sort!r}", field="sort")
    return Order(Sort(sort or Sort.BALANCE), descending != "false")


def _filters(given: Mapping[str, Any]) -> Filters:
    renamed = {"search" if name == "q" else name: value for name, value in given.items()}
    try:
        return Filters.model_validate(renamed)
    except ValidationError as error:
        wrong = error.errors()[0]
        field, expected = wrong["loc"][0], message_of(wrong).replace("Input should be", "expected")
        raise Refused(f"{field}: {expected}", field=str(field)) from None


@answers("/v1/promises")
def list_promises(
    here: Here,
    *,
    limit: int | None,
    office: str | None = None,
    currency: str | None = None,
    as_of: date | None = None,
    known_on: date | None = None,
    status: str | None = None,
) -> Any:
    def page(size: int, cursor: str | None) -> Any:
        return promises(
            here.connection,
            here.service.feed,
            as_of=as_of or here.today,
            known_on=known_on,
            office=office,
            currency=currency,
            status=PromiseStatus(status) if status else None,
            limit=size,
            cursor=cursor,
        )

    return _pages(page, limit)


@answers("/v1/activity")
def list_activity(
    here: Here,
    *,
    limit: int | None,
    office: str | None = None,
    account_id: str | None = None,
    as_of: date | None = None,
    known_on: date | None = None,
    **filtered: Any,
) -> Any:
    today = here.today  # raises Refused where there is no such office
    day = as_of or today
    if account_id is not None:
        office_and_currency_of(here.connection, UUID(account_id))  # raises UnknownAccount
    found = activities(
        here.connection,
        here.service.feed,
        as_of=day,
        known_on=known_on,
        office=office,
        account_id=UUID(account_id) if account_id else None,
        filters=ActivityFilters(
            **{_FILTERS.get(name, name): said for name, said in filtered.items()},
            defined=defined_in(here.offices) if filtered.get("outcome") is not None else (),
        ),
        limit=None if limit is None else limit + 1,
    )
    if limit is None:
        return {"as_of": str(day), "items": map(_json, found), "next": None}
    rows = [_json(each) for each in found]
    return {"as_of": str(day), "items": rows[:limit], "next": "more" if len(rows) > limit else None}


_FILTERS = {"from": "since", "to": "until"}


@answers("/v1/undocumented-contacts")
def list_undocumented(here: Here, *, office: str | None = None, agent: str | None = None) -> Any:
    return [_json(each) for each in undocumented(here.connection, office=office, agent=agent)]


@answers("/v1/worklist")
def list_worklist(
    here: Here,
    *,
    limit: int | None,
    office: str | None = None,
    agent: str | None = None,
    kind: str | None = None,
    account_id: str | None = None,
) -> Any:
    if office is not None:
        _ = here.offices  # raises Refused where there is none
    if account_id is not None:
        office_and_currency_of(here.connection, UUID(account_id))  # raises UnknownAccount
    now = here.service.clock.now()

    def page(size: int, cursor: str | None) -> Any:
        return worklist(
            here.connection,
            now=now,
            agent=agent,
            kind=kind,
            office=office,
            account_id=UUID(account_id) if account_id else None,
            limit=size,
            cursor=cursor,
        )

    return _pages(page, limit)


@answers("/v1/closed-days")
def list_closed_days(here: Here, *, limit: int | None, office: str | None = None, agent: str | None = None) -> Any:
    if office is not None:
        _ = here.offices  # raises Refused where there is none

    def page(size: int, cursor: str | None) -> Any:
        return closed_days(here.connection, office=office, agent=agent, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/kpi")
def report_kpi(
    here: Here,
    *,
    office: str | None = None,
    currency: str | None = None,
    known_on: date | None = None,
    **period: date,
) -> Any:
    start, end = period["from"], period["to"]
    return _json(kpi(here.connection, start=start, end=end, known_on=known_on, office=office, currency=currency))


# --- accounts ------------------------------------------------------------------------------------------


@answers("/v1/accounts")
def list_accounts(
    here: Here,
    *,
    limit: int | None,
    office: str | None = None,
    number: str | None = None,
    customer: str | None = None,
    q: str | None = None,
) -> Any:
    office_id = here.offices[0].id if office else None
    of_customer = None
    if customer is not None:
        of_customer = accounts_of_customer(here.service, [each.id for each in here.offices], customer)
    filters = Filters(number=number, search=q)

    def page(size: int, cursor: str | None) -> Any:
        return accounts(
            here.connection,
            today=here.today,
            scheme=here.scheme,
            office_id=office_id,
            filters=filters,
            among=of_customer,
            limit=size,
            cursor=cursor,
        )

    return _pages(page, limit)


@answers("/v1/accounts/{id}")
def get_account(here: Here, *, id: str, as_of: date | None = None) -> Any:  # noqa: A002
    return _json(account_view(read_account(here.service, here.connection, UUID(id), as_of)))


@answers("/v1/accounts/{id}/statement")
def get_statement(here: Here, *, id: str, as_of: date | None = None) -> Any:  # noqa: A002
    return _json(statement_of(read_for_statement(here.service, here.connection, UUID(id), as_of)))


@answers("/v1/accounts/{id}/invoices/{number}/copy")
def get_invoice_copy(here: Here, *, id: str, number: str) -> Any:  # noqa: A002
    try:
        return _json(invoice_copy_of(read_whole_account(here.service, here.connection, UUID(id)), number))
    except UnknownInvoice as error:
        raise Refused(str(error), reason_code="unknown-invoice") from None


@answers("/v1/accounts/{id}/call-script")
def get_call_script(here: Here, *, id: str) -> Any:  # noqa: A002
    return _json(call_script_of(here.service, read_account(here.service, here.connection, UUID(id))))


@answers("/v1/accounts/{id}/flags")
def list_flags(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in flags_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/holds")
def list_holds(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in holds_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/write-offs")
def list_write_offs(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in write_offs_of(here.service, here.connection, UUID(id))]


@answers("/v1/accounts/{id}/payment-claims")
def list_payment_claims(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in payment_claims_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/complaints")
def list_complaints(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in complaints_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/legal-cases")
def list_legal_cases(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in legal_cases_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/attachments")
def list_attachments(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in attachments_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/disputes")
def list_disputes(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(row) for row in disputes_of(here.service, UUID(id))]


@answers("/v1/accounts/{id}/fees")
def list_fees(here: Here, *, id: str) -> Any:  # noqa: A002
    return [_json(each) for each in fees_of(here.connection, UUID(id))]


@answers("/v1/accounts/{id}/promises")
def list_promises_of_account(here: Here, *, id: str, limit: int | None) -> Any:  # noqa: A002
    office, currency = office_and_currency_of(here.connection, UUID(id))

    def page(size: int, cursor: str | None) -> Any:
        return promises(
            here.connection,
            here.service.feed,
            as_of=here.today,
            office=office,
            currency=currency,
            account_id=UUID(id),
            limit=size,
            cursor=cursor,
        )

    return _pages(page, limit)


@answers("/v1/accounts/{id}/instalment-plan")
def calculate_instalment_plan(
    here: Here,
    *,
    id: str,  # noqa: A002
    every: str,
    first: date,
    count: int | None = None,
    amount: str | None = None,
    total: str | None = None,
) -> Any:
    try:
        account = here.service.arrears.load(Account, UUID(id))
    except AggregateNotFoundError:
        raise UnknownAccount from None
    currency = account.customer.currency

    def read(field: str, said: str | None) -> Money | None:
        try:
            return None if said is None else read_amount({"amount": said, "currency": currency})
        except ValueError as error:
            raise Refused(f"{field}: {str(error).removeprefix('amount: ')}", field=field) from None

    plan = instalments_of(
        account,
        every=Every(every),
        first=first,
        count=count,
        amount=read("amount", amount),
        total=read("total", total),
    )
    return _json(plan_view(plan))


@answers("/v1/accounts/{id}/contact-check")
def check_contact(
    here: Here,
    *,
    id: str,  # noqa: A002
    channel: str,
    point_id: str | None = None,
    at: datetime | None = None,
    recorded: bool = False,
) -> Any:
    if channel not in {each.value for each in Channel}:
        raise Refused(f"channel: expected one of {', '.join(Channel)}", field="channel")
    verdict = check_account(
        here.service, UUID(id), channel=Channel(channel), point_id=point_id, at=at, is_recorded=recorded
    )
    return _json(verdict)


@answers("/v1/audit/{id}")
def list_audit(here: Here, *, id: str, limit: int | None) -> Any:  # noqa: A002
    def page(size: int, cursor: str | None) -> Any:
        return audit(here.connection, here.service.feed, UUID(id), limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/messages")
def list_messages(here: Here, *, limit: int | None, office: str | None = None, state: Any = None) -> Any:
    if office is not None:
        _ = here.offices  # raises Refused where there is none

    def page(size: int, cursor: str | None) -> Any:
        return messages(here.connection, here.service.feed, office=office, state=state, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/accounts/{id}/messages")
def list_messages_of_account(here: Here, *, id: str, limit: int | None, state: Any = None) -> Any:  # noqa: A002
    office_and_currency_of(here.connection, UUID(id))  # raises UnknownAccount

    def page(size: int, cursor: str | None) -> Any:
        return messages(here.connection, here.service.feed, account_id=UUID(id), state=state, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/inbound")
def list_received(here: Here, *, limit: int | None, office: str | None = None, state: str | None = None) -> Any:
    if office is not None:
        _ = here.offices  # raises Refused where there is none

    def page(size: int, cursor: str | None) -> Any:
        return received(here.connection, here.service.feed, office=office, state=state, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/inbound/unmatched")
def list_unmatched(here: Here, *, limit: int | None) -> Any:
    def page(size: int, cursor: str | None) -> Any:
        return unmatched(here.connection, here.service.feed, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/accounts/{id}/threads")
def list_threads(here: Here, *, id: str, number: str | None = None) -> Any:  # noqa: A002
    found = thread_entries(here.connection, here.service.feed, UUID(id))
    return _json(threads_of(here.service, UUID(id), found, number=number))


# --- offices, campaigns --------------------------------------------------------------------------------


@answers("/v1/offices")
def list_offices(here: Here) -> Any:
    return [_json(office_view(office, here.service.clock.now())) for office in here.offices]


@answers("/v1/campaigns")
def list_campaigns(here: Here, *, office: str | None = None) -> Any:
    del office
    return [_json(campaign_view(c, here.service.clock.now())) for c in campaigns_of(here.service, here.offices)]


@answers("/v1/campaigns/{id}")
def get_campaign(here: Here, *, id: str) -> Any:  # noqa: A002
    try:
        campaign = here.service.arrears.load(Campaign, UUID(id))
    except AggregateNotFoundError:
        raise Refused("there is no such campaign") from None
    return _json(campaign_in_full(here.service, campaign))


# --- bulk actions --------------------------------------------------------------------------------------


@answers("/v1/bulk")
def list_bulk(here: Here, *, limit: int | None, office: str | None = None, waiting: str | None = None) -> Any:
    office_id = here.offices[0].id if office else None

    def page(size: int, cursor: str | None) -> Any:
        return bulk_actions(here.connection, office_id=office_id, waiting=waiting == "true", limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/bulk/{id}")
def get_bulk(here: Here, *, id: str) -> Any:  # noqa: A002
    from api.application.bulk import bulk_in_full

    found = bulk_in_full(here.service, here.connection, UUID(id))
    if found is None:
        raise Refused("there is no such bulk action", reason_code="unknown-bulk")
    return _json(found)


@answers("/v1/bulk/{id}/rows")
def list_bulk_rows(here: Here, *, id: str, limit: int | None, rule: str | None = None) -> Any:  # noqa: A002
    def page(size: int, cursor: str | None) -> Any:
        return bulk_rows(here.connection, UUID(id), rule=rule, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/bulk/{id}/undo")
def show_undo(here: Here, *, id: str, limit: int | None) -> Any:  # noqa: A002
    from api.application.bulk_undo import undo_preview
    from api.application.issuing import Refused as NotShown

    try:
        shown = undo_preview(here.service, here.connection, UUID(id), limit=limit)
    except NotShown as error:
        raise Refused(str(error), reason_code=error.reason_code) from None
    said = shown.model_dump(mode="json", exclude={"rows", "next_cursor"})
    return {**said, "items": [_json(each) for each in shown.rows], "next": shown.next_cursor}


@answers("/v1/bulk-schedules")
def list_bulk_schedules(here: Here, *, limit: int | None, office: str | None = None, failed: str | None = None) -> Any:
    office_id = here.offices[0].id if office else None

    def page(size: int, cursor: str | None) -> Any:
        return schedules(here.connection, office_id=office_id, failed=failed == "true", limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/bulk-schedules/{id}")
def get_bulk_schedule(here: Here, *, id: str) -> Any:  # noqa: A002
    found = schedule(here.connection, UUID(id))
    if found is None:
        raise Refused("there is no such schedule", reason_code="unknown-bulkschedule")
    return _json(found)


@answers("/v1/bulk-schedules/{id}/runs")
def list_bulk_schedule_runs(here: Here, *, limit: int | None, id: str) -> Any:  # noqa: A002
    def page(size: int, cursor: str | None) -> Any:
        return schedule_runs(here.connection, UUID(id), limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/bulk/{id}/text")
def show_bulk_text(here: Here, *, id: str, account: str) -> Any:  # noqa: A002
    from api.application.bulk import text_of
    from api.application.issuing import Refused as NotShown

    try:
        return _json(text_of(here.service, UUID(id), account))
    except NotShown as error:
        raise Refused(str(error), reason_code=error.reason_code) from None


@answers("/v1/agencies")
def list_agencies(here: Here, *, office: str | None = None) -> Any:
    del office
    return [_json(each) for found in here.offices for each in agencies_of(found)]


@answers("/v1/filters")
def list_filters(here: Here, *, office: str | None = None) -> Any:
    del office
    return [_json(each) for found in here.offices for each in saved_filters_of(found)]


@answers("/v1/placements")
def list_placements(
    here: Here,
    *,
    limit: int | None,
    office: str | None = None,
    agency: str | None = None,
    account_id: str | None = None,
    state: Any = None,
) -> Any:
    check_agency(here.connection, agency, defined_by(here.offices))

    def page(size: int, cursor: str | None) -> Any:
        return placements(
            here.connection,
            office=office,
            agency=agency,
            account_id=UUID(account_id) if account_id else None,
            state=state,
            limit=size,
            cursor=cursor,
        )

    return _pages(page, limit)


@answers("/v1/placements/commission")
def report_commission(
    here: Here,
    *,
    office: str | None = None,
    agency: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Any:
    check_agency(here.connection, agency, defined_by(here.offices))
    found = commissions(here.connection, office=office, agency=agency, since=since, until=until)
    return [_json(each) for each in found]


@answers("/v1/placement-files")
def list_placement_files(here: Here, *, limit: int | None, office: str | None = None, agency: str | None = None) -> Any:
    check_agency(here.connection, agency, defined_by(here.offices))

    def page(size: int, cursor: str | None) -> Any:
        return placement_files(here.connection, office=office, agency=agency, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/templates")
def list_templates(here: Here, *, office: str | None = None) -> Any:
    del office
    return [_json(template_view(each)) for each in templates_of(here.service, here.offices)]


@answers("/v1/templates/{id}")
def get_template(here: Here, *, id: str) -> Any:  # noqa: A002
    return _json(template_in_full(here.service, here.service.arrears.load(OfficeTemplate, UUID(id))))


# --- looking after it ----------------------------------------------------------------------------------


@answers("/v1/work")
def list_work(here: Here, *, limit: int | None, office: str | None = None, state: Any = None) -> Any:
    office_id = here.offices[0].id if office else None

    def page(size: int, cursor: str | None) -> Any:
        return works(here.connection, office_id=office_id, state=state, limit=size, cursor=cursor)

    return _pages(page, limit)


@answers("/v1/work/{id}")
def get_work(here: Here, *, id: str) -> Any:  # noqa: A002
    found = work(here.connection, UUID(id))
    if found is None:
        raise Refused("there is no such work", reason_code="unknown-work")
    return _json(found)


@answers("/v1/quarantined-messages")
def list_quarantined(here: Here, *, limit: int | None, topic: str | None = None, partition: int | None = None) -> Any:
    def page(size: int, cursor: str | None) -> Any:
        return quarantined(here.connection, topic=topic, partition=partition, limit=size, cursor=cursor)

    return _pages(page, limit)


# --- inside ------------------------------------------------------------------------------------------


PAGED = frozenset(path for path, answer in ANSWERS.items() if "limit" in answer.__annotations__)


def _json(answer: BaseModel) -> Any:
    return answer.model_dump(mode="json")


def _pages(page: Callable[[int, str | None], Any], limit: int | None) -> dict[str, Any]:
    """What the first page says of all, and its rows with those of the pages after it, up to as many as are wanted."""
    first = page(min(limit or _PAGE, _PAGE), None)
    said = first.model_dump(mode="json", exclude={"rows", "next_cursor"})
    if limit is None:
        return {**said, "items": map(_json, chain.from_iterable(p.rows for p in _all(page, first))), "next": None}
    rows = [*first.rows]
    cursor = first.next_cursor
    while cursor is not None and len(rows) < limit:
        following = page(min(_PAGE, limit - len(rows)), cursor)
        rows += following.rows
        cursor = following.next_cursor
    return {**said, "items": [_json(row) for row in rows], "next": cursor}


def _all(page: Callable[[int, str | None], Any], first: Any) -> Iterable[Any]:
    report = first
    while True:
        yield report
        if report.next_cursor is None:
            return
        report = page(_PAGE, report.next_cursor)
