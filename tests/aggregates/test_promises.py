"""Promises to pay: made, kept, partially kept, broken, withdrawn, moved, judged anew."""

from typing import Any

import pytest

from aggregates.account.command import account_id
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.kernel.command import Command, identifier
from aggregates.office import ChangeOfficeSettings
from aggregates.promise import (
    CountPayment,
    Instalment,
    JudgePromise,
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
    PromiseStatus,
    PromiseWithdrawn,
    ReschedulePromise,
    TakePaymentBack,
    WithdrawPromise,
)
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    APR,
    JUN,
    MAR,
    MAY,
    OFFICE,
    PROMISE,
    a_corrected_payment,
    a_payment,
    a_promise,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    instalments,
    payment_id,
    usd,
)
from tests.given import Scenario, given, given_only, like, live

ABOUT: dict[str, Any] = {"promise_id": PROMISE, "account_id": ACCOUNT}
JUDGE = JudgePromise(**ABOUT)
SECOND = identifier("promise", "two")

OWED = (an_invoice(due_on=MAR(2)), MAR(9))


def status(scenario: Scenario) -> PromiseStatus:
    return scenario.world.promise.status


def remaining(scenario: Scenario) -> dict[object, Money]:
    return {promise.id: promise.remaining for promise in scenario.account.promises.open.values()}


# --- making ---


def test_a_promise_is_made_and_the_account_holds_back_for_it():
    given(*OWED).when(a_promise(usd(100), due_on=MAR(20), assignee="kim")).then(
        like(PromiseMade, made_on=MAR(9), grace_days=3, level=0, assignee="kim"),
        like(PromiseRegistered, due_on=MAR(20), amount=usd(100), remaining=usd(100)),
    )


def test_no_more_is_promised_than_is_owed():
    given(*OWED).when(a_promise(usd(101), due_on=MAR(20))).then_refused("promise-too-large")


def test_two_promises_never_cover_the_same_money():
    scenario = given(*OWED, a_promise(usd(60), due_on=MAR(20)))
    scenario.when(a_promise(usd(41), due_on=MAR(25), promise_id=SECOND)).then_refused("promise-too-large")
    scenario.when(a_promise(usd(40), due_on=MAR(25), promise_id=SECOND)).then(PromiseMade, PromiseRegistered)


def test_what_was_paid_ahead_is_not_there_to_be_promised():
    scenario = given(*OWED, a_payment(usd(30), on=MAR(9), invoice="LATER"))
    scenario.when(a_promise(usd(71), due_on=MAR(20))).then_refused("promise-too-large")


@pytest.mark.parametrize(
    ("promise", "code"),
    [
        (a_promise(usd(10), due_on=MAR(8)), "promise-past"),
        (a_promise(usd(0), due_on=MAR(20)), "promise-empty"),
        (a_promise(Money(10, "EUR"), due_on=MAR(20)), "wrong-currency"),
        (
            a_promise(usd(1), due_on=MAR(20), instalments=instalments((MAR(20), usd(1)), (MAR(21), Money(1, "EUR")))),
            "wrong-currency",
        ),
    ],
)
def test_a_promise_is_of_something_by_a_day_to_come(promise: Command, code: str):
    given(*OWED).when(promise).then_refused(code)


def test_a_promise_may_be_due_today():
    given(*OWED).when(a_promise(usd(10), due_on=MAR(9))).then(PromiseMade, PromiseRegistered)


def test_the_same_promise_twice_is_refused():
    promise = a_promise(usd(10), due_on=MAR(20))
    given(*OWED, promise).when(promise).then_refused("duplicate-promise")


def test_a_promise_needs_an_account():
    given_only(an_office()).when(a_promise(usd(1), due_on=MAR(20))).then_refused("unknown-account")


# --- judging ---


@pytest.mark.parametrize("day", [MAR(20), MAR(21), MAR(23)])
def test_a_promise_due_today_or_in_its_grace_is_not_broken(day):
    given(*OWED, a_promise(usd(100), due_on=MAR(20))).when(JUDGE, at=day).then_nothing_happened()


def test_a_promise_is_broken_the_day_after_its_grace():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)))
    scenario.when(JUDGE, at=MAR(24)).then(
        like(PromiseBroken, promised=usd(100), broken_on=MAR(24)),
        like(PromiseClosed, outcome="broken", broken_promises=1),
    )
    scenario.when(JUDGE, at=MAR(25)).then_nothing_happened()


def test_grace_is_what_the_office_gave_when_it_was_made():
    settings = ChangeOfficeSettings(office_id=OFFICE, grace_days=0)
    scenario = given(*OWED, settings, a_promise(usd(100), due_on=MAR(20)))
    scenario.having(ChangeOfficeSettings(office_id=OFFICE, grace_days=10))
    scenario.when(JUDGE, at=MAR(20)).then_nothing_happened()
    scenario.when(JUDGE, at=MAR(21)).then_among_others(PromiseBroken)


def test_a_promise_may_have_a_grace_of_its_own_and_another_when_it_is_moved():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), grace_days=7))
    scenario.when(JUDGE, at=MAR(27)).then_nothing_happened()
    again = moved((MAR(20), usd(100))).model_copy(update={"grace_days": 6})
    scenario.world.move_to(MAR(20))
    scenario.when(again).then(like(PromiseRescheduled, grace_days=6))
    scenario.when(JUDGE, at=MAR(27)).then_among_others(PromiseBroken)


def test_the_next_promise_is_of_a_higher_level():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), MAR(24), JUDGE)
    scenario.when(a_promise(usd(50), due_on=MAR(30), promise_id=SECOND)).then_among_others(like(PromiseMade, level=1))


def test_a_fully_paid_promise_is_kept_at_once():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(100), on=MAR(10)), reacts=True)
    assert status(scenario) is PromiseStatus.KEPT
    assert scenario.account.promises.open == {}


def test_a_promise_paid_in_part_is_partially_kept():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(40), on=MAR(10)), reacts=True)
    assert remaining(scenario) == {PROMISE: usd(60)}
    scenario.when(JUDGE, at=MAR(24)).then_among_others(
        like(PromisePartiallyKept, promised=usd(100), received=usd(40)), like(PromiseClosed, broken_promises=0)
    )


def test_only_what_came_in_after_it_was_made_counts():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(40), on=MAR(8)), reacts=True)
    assert remaining(scenario) == {PROMISE: usd(100)}


def test_what_comes_in_on_the_same_day_counts():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(40), on=MAR(9)), reacts=True)
    assert remaining(scenario) == {PROMISE: usd(60)}


def test_a_payment_is_shared_between_promises_by_due_date_and_never_counted_twice():
    scenario = given(
        *OWED,
        a_promise(usd(50), due_on=MAR(25)),
        a_promise(usd(30), due_on=MAR(20), promise_id=SECOND),
        a_payment(usd(45), on=MAR(10)),
        reacts=True,
    )
    assert remaining(scenario) == {PROMISE: usd(35)}
    assert scenario.world.promise.received == usd(15)


def test_a_count_is_taken_once():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)))
    count = CountPayment(**ABOUT, payment_id=payment_id(), amount=usd(40))
    scenario.when(count).then_among_others(PromisePaymentCounted)
    scenario.when(count).then_nothing_happened()


def test_a_payment_that_is_not_counted_yet_is_waited_for():
    """The account knows of it; the promise learns of it a moment later."""
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(100), on=MAR(20)))
    scenario.when(JUDGE, at=MAR(24)).then_nothing_happened()
    scenario.when(CountPayment(**ABOUT, payment_id=payment_id(), amount=usd(100)), at=MAR(24)).then(
        PromisePaymentCounted, PromiseKept, PromiseClosed
    )


def test_what_was_waited_for_settles_the_promise_although_it_is_only_a_part():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(40), on=MAR(20)))
    scenario.when(JUDGE, at=MAR(24)).then_nothing_happened()
    scenario.when(CountPayment(**ABOUT, payment_id=payment_id(), amount=usd(40)), at=MAR(24)).then(
        PromisePaymentCounted, PromisePartiallyKept, PromiseClosed
    )


# --- instalments ---

THREE = instalments((MAR(20), usd(30)), (APR(20), usd(30)), (MAY(20), usd(40)))


def test_each_instalment_is_judged_on_its_own_day():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), instalments=THREE), reacts=True)
    assert [promise.due_on for promise in scenario.account.promises.open.values()] == [MAY(20)]
    scenario.having(a_payment(usd(30), on=MAR(19)))
    scenario.when(JUDGE, at=MAR(24)).then_nothing_happened()
    scenario.when(JUDGE, at=APR(23)).then_nothing_happened()
    missed = Instalment(due_on=APR(20), amount=usd(30))
    scenario.when(JUDGE, at=APR(24)).then_among_others(like(PromisePartiallyKept, received=usd(30), missed=missed))


def test_a_missed_first_instalment_breaks_the_promise():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), instalments=THREE))
    missed = Instalment(due_on=MAR(20), amount=usd(30))
    scenario.when(JUDGE, at=MAR(24)).then_among_others(like(PromiseBroken, missed=missed), PromiseClosed)
    assert scenario.account.promises.shields() == []


def test_a_plan_in_default_makes_one_task_and_is_judged_no_more():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), instalments=THREE, assignee="kim"), reacts=True)
    scenario.having(a_payment(usd(30), on=MAR(19)), live(JUN(1)))
    [task] = scenario.account.activities.follow_ups.values()
    assert (task.assignee, task.due_on) == ("kim", APR(24))


def test_a_payment_is_for_what_is_due_first_of_all_promises():
    scenario = given(
        an_invoice(due_on=MAR(2), amount=usd(150)),
        MAR(9),
        a_promise(usd(100), due_on=MAR(20), instalments=THREE),
        a_promise(usd(50), due_on=APR(1), promise_id=SECOND),
        reacts=True,
    )
    scenario.having(a_payment(usd(45), on=MAR(19)))
    assert remaining(scenario) == {PROMISE: usd(70), SECOND: usd(35)}
    scenario.having(a_payment(usd(40), on=MAR(21), number="PAY-2"))
    assert remaining(scenario) == {PROMISE: usd(65)}
    scenario.when(JUDGE, at=MAR(24)).then_nothing_happened()


def test_other_days_of_the_same_last_day_are_known_to_the_account():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), instalments=THREE))
    scenario.when(moved((APR(20), usd(60)), (MAY(20), usd(40)))).then(PromiseRescheduled, PromiseRegistered)
    [promise] = scenario.account.promises.open.values()
    assert promise.to_come == [(APR(20), usd(60)), (MAY(20), usd(40))]


def test_what_is_paid_ahead_counts_for_later_instalments():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), instalments=THREE), reacts=True)
    scenario.having(a_payment(usd(60), on=MAR(12)))
    scenario.when(JUDGE, at=APR(24)).then_nothing_happened()


# --- moving and withdrawing ---


def moved(*parts: tuple[object, Money]) -> ReschedulePromise:
    return ReschedulePromise.model_validate({**ABOUT, "instalments": [{"due_on": d, "amount": a} for d, a in parts]})


def test_a_promise_is_moved_to_other_days():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)))
    scenario.when(moved((MAR(30), usd(100)))).then(PromiseRescheduled, like(PromiseRegistered, due_on=MAR(30)))
    scenario.when(moved((MAR(30), usd(100)))).then_nothing_happened()
    scenario.when(JUDGE, at=MAR(24)).then_nothing_happened()


def test_moving_it_keeps_what_the_account_knows_to_be_paid():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(60), on=MAR(10)))
    scenario.when(moved((MAR(30), usd(100)))).then_among_others(like(PromiseRegistered, remaining=usd(40)))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (moved((MAR(30), usd(99))), "other-amount"),
        (moved((MAR(8), usd(100))), "promise-past"),
        (moved((MAR(30), usd(100)), (MAR(31), usd(0))), "promise-empty"),
    ],
)
def test_a_moved_promise_is_for_the_same_amount_on_days_to_come(command: Command, code: str):
    given(*OWED, a_promise(usd(100), due_on=MAR(20))).when(command).then_refused(code)


def test_a_withdrawn_promise_holds_nothing_back():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)))
    scenario.when(WithdrawPromise(**ABOUT)).then(PromiseWithdrawn, like(PromiseClosed, outcome="withdrawn"))
    scenario.when(JUDGE, at=MAR(24)).then_nothing_happened()


def test_people_say_why_they_withdraw_a_promise():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)))
    scenario.when(WithdrawPromise(**ABOUT), reason=None).then_refused("reason-required")


OF_ANOTHER = {"promise_id": PROMISE, "account_id": account_id(OFFICE, "A-2")}


@pytest.mark.parametrize(
    "command",
    [
        WithdrawPromise(**OF_ANOTHER),
        ReschedulePromise.model_validate({**OF_ANOTHER, "instalments": instalments((APR(1), usd(100)))}),
        JudgePromise(**OF_ANOTHER),
    ],
    ids=lambda command: command.command_name,
)
def test_a_promise_of_one_account_is_none_of_another(command: Command):
    made = a_promise(usd(100), due_on=MAR(20))
    given(*OWED, an_account(number="A-2"), made).when(command).then_refused("unknown-promise")


@pytest.mark.parametrize("command", [moved((MAR(30), usd(100))), WithdrawPromise(**ABOUT)])
def test_a_settled_promise_is_not_moved_or_withdrawn(command: Command):
    given(*OWED, a_promise(usd(100), due_on=MAR(20)), MAR(24), JUDGE).when(command).then_refused("promise-settled")
    given(*OWED).when(command).then_refused("unknown-promise")


@pytest.mark.parametrize("command", [JUDGE, TakePaymentBack(**ABOUT, payment_id=payment_id())])
def test_nothing_is_judged_of_a_promise_that_was_not_made(command: Command):
    given(*OWED).when(command).then_nothing_happened()


# --- payments taken back ---


def kept_then_reversed(*, on) -> Scenario:
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(100), on=MAR(10)), reacts=True)
    assert status(scenario) is PromiseStatus.KEPT
    return scenario.when(a_reversal(on=on))


def test_a_reversal_within_the_grace_opens_the_promise_again():
    scenario = kept_then_reversed(on=MAR(15)).then_among_others(
        PromisePaymentTakenBack, PromiseReopened, like(PromiseRegistered, remaining=usd(100))
    )
    assert status(scenario) is PromiseStatus.OPEN
    scenario.having(a_payment(usd(100), on=MAR(18), number="PAY-2"))
    assert status(scenario) is PromiseStatus.KEPT


def test_a_reversal_after_the_grace_breaks_it():
    scenario = kept_then_reversed(on=APR(15)).then_among_others(PromiseReopened, PromiseBroken)
    assert scenario.account.promises.broken == 1


def test_a_reversal_of_a_part_makes_it_partially_kept():
    scenario = given(
        *OWED,
        a_promise(usd(100), due_on=MAR(20)),
        a_payment(usd(60), on=MAR(10), number="P1"),
        a_payment(usd(40), on=MAR(11), number="P2"),
        reacts=True,
    )
    scenario.when(a_reversal("P2", on=APR(15))).then_among_others(like(PromisePartiallyKept, received=usd(60)))


def test_two_payments_taken_back_at_once_leave_all_of_it_to_be_paid():
    scenario = given(
        *OWED,
        a_promise(usd(100), due_on=MAR(20)),
        a_payment(usd(60), on=MAR(10), number="P1"),
        a_payment(usd(40), on=MAR(11), number="P2"),
        reacts=True,
    )
    scenario.world.reacts = False
    scenario.having(a_reversal("P1", on=MAR(12)))
    scenario.having(a_reversal("P2", on=MAR(12)))
    scenario.world.react()
    assert remaining(scenario) == {PROMISE: usd(100)}
    scenario.world.live(APR(1))
    assert status(scenario) is PromiseStatus.BROKEN


def test_a_broken_promise_stays_broken():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), MAR(24), JUDGE, reacts=True)
    scenario.having(a_payment(usd(100), on=MAR(25)))
    scenario.when(a_reversal(on=MAR(26)))
    assert status(scenario) is PromiseStatus.BROKEN
    assert scenario.account.promises.broken == 1


def test_a_correction_of_the_payment_that_kept_it_does_not_break_a_promise():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(100), on=MAR(10)), reacts=True)
    scenario.when(a_corrected_payment(usd(110), on=MAR(10)), at=APR(15)).then_no(PromiseReopened, PromiseBroken)
    assert status(scenario) is PromiseStatus.KEPT
    scenario.when(a_reversal(on=APR(20))).then_among_others(PromiseReopened, PromiseBroken)


def test_a_payment_corrected_to_less_leaves_the_rest_to_be_paid():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(100), on=MAR(10)), reacts=True)
    scenario.when(a_corrected_payment(usd(60), on=MAR(10)))
    assert status(scenario) is PromiseStatus.OPEN
    assert remaining(scenario) == {PROMISE: usd(40)}


def test_a_corrected_payment_counts_as_what_it_is_towards_an_open_promise():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20)), a_payment(usd(60), on=MAR(10)), reacts=True)
    scenario.when(a_corrected_payment(usd(70), on=MAR(10)))
    assert remaining(scenario) == {PROMISE: usd(30)}
    assert scenario.world.promise.received == usd(70)


# --- what follows by itself ---


def test_a_promise_that_is_not_kept_makes_a_task_for_its_assignee():
    scenario = given(*OWED, a_promise(usd(100), due_on=MAR(20), assignee="kim"), live(MAR(25)), reacts=True)
    assert status(scenario) is PromiseStatus.BROKEN
    [task] = scenario.account.activities.follow_ups.values()
    assert (task.assignee, task.due_on, task.fell_due) == ("kim", MAR(24), True)
