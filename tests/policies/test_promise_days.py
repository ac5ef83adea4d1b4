"""The day on which a promise is judged: one rule, against an oracle that counts days; decision and agenda agree."""

from datetime import date
from typing import Any

from hypothesis import given as over
from hypothesis import strategies as st

from aggregates.kernel.command import identifier
from aggregates.office import ChangeOfficeSettings
from aggregates.promise import CountPayment, Instalment, JudgePromise, PromiseBroken, PromisePartiallyKept, first_missed
from tests.builders import ACCOUNT, DAY, MAR, OFFICE, PROMISE, a_promise, an_invoice, cents, usd
from tests.given import Scenario, given

ABOUT: dict[str, Any] = {"promise_id": PROMISE, "account_id": ACCOUNT}
JUDGE = JudgePromise(**ABOUT)

Parts = list[tuple[date, int]]

parts = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: MAR(9) + n * DAY), st.integers(1, 50)), min_size=1, max_size=5
)
graces = st.integers(0, 6)


def is_missed(on: date, promised: Parts, received: int, grace_days: int) -> bool:
    """Whether less has come in than was to be there by now, grace included."""
    over_by_now = [minor for due_on, minor in promised if (on - due_on).days > grace_days]
    return received < sum(over_by_now)


@over(parts, st.integers(0, 260), graces)
def test_a_promise_is_missed_from_the_first_day_on_which_too_little_has_come_in(
    promised: Parts, received: int, grace_days: int
):
    days = [MAR(1) + n * DAY for n in range(60)]
    missed = [each for each in days if is_missed(each, promised, received, grace_days)]
    assert first_missed(promised, received, grace_days) == (missed[0] if missed else None)
    assert not missed or missed == days[days.index(missed[0]) :]


def test_a_day_beyond_the_calendar_never_comes():
    assert first_missed([(date.max, 1)], 0, 0) is None
    assert first_missed([(date.max - 3 * DAY, 1)], 0, 3) is None
    assert first_missed([(date.max - 4 * DAY, 1)], 0, 3) == date.max


def promised_and_paid(promised: Parts, received: int, grace_days: int) -> Scenario:
    instalments = tuple(Instalment(due_on=due_on, amount=cents(minor)) for due_on, minor in promised)
    settings = ChangeOfficeSettings(office_id=OFFICE, grace_days=grace_days)
    promise = a_promise(usd(0), due_on=MAR(9), instalments=instalments)
    scenario = given(settings, an_invoice(due_on=MAR(2)), MAR(9), promise)
    if received:
        scenario.having(CountPayment(**ABOUT, payment_id=identifier("paid"), amount=cents(received)))
    return scenario


@over(parts, st.integers(0, 260), graces)
def test_the_agenda_names_the_first_day_on_which_the_decision_settles_the_promise(
    promised: Parts, received: int, grace_days: int
):
    """Neither a day before, when nothing would come of it, nor a day after."""
    scenario = promised_and_paid(promised, received, grace_days)
    world = scenario.world
    items = [item for item in world.agenda.due(world.at(date(2027, 1, 1))) if item.kind == "promise"]
    if received >= sum(minor for _, minor in promised):
        assert items == []
        assert not world.promise.is_open
        return
    (item,) = items
    assert item.on is not None
    scenario.when(JUDGE, at=item.on - DAY).then_nothing_happened()
    scenario.when(JUDGE, at=item.on)
    verdict = PromisePartiallyKept if received else PromiseBroken
    assert [type(event) for event in scenario.new][:1] == [verdict]
    assert "promise" not in {each.kind for each in world.agenda.due(world.at(date(2027, 1, 1)))}
