"""Fees as decisions: a new invoice with its lines, as it was shown; what allows them, and how they are let off."""

from datetime import date
from typing import Any

import pytest

from aggregates.account.billing import InvoiceBilled, InvoiceCorrected, WithdrawInvoice
from aggregates.account.bulk import ApplyBulkAction, BulkActionApplied, BulkActionUndone, BulkOutcome, UndoBulkAction
from aggregates.account.chase import StageChanged
from aggregates.account.customer import CustomerKind
from aggregates.account.fees import FeeGroundRecorded, RecordFeeGround, WaiveFee, fee_number
from aggregates.account.payments import CreditNoted
from aggregates.account.placement import PlaceAccount
from aggregates.account.receivables import ItemKind
from aggregates.kernel.command import identifier
from aggregates.office import ChangeOfficeSettings, FeeRulesSet, SetAgency
from aggregates.values.agency import Agency
from aggregates.values.contact_record import Role
from aggregates.values.contact_settings import ContactSettings
from aggregates.values.fees import (
    Discount,
    FeeBasis,
    FeeGround,
    FeeLimits,
    FeeRules,
    FeeTerms,
    Owed,
    OwedItem,
    WorkedOut,
    work_out,
)
from tests.builders import ACCOUNT, MAR, OFFICE, a_payment, a_reversal, an_account, an_invoice, cents, usd
from tests.given import Scenario, given, like

BULK, OTHER = identifier("bulk", 1), identifier("bulk", 2)
PERCENT = {"basis": "balance-percent", "percent": "5", "service_type": "late-fee"}
DISCOUNT = {"basis": "initial-discount-percent", "percent": "10", "service_type": "late-fee"}
NUMBER = fee_number("FEE-", BULK, ACCOUNT, MAR(10))


def owing() -> Scenario:
    return given(an_invoice(due_on=MAR(1)), MAR(10))


def apply(*lines: list[str], due: str = "100.00", bulk: Any = BULK, said: Any = PERCENT) -> ApplyBulkAction:
    """To an account that was shown so."""
    shown = {"as_of": "2026-03-05", "due_today": due, "lines": list(lines), "note": None}
    return ApplyBulkAction(account_id=ACCOUNT, bulk_id=bulk, kind="fees", parameters=said, expected=shown)


FEE = apply(["", "100.00", "5.00"])


def came(outcome: BulkOutcome, reason_code: str | None = None) -> Any:
    return like(BulkActionApplied, outcome=outcome, reason_code=reason_code)


def set_fees(**rules: Any) -> ChangeOfficeSettings:
    return ChangeOfficeSettings(office_id=OFFICE, fees=FeeRules(**rules))


def for_others(**rules: Any) -> ChangeOfficeSettings:
    return ChangeOfficeSettings(
        office_id=OFFICE, contact=ContactSettings(role=Role.THIRD_PARTY), fees=FeeRules(**rules) if rules else None
    )


# --- the invoice -------------------------------------------------------------------------------------


def test_a_fee_is_a_new_invoice_of_its_lines_due_by_the_offices_terms_and_numbered_by_its_scheme():
    charged = given(set_fees(terms_days=7, number_prefix="LATE-"), an_invoice(due_on=MAR(1)), MAR(10))
    two = apply(["INV-1", "60.00", "3.00"], ["INV-2", "40.00", "2.00"])
    billed, applied, judged = charged.when(two).new
    assert isinstance(judged, StageChanged)
    assert isinstance(billed, InvoiceBilled)
    assert isinstance(applied, BulkActionApplied)
    item, fee = billed.item, billed.fee
    assert (item.kind, item.amount, item.service_type) == (ItemKind.FEE, usd(5), "late-fee")
    assert (item.issued_on, item.due_on) == (MAR(10), MAR(17))
    assert item.number == fee_number("LATE-", BULK, ACCOUNT, MAR(10))
    assert item.number.startswith("LATE-20260310-")
    assert fee is not None
    assert (fee.basis, fee.as_of) == (FeeBasis.BALANCE_PERCENT, date(2026, 3, 5))
    assert [(each.source, each.base, each.amount) for each in fee.lines] == [
        ("INV-1", usd(60), usd(3)), ("INV-2", usd(40), usd(2)),
    ]  # fmt: skip


def test_the_same_bulk_action_charges_an_account_once_and_another_has_another_number():
    charged = owing().having(FEE)
    charged.when(FEE).then(came(BulkOutcome.CHANGED, "changed-since-preview"))
    again = charged.when(apply(["", "100.00", "5.00"], due="105.00")).new
    assert [type(each) for each in again] == [BulkActionApplied]
    other = charged.when(apply(["", "100.00", "5.00"], due="105.00", bulk=OTHER)).new
    assert isinstance(other[0], InvoiceBilled)
    assert other[0].item.number != NUMBER


def test_who_is_not_as_shown_is_left_and_where_nothing_was_shown_nothing_is_done():
    owing().having(a_payment(usd(1), on=MAR(10))).when(FEE).then(came(BulkOutcome.CHANGED, "changed-since-preview"))
    owing().when(apply()).then(came(BulkOutcome.SKIPPED))


def test_only_a_service_type_of_the_office_is_charged():
    command = apply(["", "100.00", "5.00"], said={**PERCENT, "service_type": "rent"})
    owing().when(command).then(came(BulkOutcome.REFUSED, "unknown-fee-service-type"))


def test_who_is_placed_with_an_agency_bears_no_fee_of_ours():
    agency = SetAgency(office_id=OFFICE, code="acme", agency=Agency(title="Acme Recovery"))
    placed = owing().having(agency, PlaceAccount(account_id=ACCOUNT, agency="acme"))
    placed.when(FEE).then(came(BulkOutcome.REFUSED, "placed-already"))
    shown = worked_out(an_item("I-1", 105), is_placed=True)
    assert (shown.lines, shown.notes) == ((), ("an agency has the account: our own fees rest",))


# --- what allows it ----------------------------------------------------------------------------------


def test_a_consumers_debt_that_is_collected_for_others_bears_a_fee_where_agreement_or_law_allow_it():
    charged = owing().having(for_others())
    charged.when(FEE).then(came(BulkOutcome.REFUSED, "fee-not-allowed"))
    record = RecordFeeGround(account_id=ACCOUNT, ground=FeeGround.AGREEMENT)
    charged.when(record).then(FeeGroundRecorded(ground=FeeGround.AGREEMENT))
    charged.when(record).then_nothing_happened()
    charged.when(FEE).then_among_others(InvoiceBilled, came(BulkOutcome.DONE))


@pytest.mark.parametrize(
    "before",
    [for_others(ground=FeeGround.LAW), an_account(customer_kind=CustomerKind.COMMERCIAL)],
    ids=["office", "commercial"],
)
def test_so_does_what_the_office_recorded_and_commercial_debt(before: Any):
    owing().having(for_others(), before).when(FEE).then_among_others(InvoiceBilled, came(BulkOutcome.DONE))


def test_a_discount_bears_one_fee_ever_unless_that_is_withdrawn():
    charged = owing()
    charged.when(apply(["S-1", "50.00", "5.00"], said=DISCOUNT)).then_among_others(came(BulkOutcome.DONE))
    again = apply(["S-1", "50.00", "5.00"], due="105.00", bulk=OTHER, said=DISCOUNT)
    charged.when(again).then(came(BulkOutcome.REFUSED, "discount-bore-fee"))
    charged.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)).then_among_others(like(BulkActionUndone))
    free = again.model_copy(update={"expected": {**again.expected, "due_today": "100.00"}})
    charged.when(free).then_among_others(InvoiceBilled, came(BulkOutcome.DONE))


# --- undo and waiver ---------------------------------------------------------------------------------

UNDO = UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)


def test_an_undo_withdraws_the_fee_and_the_balance_is_as_before():
    undone = owing().having(FEE).when(UNDO)
    undone.then(like(InvoiceCorrected), like(BulkActionUndone, outcome=BulkOutcome.DONE, reversed=(NUMBER,)))
    assert undone.account.receivables.balance == usd(100)


@pytest.mark.parametrize(
    "since",
    [
        (a_payment(cents(1), on=MAR(10), invoice=NUMBER),),
        (a_payment(usd(5), on=MAR(10), invoice=NUMBER),),
        (WithdrawInvoice(account_id=ACCOUNT, number=NUMBER),),
        (WaiveFee(account_id=ACCOUNT, number=NUMBER),),
    ],
    ids=["paid in part", "paid", "withdrawn", "waived"],
)
def test_a_fee_that_was_paid_is_left_and_named(since: Any):
    undone = owing().having(FEE, *since).when(UNDO)
    undone.then(like(BulkActionUndone, outcome=BulkOutcome.CHANGED, reversed=()))
    assert NUMBER in str(undone.new[0])


def test_a_fee_whose_payment_bounced_is_withdrawn_when_it_is_asked_again_and_not_twice():
    charged = owing().having(FEE, a_payment(usd(5), on=MAR(10), invoice=NUMBER), UNDO, a_reversal(on=MAR(10)))
    withdrawn = (like(InvoiceCorrected), like(BulkActionUndone, outcome=BulkOutcome.DONE, reversed=(NUMBER,)))
    charged.when(UNDO).then_among_others(*withdrawn)
    assert charged.account.receivables.balance == usd(100)
    charged.when(UNDO).then_nothing_happened()


def test_a_waiver_credits_what_is_open_of_the_fee_with_a_reason():
    charged = owing().having(FEE, a_payment(usd(2), on=MAR(10), invoice=NUMBER))
    waive = WaiveFee(account_id=ACCOUNT, number=NUMBER)
    charged.when(waive, reason=None).then_refused("reason-required")
    noted = charged.when(waive).new[0]
    assert isinstance(noted, CreditNoted)
    assert (noted.receipt.amount, noted.receipt.invoice_number) == (usd(3), NUMBER)
    assert charged.account.receivables.balance == usd(100)
    charged.when(waive).then_refused("not-open")
    charged.when(WaiveFee(account_id=ACCOUNT, number="INV-1")).then_refused("not-a-fee")
    charged.when(WaiveFee(account_id=ACCOUNT, number="INV-9")).then_refused("unknown-invoice")


# --- the office's rules ------------------------------------------------------------------------------


def test_the_office_says_its_rules_and_amounts_have_the_places_of_its_currency():
    given().when(set_fees(minimum="1.50")).then(like(FeeRulesSet))
    given().when(set_fees(minimum="1.505")).then_refused("amount-too-fine")


def an_item(number: str = "I-1", open_minor: int = 1_000, **more: Any) -> OwedItem:
    found = OwedItem(number, str(identifier(number)), open_minor, 2_000, 0, False, True, None, False)
    return found._replace(**more)


def worked_out(
    *items: OwedItem,
    basis: FeeBasis = FeeBasis.INVOICE_BALANCE_PERCENT,
    rules: dict[str, Any] | None = None,
    discounts: tuple[Discount, ...] = (),
    charged: int = 0,
    is_placed: bool = False,
    **terms: Any,
) -> WorkedOut:
    """Ten per cent, or a dollar."""
    limits = FeeLimits.of(FeeRules(**rules or {}), ContactSettings(), office_currency="USD", currency="USD")
    said = {"with_fees": False, "with_disputed": False, "with_unfulfilled": False, **terms}
    asked = FeeTerms(basis=basis, amount=100, percent=usd(10).decimal(), **said)
    owed = Owed(items, 0, discounts, charged, 0, 0, CustomerKind.CONSUMER, None, is_placed)
    return work_out(asked, owed, limits, "USD")


def amounts(found: WorkedOut) -> list[int]:
    return [line.amount for line in found.lines]


def test_each_line_is_rounded_half_up_then_the_sum_is_capped_from_the_last_line_on():
    three = (an_item("I-1", 105), an_item("I-2", 115), an_item("I-3", 124))
    assert amounts(worked_out(*three)) == [11, 12, 12]
    cut = worked_out(*three, rules={"most_per_account": "0.20"})
    assert (amounts(cut), cut.notes) == ([11, 9], ("cut from 0.35 to 0.20",))
    assert amounts(worked_out(*three, rules={"most_per_item": "0.05"})) == [5, 5, 5]


def test_under_the_least_fee_none_is_made_and_it_is_not_raised():
    small = worked_out(an_item(open_minor=99), rules={"minimum": "0.11"})
    assert (amounts(small), small.notes) == ([], ("0.10 is less than the least fee, 0.11",))
    capped = worked_out(an_item(open_minor=9_000), rules={"minimum": "5", "most_per_account": "4"})
    assert amounts(capped) == []


def test_fees_of_a_period_are_limited_together():
    assert amounts(worked_out(an_item(), rules={"most_per_period": "3"}, charged=250)) == [50]
    assert amounts(worked_out(an_item(), rules={"most_per_period": "3"}, charged=300)) == []


def test_no_fee_on_a_fee_or_a_disputed_amount_unless_asked():
    items = (an_item("FEE-1", is_fee=True), an_item("I-2", disputed=1_000), an_item("I-3", disputed=400))
    assert amounts(worked_out(*items)) == [60]
    assert amounts(worked_out(*items, with_fees=True, with_disputed=True)) == [100, 100, 100]
    assert amounts(worked_out(*items, basis=FeeBasis.INVOICE_TOTAL_PERCENT)) == [160]
    assert worked_out(*items, basis=FeeBasis.BALANCE_PERCENT).base == 600


def test_an_invoice_bears_a_fee_of_a_type_once_where_the_office_says_so():
    bearing = an_item(bears_fee=True)
    assert amounts(worked_out(bearing)) == [100]
    assert not worked_out(bearing, rules={"once_per_item": True}).has_source


def test_fixed_per_customer_is_one_amount_where_there_is_such_an_invoice():
    fixed = FeeBasis.FIXED_PER_CUSTOMER
    assert amounts(worked_out(an_item("I-1"), an_item("I-2"), basis=fixed)) == [100]
    assert not worked_out(an_item(is_chosen=False), basis=fixed).has_source


def test_an_initial_discount_is_taken_once_of_fulfilled_subscriptions_with_a_balance():
    items = (an_item(subscription="S-1"), an_item("I-2", subscription="S-1"), an_item("I-3", subscription="S-2"))
    discounts = (
        Discount("S-1", 500, True, False),
        Discount("S-2", 900, False, False),
        Discount("S-3", 50, True, False),
    )
    asked: dict[str, Any] = {"basis": FeeBasis.INITIAL_DISCOUNT_PERCENT, "discounts": discounts}
    found = worked_out(*items, **asked)
    assert ([line.source for line in found.lines], amounts(found)) == (["S-1"], [50])
    assert found.notes == ("subscription S-2 is not fulfilled",)
    assert amounts(worked_out(*items, **asked, with_unfulfilled=True)) == [50, 90]
    charged = worked_out(*items, basis=asked["basis"], discounts=(Discount("S-1", 500, True, True),))
    assert charged.notes == ("the discount of S-1 bore a fee already",)


def test_no_fee_where_less_is_owed_than_the_office_says():
    assert worked_out(an_item(), rules={"minimum_balance": "10.01"}).notes == ("10.00 is owed, less than 10.01",)
    assert amounts(worked_out(an_item(), rules={"minimum_balance": "10.00"})) == [100]
