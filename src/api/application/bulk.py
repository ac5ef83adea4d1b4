"""Bulk actions for every door: a preview frozen row by row, and a confirmation of exactly what was shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from adapters.bulk.asked import Asked
from adapters.bulk.freezing import Freezer, Selection
from adapters.bulk.questions import has_question, question_of
from adapters.eventstore.application import AggregateNotFoundError
from adapters.postgres.database import Connection
from aggregates.account import Account
from aggregates.account.bulk_kinds import MESSAGE, BulkKind, BulkParameters, MessageParameters, bulk_kind
from aggregates.bulk.action import MOST_LEFT, BulkAction, BulkState, ConfirmBulk, PreviewBulk
from aggregates.bulk.part import digest, digested
from aggregates.kernel.command import Rejected, identifier
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office, office_id
from aggregates.values.business_time import day_starts, local_date, moment_at
from aggregates.values.contact import Channel
from api.application.issuing import Caller, Done, Issuing, Refused, for_the_system
from api.application.offices import every_office, today_in
from api.application.written_messages import MessagePreview
from api.application.written_messages import preview as message_preview
from api.processes.service import Service
from policies.contact.table import CLOSES
from projections.questions.bulk import BulkView, account_called, bulk_action_in_full, leaving

PATIENCE_SECONDS = 60.0
"""For the read tables to show what was stored before a confirmation."""
MOST_NAMED = 1_000
"""Accounts that are named in an answer."""
_AT_ANY_HOUR = frozenset({Channel.LETTER, Channel.PORTAL})
"""Over these no contact rule names hours."""


class ChangedSincePreview(Refused):
    """Accounts are not as the preview showed them; nothing was done."""

    def __init__(self, accounts: Sequence[str], total: int) -> None:
        who = "1 account" if total == 1 else f"{total:,} accounts"
        super().__init__(Rejected("changed-since-preview", f"{who} changed since the preview; nothing was done"))
        self.accounts = tuple(accounts)
        """Their numbers, at most `MOST_NAMED`."""
        self.total = total


class WrongParameter(Exception):
    """A parameter of the kind is not as expected; the errors are pydantic's."""

    def __init__(self, error: ValidationError) -> None:
        super().__init__(str(error))
        self.error = error


# --- look --------------------------------------------------------------------------------------------


def bulk_in_full(service: Service, connection: Connection, bulk_id: UUID) -> BulkView | None:
    """A bulk action; of messages what would become of them, and before they are confirmed how they would leave. None
    where there is none of this id, or it is not shown yet."""
    found = bulk_action_in_full(connection, bulk_id)
    if found is None or found.may_leave is None or found.state != "previewed":
        return found
    office = service.arrears.load(Office, office_id(found.office))
    parameters, now = MessageParameters.model_validate(found.parameters), service.clock.now()
    today = local_date(now, office.zone)
    ends = day_starts(today + timedelta(days=1), office.zone)
    closes = moment_at(today, CLOSES, office.zone)
    if parameters.channel not in _AT_ANY_HOUR and now < closes:
        ends = closes
    pace = None if parameters.ignore_max_per_minute else office.limits.max_per_minute
    return found.model_copy(update={"leaving": leaving(found.may_leave, per_minute=pace, now=now, until=ends)})


# --- preview -----------------------------------------------------------------------------------------


def parameters_of(kind: BulkKind, said: Mapping[str, Any]) -> BulkParameters:
    """Raises WrongParameter."""
    try:
        return kind.parameters.model_validate(said)
    except ValidationError as error:
        raise WrongParameter(error) from None


def preview(
    service: Service, issuing: Issuing, caller: Caller, *, kind: str, said: Mapping[str, Any], of: Selection
) -> Done:
    """Freezes the accounts that the report shows now; nothing is changed. Answers with the bulk action's id.

    Raises WrongParameter, ReportRefused, NotIssued.
    """
    row = kind_of(kind)
    parameters = parameters_of(row, said)
    office = office_of(service, of.office)
    try:
        row.check(parameters, office)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None
    freezer = Freezer(
        service.database, service.arrears, service.stop, caller.actor, caller.correlation_id, lambda: service.renderer
    )
    today, bulk_id = today_in([office], service.clock.now()), caller.new_id("bulk")
    try:
        found = freezer.freeze(row, parameters, of, office, today=today, bulk_id=bulk_id)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None
    command = PreviewBulk(bulk_id=bulk_id, preview=found.preview)
    return issuing.issue(command, for_the_system(caller), command_id=identifier("bulk-previewed", bulk_id))


# --- confirm -----------------------------------------------------------------------------------------


def confirm(
    service: Service,
    issuing: Issuing,
    caller: Caller,
    bulk_id: UUID,
    *,
    without_changed: bool,
    reason: str | None = None,
) -> Done:
    """Does what was previewed, once. Every row is compared with the report first, as soon as that shows everything
    that is stored; the accounts themselves decide once more.

    Raises ChangedSincePreview, which names the accounts, unless those are to be left out; NotIssued, NotReached.
    """
    action = bulk_action_of(service, bulk_id)
    changed, left = 0, tuple[UUID, ...]()
    if action.state is BulkState.PREVIEWED:
        service.wait_until_shown(timeout=PATIENCE_SECONDS)
        found = _changed(service, action)
        changed, left = found.total, found.left
        if changed and not without_changed:
            raise ChangedSincePreview(found.named, changed)
    command = ConfirmBulk(bulk_id=bulk_id, without_changed=without_changed, changed=changed, left=left)
    command_id = identifier("bulk-confirmed", bulk_id)
    return issuing.issue(command, for_the_system(caller), command_id=command_id, reason=reason)


@dataclass(slots=True)
class _Changed:
    """Accounts that are not as they were shown."""

    total: int = 0
    named: list[str] = field(default_factory=list)
    """The numbers of the first of them."""
    left: tuple[UUID, ...] = ()
    """Where they cannot tell it by themselves: one more than may be left out at most."""


def _changed(service: Service, action: BulkAction) -> _Changed:
    """Every row compared. Refuses where the rows are not those that were frozen."""
    kind, office = bulk_kind(action.action), _office_of(service, action)
    parameters = kind.parameters.model_validate(action.parameters)
    today = today_in([office], service.clock.now())
    seen = digest()
    changed, left = _Changed(), list[UUID]()
    is_told = has_question(kind)
    with service.database.snapshot("arrears_app") as connection:
        asked = Asked(
            connection,
            kind,
            parameters,
            office,
            action.currency,
            as_of=action.as_of,
            today=today,
            arrears=service.arrears,
            renderer=lambda: service.renderer,
            stop=service.stop,
        )
        try:
            for each in question_of(kind).compared(asked, action.id, action.filters):
                digested(seen, each.account_id, each.expected, each.amount_minor)
                if each.has_changed:
                    changed.total += 1
                    if len(changed.named) < MOST_NAMED:
                        changed.named.append(each.number)
                    if is_told and len(left) <= MOST_LEFT:
                        left.append(each.account_id)
        except Refusal as refusal:
            raise Refused(rejected(refusal)) from None
    if seen.hexdigest() != action.digest:
        raise Refused(Rejected("rows-not-as-frozen", "its rows are not those that were shown; preview it anew"))
    changed.left = tuple(left)
    return changed


def _office_of(service: Service, action: BulkAction) -> Office:
    assert action.office_id is not None  # noqa: S101  it was previewed in one
    return service.arrears.load(Office, action.office_id)


# --- the text of a message ---------------------------------------------------------------------------


def text_of(service: Service, bulk_id: UUID, called: str) -> MessagePreview:
    """The message that an action sends to one of its accounts, by number or id, as it would leave now.

    Raises Refused where the action sends none, or is not about the account.
    """
    action = bulk_action_of(service, bulk_id)
    if action.action != MESSAGE.name:
        raise Refused(Rejected("bulk-without-text", f"a bulk action of kind {action.action} sends no message"))
    with service.database.connect("arrears_app") as connection:
        account_id = account_called(connection, bulk_id, called)
    if account_id is None:
        raise Refused(Rejected("unknown-account", f"account: the bulk action is not about {called!r}"))
    parameters = MessageParameters.model_validate(action.parameters)
    return message_preview(service, parameters.to(service.arrears.load(Account, account_id)))


# --- inside ------------------------------------------------------------------------------------------


def bulk_action_of(service: Service, bulk_id: UUID) -> BulkAction:
    """Raises Refused where there is none."""
    try:
        return service.arrears.load(BulkAction, bulk_id)
    except AggregateNotFoundError:
        raise Refused(Rejected("unknown-bulk", "there is no such bulk action")) from None


def kind_of(name: str) -> BulkKind:
    """Raises Refused where there is none of this name."""
    try:
        return bulk_kind(name)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None


def office_of(service: Service, code: str | None) -> Office:
    """The office with this code, or the only one: flags and the like are an office's own."""
    if code is not None:
        try:
            return service.arrears.load(Office, office_id(code))
        except AggregateNotFoundError:
            raise Refused(Rejected("unknown-office", f"office: there is no {code!r}")) from None
    offices = every_office(service)
    if not offices:
        raise Refused(Rejected("no-office", "there is no office yet"))
    if len(offices) > 1:
        known = ", ".join(each.code for each in offices)
        raise Refused(Rejected("office-not-named", f"office: expected one of {known}"))
    return offices[0]
