"""Payments between accounts: a payer who is not the debtor, and a payment that was booked on the wrong account."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from aggregates.account import Account
from aggregates.account.allocation import AllocateFunds, AllocationDue, SettleAllocation
from aggregates.account.between_accounts import MovePayment, TransferPayment, WithdrawTransfer
from aggregates.account.command import account_id, document_id
from aggregates.account.contact import OptOutOfContact
from aggregates.account.customer import OpenAccount, Opening
from aggregates.account.payments import CorrectPayment, ReceivePayment, ReversalKind
from aggregates.account.receivables import Instruction
from aggregates.kernel.command import Accepted, Command, Rejected, identifier
from aggregates.office import office_id
from aggregates.promise import PromiseStatus, PromiseToPay
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    DAY,
    MAY,
    OFFICE,
    PROMISE,
    a_corrected_payment,
    a_dispute,
    a_payment,
    a_promise,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    usd,
)
from tests.given import World

DEBTOR = account_id(OFFICE, "B-1")
THIRD = account_id(OFFICE, "C-1")
THEIRS = identifier("promise", "theirs")
NORTH = office_id("north")


@pytest.fixture
def world() -> World:
    """A payer and a debtor; today is the 20th of May."""
    world = World()
    world.move_to(MAY(20))
    for command in (an_office(), an_account(), an_account(number="B-1"), an_account(number="C-1")):
        assert isinstance(world.do(command), Accepted)
    return world


def do(world: World, *commands: Command) -> None:
    for command in commands:
        before = len(world.log)
        outcome = world.do(command)
        assert isinstance(outcome, Accepted), outcome
        due = {r.aggregate_id for r in world.log[before:] if isinstance(r.event, AllocationDue)}
        for each in due:
            world.do(SettleAllocation(account_id=each))


def refused(world: World, command: Command) -> Rejected:
    before = len(world.log)
    outcome = world.do(command)
    assert isinstance(outcome, Rejected)
    assert len(world.log) == before, "a refusal leaves no trace on either account"
    return outcome


def a_transfer(
    amount: Money | None = None, *, on: date | None = None, to: UUID = DEBTOR, **more: Any
) -> TransferPayment:
    """On the 12th of May, if nothing else is said."""
    on = on or MAY(12)
    given = {"account_id": ACCOUNT, "number": "PAY-1", "to_account_id": to, "amount": amount, "transferred_on": on}
    return TransferPayment.model_validate({**given, **more})


def a_move(**more: Any) -> MovePayment:
    return MovePayment.model_validate({"account_id": ACCOUNT, "number": "PAY-1", "to_account_id": DEBTOR, **more})


def owed(world: World, account: UUID) -> Money:
    return world.get(Account, account).receivables.balance


def open_items(world: World, account: UUID) -> dict[str, Money]:
    return {item.item.number: item.open for item in world.get(Account, account).receivables.items.values()}


def whole(world: World, account: UUID) -> Account:
    return world.store.replayed(Account, account, whole=True)


def put(world: World, account: UUID, number: str) -> list[tuple[date, str, int]]:
    """What a payment is put against, by day."""
    receivables = whole(world, account).receivables
    funds = receivables.known_funds(document_id(account, "payment", number))
    assert funds is not None
    return [
        (part.allocated_on, item.item.number, part.amount.minor // 100)
        for item_id, parts in receivables.allocated_of(funds).items()
        if (item := receivables.known_item(item_id)) is not None
        for part in parts
    ]


# --- transfers ---------------------------------------------------------------------------------------


def test_a_transfer_pays_the_debtor_s_oldest_items_from_its_day_on(world):
    do(
        world,
        an_invoice("OLD", due_on=MAY(5), account_id=DEBTOR),
        an_invoice("NEW", due_on=MAY(9), account_id=DEBTOR),
        a_payment(usd(150), on=MAY(10)),
        a_transfer(on=MAY(12)),
    )
    assert owed(world, ACCOUNT) == usd(0)
    assert open_items(world, DEBTOR) == {"NEW": usd(50)}
    assert put(world, DEBTOR, "PAY-1/A-1") == [(MAY(12), "OLD", 100), (MAY(12), "NEW", 50)]


def test_money_that_left_is_not_put_against_what_the_payer_is_billed_later(world):
    do(world, a_payment(usd(100), on=MAY(10)), a_transfer(usd(60)), an_invoice("I", due_on=MAY(30), issued_on=MAY(15)))
    assert open_items(world, ACCOUNT) == {"I": usd(60)}
    assert owed(world, DEBTOR) == usd(-60)


def test_only_what_is_put_against_nothing_can_be_transferred(world):
    do(world, an_invoice("I", due_on=MAY(5), amount=usd(70)), a_payment(usd(100), on=MAY(10)))
    assert "at most 30.00 USD" in refused(world, a_transfer(usd(31))).detail
    do(world, a_transfer(usd(30)))
    assert refused(world, a_transfer()).reason_code == "transfer-too-large"
    assert refused(world, a_transfer(usd(1))).reason_code == "transfer-too-large"


def test_what_was_put_against_something_after_the_transfer_s_day_cannot_be_transferred(world):
    do(world, a_payment(usd(100), on=MAY(2)), an_invoice("I", due_on=MAY(30), issued_on=MAY(10), amount=usd(80)))
    assert "at most 20.00 USD" in refused(world, a_transfer(usd(100), on=MAY(3))).detail
    do(world, a_transfer(on=MAY(3)))
    assert owed(world, DEBTOR) == usd(-20)
    assert open_items(world, ACCOUNT) == {}


def test_an_invoice_of_before_the_transfer_that_is_booked_later_is_paid_until_the_money_leaves(world):
    do(
        world,
        a_payment(usd(100), on=MAY(5)),
        a_transfer(on=MAY(12)),
        an_invoice("LATE", due_on=MAY(30), issued_on=MAY(8), amount=usd(40)),
    )
    assert open_items(world, ACCOUNT) == {"LATE": usd(40)}
    assert whole(world, ACCOUNT).receivables.items[document_id(ACCOUNT, "invoice", "LATE")].open_since == MAY(12)
    assert owed(world, ACCOUNT) == usd(40)
    assert owed(world, DEBTOR) == usd(-100)


def test_what_a_person_decides_about_a_payment_leaves_out_what_was_transferred(world):
    do(
        world,
        a_payment(usd(100), on=MAY(5)),
        a_transfer(usd(70)),
        an_invoice("I", due_on=MAY(30), issued_on=MAY(15)),
    )
    asked = AllocateFunds(account_id=ACCOUNT, number="PAY-1", invoice_number="I", amount=usd(40))
    assert "at most 30.00 USD" in refused(world, asked).detail


def test_a_second_transfer_of_a_payment_has_a_number_of_its_own(world):
    do(world, a_payment(usd(100), on=MAY(5)), a_transfer(usd(10)), a_transfer(usd(20)), a_transfer(usd(30), to=THIRD))
    numbers = [funds.receipt.number for funds in world.get(Account, DEBTOR).receivables.funds.values()]
    assert numbers == ["PAY-1/A-1", "PAY-1/A-1/2"]
    assert [owed(world, each) for each in (ACCOUNT, DEBTOR, THIRD)] == [usd(-40), usd(-30), usd(-30)]


def test_a_long_number_of_a_payment_is_cut_where_it_is_transferred(world):
    number = "9" * 100
    do(world, a_payment(usd(100), on=MAY(5), number=number), a_transfer(number=number))
    [funds] = world.get(Account, DEBTOR).receivables.funds.values()
    assert len(funds.receipt.number) <= 100
    do(world, WithdrawTransfer(account_id=DEBTOR, number=funds.receipt.number))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (a_transfer(on=MAY(9)), "transfer-day"),
        (a_transfer(on=MAY(21)), "transfer-day"),
        (a_transfer(number="PAY-2"), "unknown-payment"),
        (a_transfer(Money(100, "EUR")), "wrong-currency"),
        (a_transfer(to=account_id(OFFICE, "nobody")), "unknown-account"),
        (a_move(amount=Money(100, "EUR")), "wrong-currency"),
        (a_move(number="PAY-2"), "unknown-payment"),
        (a_move(to_account_id=account_id(OFFICE, "nobody")), "unknown-account"),
        (WithdrawTransfer(account_id=ACCOUNT, number="PAY-1"), "not-transferred"),
    ],
)
def test_what_does_not_fit_is_refused(world, command, code):
    do(world, a_payment(usd(100), on=MAY(10)))
    assert refused(world, command).reason_code == code


def test_money_goes_to_accounts_of_the_same_office_only(world):
    do(world, an_office(code="north"), an_account(office_id=NORTH), a_payment(usd(100), on=MAY(10)))
    theirs = account_id(NORTH, "A-1")
    for command in (a_transfer(to=theirs), a_move(to_account_id=theirs)):
        assert refused(world, command).reason_code == "other-office"


def test_an_account_does_not_send_money_to_itself():
    for command in (a_transfer, a_move):
        with pytest.raises(ValueError, match="another account"):
            command(to_account_id=ACCOUNT)


def test_people_say_why(world):
    do(world, a_payment(usd(100), on=MAY(10)))
    for command in (a_transfer(), a_move()):
        assert isinstance(said := world.do(command, reason=None), Rejected)
        assert said.reason_code == "reason-required"


# --- reversals and corrections -----------------------------------------------------------------------


@pytest.fixture
def transferred(world: World) -> World:
    """A hundred came on the 5th, of which sixty paid the debtor's invoice on the 12th."""
    do(
        world,
        an_invoice("B", due_on=MAY(1), amount=usd(60), account_id=DEBTOR),
        a_payment(usd(100), on=MAY(5)),
        a_transfer(usd(60)),
    )
    assert open_items(world, DEBTOR) == {}
    return world


@pytest.mark.parametrize("kind", [ReversalKind.NSF, ReversalKind.CHARGEBACK, ReversalKind.REFUND])
def test_a_payment_that_is_taken_back_is_taken_back_from_the_debtor_too_as_of_that_day(transferred, kind):
    do(transferred, a_reversal(on=MAY(18), kind=kind))
    assert (owed(transferred, ACCOUNT), owed(transferred, DEBTOR)) == (usd(0), usd(60))
    item = transferred.get(Account, DEBTOR).receivables.items[document_id(DEBTOR, "invoice", "B")]
    assert (item.open, item.open_since) == (usd(60), MAY(18))
    for account in (ACCOUNT, DEBTOR):
        assert not whole(transferred, account).receivables.funds


def test_a_payment_recorded_in_error_was_never_transferred(transferred):
    do(transferred, a_reversal(on=MAY(18), kind=ReversalKind.ERROR))
    assert (owed(transferred, ACCOUNT), owed(transferred, DEBTOR)) == (usd(0), usd(60))
    item = transferred.get(Account, DEBTOR).receivables.items[document_id(DEBTOR, "invoice", "B")]
    assert item.open_since == MAY(1) - 30 * DAY


def test_a_reversal_of_before_the_transfer_leaves_nothing_of_it(transferred):
    do(transferred, a_reversal(on=MAY(8), kind=ReversalKind.NSF))
    assert (owed(transferred, ACCOUNT), owed(transferred, DEBTOR)) == (usd(0), usd(60))


def test_what_was_billed_to_the_payer_before_a_reversal_is_worked_out_over_what_had_left(transferred):
    do(
        transferred,
        a_reversal(on=MAY(18), kind=ReversalKind.NSF),
        an_invoice("LATE", due_on=MAY(30), issued_on=MAY(6), amount=usd(100)),
    )
    assert open_items(transferred, ACCOUNT) == {"LATE": usd(100)}
    moves = whole(transferred, ACCOUNT).receivables.moves
    by_day: dict[date, int] = {}
    for move in moves:
        by_day[move.day] = by_day.get(move.day, 0) + move.amount // 100
    assert by_day == {MAY(6): 100, MAY(12): -60, MAY(18): -40}


def test_a_withdrawn_transfer_never_was(transferred):
    do(
        transferred,
        an_invoice("A", due_on=MAY(30), issued_on=MAY(14)),
        WithdrawTransfer(account_id=DEBTOR, number="PAY-1/A-1"),
    )
    assert put(transferred, ACCOUNT, "PAY-1") == [(MAY(14), "A", 40), (MAY(14), "A", 60)]
    assert open_items(transferred, DEBTOR) == {"B": usd(60)}
    do(transferred, a_reversal(on=MAY(18)))
    assert (owed(transferred, ACCOUNT), owed(transferred, DEBTOR)) == (usd(100), usd(60))


def test_a_transfer_after_a_withdrawn_one_has_its_number(transferred):
    do(transferred, WithdrawTransfer(account_id=DEBTOR, number="PAY-1/A-1"), a_transfer(usd(30)))
    assert put(transferred, DEBTOR, "PAY-1/A-1") == [(MAY(12), "B", 30)]
    assert (owed(transferred, ACCOUNT), owed(transferred, DEBTOR)) == (usd(-70), usd(30))


def test_what_came_from_another_account_is_dealt_with_there(transferred):
    mine: dict[str, Any] = {"account_id": DEBTOR, "number": "PAY-1/A-1"}
    for command in (
        a_reversal("PAY-1/A-1", on=MAY(18)).model_copy(update={"account_id": DEBTOR}),
        CorrectPayment(**mine, amount=usd(1), received_on=MAY(5)),
        a_transfer(**mine, to=THIRD),
        MovePayment(**mine, to_account_id=THIRD),
    ):
        said = refused(transferred, command)
        assert said.reason_code == "transferred-here"
        assert "payment PAY-1 on account A-1" in said.detail


@pytest.mark.parametrize(
    ("amount", "on", "kept", "owed_there"),
    [
        (usd(80), MAY(5), usd(20), usd(0)),
        (usd(30), MAY(5), usd(0), usd(30)),
        (usd(100), MAY(15), usd(40), usd(0)),
    ],
)
def test_a_corrected_payment_stays_transferred_as_far_as_it_goes(transferred, amount, on, kept, owed_there):
    do(transferred, a_corrected_payment(amount, on=on))
    assert (owed(transferred, ACCOUNT), owed(transferred, DEBTOR)) == (-kept, owed_there)
    [(day, *_)] = put(transferred, DEBTOR, "PAY-1/A-1")
    assert day == max(MAY(12), on)


def test_a_payment_that_was_transferred_whole_stays_so_when_it_turns_out_to_be_more(world):
    do(world, a_payment(usd(100), on=MAY(5)), a_transfer(), a_corrected_payment(usd(130), on=MAY(5)))
    assert (owed(world, ACCOUNT), owed(world, DEBTOR)) == (usd(0), usd(-130))


def test_money_for_another_account_goes_there_the_day_it_comes_in(world):
    do(
        world,
        an_invoice("A", due_on=MAY(1)),
        an_invoice("B", due_on=MAY(1), account_id=DEBTOR),
        an_invoice("B-2", due_on=MAY(2), account_id=DEBTOR),
        a_payment(usd(100), on=MAY(10), invoice="B-2", for_account_id=DEBTOR),
    )
    assert open_items(world, ACCOUNT) == {"A": usd(100)}
    assert open_items(world, DEBTOR) == {"B": usd(100)}
    do(
        world,
        CorrectPayment(
            account_id=ACCOUNT, number="PAY-1", amount=usd(90), received_on=MAY(11), invoice_number="B",
            for_account_id=DEBTOR,
        ),
    )  # fmt: skip
    assert open_items(world, ACCOUNT) == {"A": usd(100)}
    assert open_items(world, DEBTOR) == {"B": usd(10), "B-2": usd(100)}


def test_money_for_another_account_pays_the_invoices_there_that_it_says(world):
    said = (Instruction(invoice_number="B-2", amount=usd(60)), Instruction(invoice_number="B", amount=usd(30)))
    do(
        world,
        an_invoice("B", due_on=MAY(1), account_id=DEBTOR),
        an_invoice("B-2", due_on=MAY(2), account_id=DEBTOR),
        a_payment(usd(90), on=MAY(10), instructions=said, for_account_id=DEBTOR),
    )
    assert open_items(world, DEBTOR) == {"B": usd(70), "B-2": usd(40)}
    assert owed(world, ACCOUNT) == usd(0)


def test_money_for_another_account_that_is_dated_ahead_goes_there_on_its_day(world):
    payment = a_payment(usd(100), on=MAY(25), for_account_id=DEBTOR)
    do(world, payment)
    assert owed(world, DEBTOR) == usd(0)
    world.live(MAY(26))
    assert (owed(world, ACCOUNT), owed(world, DEBTOR)) == (usd(0), usd(-100))


def test_money_for_an_account_that_nobody_knows_is_refused(world):
    nobody = ReceivePayment(
        account_id=ACCOUNT, number="P", amount=usd(1), received_on=MAY(5), for_account_id=account_id(OFFICE, "nobody")
    )
    assert refused(world, nobody).reason_code == "unknown-account"


# --- promises ----------------------------------------------------------------------------------------


@pytest.fixture
def promised(world: World) -> World:
    """Both promised fifty, for what both owe since May; the payer's invoice is disputed, so money is put nowhere."""
    world.reacts = True
    do(
        world,
        an_invoice("A", due_on=MAY(1), amount=usd(50)),
        an_invoice("B", due_on=MAY(1), amount=usd(50), account_id=DEBTOR),
        a_promise(usd(50), due_on=MAY(28)),
        a_promise(usd(50), due_on=MAY(28), promise_id=THEIRS).model_copy(update={"account_id": DEBTOR}),
        a_dispute("A"),
    )
    return world


def promise(world: World, promise_id: UUID) -> tuple[PromiseStatus, Money]:
    found = world.get(PromiseToPay, promise_id)
    return found.status, found.received


def test_money_counts_towards_the_promises_of_the_account_whose_debt_it_pays(promised):
    do(promised, a_payment(usd(50), on=MAY(20)))
    assert promise(promised, PROMISE) == (PromiseStatus.KEPT, usd(50))
    do(promised, a_transfer(usd(30), on=MAY(20)))
    assert promise(promised, PROMISE) == (PromiseStatus.OPEN, usd(20))
    assert promised.account.promises.open[PROMISE].remaining == usd(30)
    assert promise(promised, THEIRS) == (PromiseStatus.OPEN, usd(30))
    do(promised, WithdrawTransfer(account_id=DEBTOR, number="PAY-1/A-1"))
    assert promise(promised, PROMISE) == (PromiseStatus.KEPT, usd(50))
    assert promise(promised, THEIRS) == (PromiseStatus.OPEN, usd(0))


def test_a_promise_that_enough_is_left_for_is_not_judged_again(promised):
    do(promised, a_payment(usd(100), on=MAY(20)), a_transfer(usd(50), on=MAY(20)))
    assert promise(promised, PROMISE) == promise(promised, THEIRS) == (PromiseStatus.KEPT, usd(50))
    assert "promise.reopened" not in {recorded.name for recorded in promised.log}


def test_money_for_another_account_never_counts_towards_the_payer_s_promise(promised):
    do(promised, a_payment(usd(50), on=MAY(20), for_account_id=DEBTOR))
    assert promise(promised, PROMISE) == (PromiseStatus.OPEN, usd(0))
    assert promise(promised, THEIRS) == (PromiseStatus.KEPT, usd(50))
    assert [r.name for r in promised.log if r.aggregate_id == PROMISE] == ["promise.made"]


# --- a payment on the wrong account ------------------------------------------------------------------


def test_a_moved_payment_never_was_on_the_one_account_and_always_on_the_other(world):
    do(
        world,
        an_invoice("A", due_on=MAY(1)),
        an_invoice("B", due_on=MAY(2), account_id=DEBTOR),
        a_payment(usd(100), on=MAY(10), method="wire"),
        a_move(),
    )
    assert open_items(world, ACCOUNT) == {"A": usd(100)}
    assert open_items(world, DEBTOR) == {}
    assert put(world, DEBTOR, "PAY-1") == [(MAY(10), "B", 100)]
    assert world.account.receivables.items[document_id(ACCOUNT, "invoice", "A")].open_since == MAY(1) - 30 * DAY
    funds = whole(world, DEBTOR).receivables.used_up[document_id(DEBTOR, "payment", "PAY-1")]
    assert funds.method == "wire"


def test_a_payment_that_is_moved_back_is_where_it_was(world):
    do(world, an_invoice("A", due_on=MAY(1)), a_payment(usd(100), on=MAY(10)), a_move())
    do(world, MovePayment(account_id=DEBTOR, number="PAY-1", to_account_id=ACCOUNT))
    assert put(world, ACCOUNT, "PAY-1") == [(MAY(10), "A", 100)]
    assert owed(world, DEBTOR) == usd(0)
    do(world, a_reversal(on=MAY(15)))
    assert owed(world, ACCOUNT) == usd(100)


def test_a_payment_is_corrected_as_it_is_moved_and_its_account_opened(world):
    new = account_id(OFFICE, "NEW")
    opens = Opening(office_id=OFFICE, number="NEW", currency="USD")
    do(
        world,
        a_payment(usd(100), on=MAY(10)),
        a_move(to_account_id=new, amount=usd(70), received_on=MAY(8), invoice_number="N", opens=opens),
        an_invoice("N", due_on=MAY(30), issued_on=MAY(9), account_id=new),
    )
    assert owed(world, ACCOUNT) == usd(0)
    assert put(world, new, "PAY-1") == [(MAY(9), "N", 70)]


def test_a_payment_is_not_moved_onto_another_of_its_number(world):
    do(world, a_payment(usd(100), on=MAY(10)), a_payment(usd(1), on=MAY(10), account_id=DEBTOR))
    assert refused(world, a_move()).reason_code == "duplicate-payment"


def test_a_payment_of_which_money_was_transferred_is_not_moved(transferred):
    assert "B-1" in refused(transferred, a_move(to_account_id=THIRD)).detail
    do(transferred, WithdrawTransfer(account_id=DEBTOR, number="PAY-1/A-1"), a_move(to_account_id=THIRD))
    assert [owed(transferred, each) for each in (ACCOUNT, DEBTOR, THIRD)] == [usd(0), usd(60), usd(-100)]


def test_a_payment_that_waits_for_its_day_is_not_moved(world):
    do(world, a_payment(usd(100), on=MAY(25)))
    assert refused(world, a_move()).reason_code == "payment-waits"


# --- other currencies --------------------------------------------------------------------------------


def in_euros(number: str = "A-1") -> OpenAccount:
    return an_account(number=number, currency="EUR", other_currency=True, contact=None)


def eur(amount: int) -> Money:
    return Money(amount * 100, "EUR")


def test_money_stays_among_accounts_in_its_currency(world):
    euros = account_id(OFFICE, "A-1", "EUR")
    do(world, in_euros(), a_payment(usd(100), on=MAY(10)))
    opens = Opening(office_id=OFFICE, number="NEW", currency="EUR", other_currency=True)
    new = opens.account_id
    for command in (
        a_transfer(to=euros),
        a_transfer(eur(10), to=euros),
        a_move(to_account_id=euros),
        a_move(to_account_id=euros, amount=eur(100)),
        a_move(to_account_id=new, opens=opens),
        a_payment(usd(5), number="PAY-2", on=MAY(10), for_account_id=euros),
    ):
        assert refused(world, command).reason_code == "wrong-currency"
    assert "account A-1/EUR is in EUR" in refused(world, a_transfer(to=euros)).detail


def test_accounts_in_another_currency_call_each_other_by_it(world):
    payer, debtor = (account_id(OFFICE, number, "EUR") for number in ("A-1", "B-1"))
    do(world, in_euros(), in_euros("B-1"), a_payment(eur(100), on=MAY(10), account_id=payer))
    do(world, a_transfer(eur(40), to=debtor, account_id=payer))
    [funds] = whole(world, payer).receivables.funds.values()
    assert [(sent.to.account_name, sent.to.number) for sent in funds.sent] == [("B-1/EUR", "PAY-1/A-1/EUR")]
    [there] = whole(world, debtor).receivables.funds.values()
    assert there.receipt.transferred_from is not None
    assert there.receipt.transferred_from.account_name == "A-1/EUR"
    do(world, a_reversal(on=MAY(15)).model_copy(update={"account_id": payer}))
    assert (owed(world, payer), owed(world, debtor)) == (eur(0), eur(0))


def test_an_account_that_a_moved_payment_opens_is_its_customer_s(world):
    opens = Opening(office_id=OFFICE, number="B-1", currency="EUR", other_currency=True)
    payer = account_id(OFFICE, "A-1", "EUR")
    do(world, in_euros(), a_payment(eur(100), on=MAY(10), account_id=payer))
    do(world, OptOutOfContact(account_id=DEBTOR, channel=Channel.EMAIL))
    do(world, a_move(account_id=payer, to_account_id=opens.account_id, opens=opens))
    opened = world.get(Account, opens.account_id)
    assert owed(world, opens.account_id) == eur(-100)
    assert [other.name for other in opened.customer.accounts.values()] == ["B-1"]
    assert [other.name for other in world.get(Account, DEBTOR).customer.accounts.values()] == ["B-1/EUR"]
    assert [each.channel for each in opened.contact.opt_outs] == [Channel.EMAIL]


def test_a_payment_may_pay_the_debt_of_another_account_of_the_same_customer(world):
    second = account_id(OFFICE, "A-2")
    do(world, an_account(number="A-2", customer_number="A-1"), an_invoice("N", due_on=MAY(1), account_id=second))
    do(world, a_payment(usd(60), on=MAY(10), for_account_id=second))
    assert (owed(world, ACCOUNT), owed(world, second)) == (usd(0), usd(40))
    do(world, a_reversal(on=MAY(15)))
    assert (owed(world, ACCOUNT), owed(world, second)) == (usd(0), usd(100))
