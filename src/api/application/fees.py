"""Fees of one account for every door: worked out as in bulk, and added as worked out."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field, ValidationError

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.bulk_kinds import FEES, FeeParameters
from aggregates.account.fees import AddFee
from aggregates.kernel.command import Rejected, identifier
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.fees import lines_shown
from aggregates.values.money import Money
from api.application.bulk import PATIENCE_SECONDS, WrongParameter
from api.application.issuing import Caller, Done, Issuing, Refused, for_the_system
from api.application.offices import today_in
from api.processes.service import Service
from projections.questions.collections import Filters
from projections.questions.fees import FeesAsked, fees_shown


class FeeOfAccount(FeeParameters):
    """What the fee of one account is taken of, as of which day, and how much."""

    as_of: date | None = Field(None, description="None: today.")


def add_fee(
    service: Service,
    issuing: Issuing,
    caller: Caller,
    account_id: UUID,
    said: Mapping[str, Any],
    *,
    reason: str | None,
) -> Done:
    """Adds the fee that a preview of bulk fees would show of this account alone. Raises WrongParameter, ReportRefused,
    NotReached, NotIssued: `no-fee` where that is none."""
    account, office = _account_of(service, account_id)
    try:
        parameters = FeeOfAccount.model_validate(said)
    except ValidationError as error:
        raise WrongParameter(error) from None
    today = today_in([office], service.clock.now())
    currency = account.customer.currency
    asked = FeesAsked(parameters, office, currency, as_of=parameters.as_of or today, today=today)
    service.wait_until_shown(timeout=PATIENCE_SECONDS)
    try:
        FEES.check(parameters, office)
        with service.database.snapshot("arrears_app") as connection:
            among = {account.customer.account_name: [account_id]}
            found = list(fees_shown(connection, asked, filters=Filters(), among=among))
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None
    shown: dict[str, Any] = orjson.loads(found[0].expected) if found else {"lines": [], "note": "it was paid since"}
    if not (lines := lines_shown(shown, currency)):
        why = shown["note"] or "nothing is owed that it could be taken of"
        raise Refused(Rejected("no-fee", f"no fee is added: {why}"))
    fee_id = caller.new_id("fee")
    command = AddFee(
        account_id=account_id,
        fee_id=fee_id,
        basis=parameters.basis,
        as_of=asked.as_of,
        service_type=parameters.service_type,
        due_today=Money.rounded(Decimal(shown["due_today"]), currency),
        lines=lines,
    )
    return issuing.issue(
        command, for_the_system(caller), command_id=identifier("fee-added", fee_id, account_id), reason=reason
    )


def _account_of(service: Service, account_id: UUID) -> tuple[Account, Office]:
    try:
        account = service.arrears.load(Account, account_id)
        return account, service.arrears.load(Office, account.customer.office_id or account_id)
    except AggregateNotFoundError:
        raise Refused(Rejected("unknown-account", "there is no such account")) from None
