"""What tests are about, said in a line: builders whose defaults are sane, so that a test names only what matters."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.command import account_id, document_id
from aggregates.account.customer import OpenAccount
from aggregates.account.disputes import DisputedInvoice, OpenDispute
from aggregates.account.payments import (
    CorrectPayment,
    NoteCredit,
    ReceivePayment,
    ReceivePaymentAgain,
    Refund,
    ReversePayment,
)
from aggregates.account.receivables import ReversalKind
from aggregates.campaign import (
    Anchor,
    CampaignPlan,
    EngagementRules,
    LaunchCampaign,
    ReviseCampaign,
    Step,
    Template,
    campaign_id,
)
from aggregates.kernel.command import identifier
from aggregates.office import OpenOffice, office_id
from aggregates.promise import Instalment, MakePromise
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactDetails,
    EmailAddress,
    PhoneKind,
    PhoneNumber,
    PostalAddress,
)
from aggregates.values.money import Money


def _month(number: int) -> Callable[[int], date]:
    return partial(date, 2026, number)


JAN, FEB, MAR, APR, MAY, JUN, JUL = (_month(number) for number in range(1, 8))
NOV = _month(11)
"""Days of the year in which tests happen: `MAY(5)` is 2026-05-05, a Tuesday."""

DAY = timedelta(days=1)
OFFICE = office_id("main")
ACCOUNT = account_id(OFFICE, "A-1")
CAMPAIGN = campaign_id(OFFICE, "Reminders")
PROMISE = identifier("promise", "one")


def usd(amount: int) -> Money:
    """Whole dollars."""
    return Money(amount * 100, "USD")


def cents(minor: int) -> Money:
    return Money(minor, "USD")


def invoice_id(number: str = "INV-1") -> UUID:
    return document_id(ACCOUNT, "invoice", number)


def payment_id(number: str = "PAY-1") -> UUID:
    return document_id(ACCOUNT, "payment", number)


def credit_id(number: str = "CR-1") -> UUID:
    return document_id(ACCOUNT, "credit", number)


# --- the office and its customer ---------------------------------------------------------------------


def an_office(**more: Any) -> OpenOffice:
    return OpenOffice(**{"code": "main", "title": "Main office", "time_zone": "America/New_York", **more})


def an_account(**more: Any) -> OpenAccount:
    """A consumer who can be reached by e-mail, text (with consent), voice, letter and portal."""
    given: dict[str, Any] = {
        "office_id": OFFICE, "number": "A-1", "customer_name": "Ada Lovelace", "currency": "USD", "contact": contact(),
    }  # fmt: skip
    return OpenAccount(**{**given, **more})


def contact(**more: Any) -> ContactDetails:
    given: dict[str, Any] = {
        "addresses": (PostalAddress(id="address-1", lines=("1 Main St",), city="New York", country="US"),),
        "phones": (a_phone(),),
        "emails": (EmailAddress(id="email-1", address="ada@example.org"),),
    }
    return ContactDetails(**{**given, **more})


def a_phone(**more: Any) -> PhoneNumber:
    given: dict[str, Any] = {
        "id": "phone-1", "number": "+12125550100", "kind": PhoneKind.MOBILE, "sms_consent": Consent.GIVEN,
    }  # fmt: skip
    return PhoneNumber(**{**given, **more})


# --- receivables -------------------------------------------------------------------------------------


def an_invoice(number: str = "INV-1", *, due_on: date, amount: Money | None = None, **more: Any) -> BillInvoice:
    """Of 100 dollars, issued thirty days before it is due."""
    return BillInvoice(**_invoice(number, due_on, amount, more))


def a_corrected_invoice(
    number: str = "INV-1", *, due_on: date, amount: Money | None = None, **more: Any
) -> CorrectInvoice:
    return CorrectInvoice(**_invoice(number, due_on, amount, more))


def _invoice(number: str, due_on: date, amount: Money | None, more: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        "account_id": ACCOUNT,
        "number": number,
        "due_on": due_on,
        "issued_on": due_on - 30 * DAY,
        "amount": usd(100) if amount is None else amount,
    }
    return {**given, **more}


def a_payment(
    amount: Money, *, on: date, number: str = "PAY-1", invoice: str | None = None, **more: Any
) -> ReceivePayment:
    given = {"account_id": ACCOUNT, "number": number, "amount": amount, "received_on": on, "invoice_number": invoice}
    return ReceivePayment.model_validate({**given, **more})


def a_corrected_payment(
    amount: Money, *, on: date, number: str = "PAY-1", invoice: str | None = None, **more: Any
) -> CorrectPayment:
    return CorrectPayment(
        account_id=ACCOUNT, number=number, amount=amount, received_on=on, invoice_number=invoice, **more
    )


def a_credit(amount: Money, *, on: date, number: str = "CR-1", invoice: str | None = None, **more: Any) -> NoteCredit:
    return NoteCredit(account_id=ACCOUNT, number=number, amount=amount, issued_on=on, invoice_number=invoice, **more)


def a_reversal(
    number: str = "PAY-1", *, on: date, kind: ReversalKind = ReversalKind.CHARGEBACK, **more: Any
) -> ReversePayment:
    return ReversePayment(account_id=ACCOUNT, number=number, reversal=kind, reversed_on=on, **more)


def a_payment_again(
    amount: Money, *, on: date, number: str = "PAY-1", invoice: str | None = None
) -> ReceivePaymentAgain:
    return ReceivePaymentAgain(account_id=ACCOUNT, number=number, amount=amount, received_on=on, invoice_number=invoice)


def a_refund(amount: Money, *, on: date, number: str | None = None, **more: Any) -> Refund:
    return Refund(account_id=ACCOUNT, amount=amount, refunded_on=on, number=number, **more)


# --- casework ----------------------------------------------------------------------------------------


def a_dispute(*invoices: str, **parts: Money) -> OpenDispute:
    """Of these invoices, and of parts of those; none named: of everything open."""
    return OpenDispute(
        account_id=ACCOUNT,
        invoice_numbers=invoices,
        invoices=tuple(DisputedInvoice(number=number, amount=amount) for number, amount in parts.items()) or None,
        reason_code="wrong-amount",
    )


def a_promise(
    amount: Money, *, due_on: date, promise_id: UUID = PROMISE, instalments: tuple[Instalment, ...] = (), **more: Any
) -> MakePromise:
    parts = instalments or (Instalment(due_on=due_on, amount=amount),)
    return MakePromise(promise_id=promise_id, account_id=ACCOUNT, instalments=parts, **more)


def instalments(*parts: tuple[date, Money]) -> tuple[Instalment, ...]:
    return tuple(Instalment(due_on=due_on, amount=amount) for due_on, amount in parts)


# --- campaigns ---------------------------------------------------------------------------------------


def a_step(step_id: str, days: int, **more: Any) -> Step:
    """An e-mail, `days` after the due date."""
    given: dict[str, Any] = {
        "id": step_id,
        "title": step_id.capitalize(),
        "days": days,
        "channel": Channel.EMAIL,
        "templates": {"en": Template(subject="Your account", body="You owe {{ amount_due }}.")},
    }
    return Step(**{**given, **more})


def since_engagement(step_id: str, days: int, **more: Any) -> Step:
    return a_step(step_id, days, anchor=Anchor.ENGAGEMENT, **more)


def a_plan(*steps: Step, rules: EngagementRules | None = None, **more: Any) -> CampaignPlan:
    return CampaignPlan(rules=rules or EngagementRules(), steps=steps or THREE_STEPS, **more)


THREE_STEPS = (a_step("friendly", 3), a_step("firm", 10), a_step("final", 20, required=True))
"""A friendly reminder after three days, a firm one after ten, a final notice (required) after twenty."""


def a_campaign(*steps: Step, title: str = "Reminders", **more: Any) -> LaunchCampaign:
    return LaunchCampaign(office_id=OFFICE, title=title, plan=a_plan(*steps, **more))


def a_revised_campaign(*steps: Step, **more: Any) -> ReviseCampaign:
    return ReviseCampaign(campaign_id=CAMPAIGN, plan=a_plan(*steps, **more))
