"""Calls that a carrier places: it is asked once, and what it says of them is kept until they are documented."""

from datetime import timedelta
from typing import Any

from aggregates.account.activities import EndCall
from aggregates.account.calls import StartCall
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.dialling import (
    WITHIN,
    CallDialled,
    CallNotPlaced,
    CallOver,
    CallPlaced,
    DialCall,
    DialResult,
    DialState,
    ReportCallNotPlaced,
    ReportCallOver,
    ReportCallPlaced,
)
from aggregates.values.contact import ContactDetails, PhoneNumber
from tests.builders import ACCOUNT, MAR, an_invoice
from tests.given import Given, Scenario, given, like

REACHED = ContactDetails(phones=(PhoneNumber(id="phone-1", number="+12125552368"),))
BEGUN: tuple[Given, ...] = (
    an_invoice("A", due_on=MAR(2)),
    MAR(9),
    ChangeContactDetails(account_id=ACCOUNT, contact=REACHED),
    StartCall(account_id=ACCOUNT),
)


def the_call(scenario: Scenario) -> dict[str, Any]:
    [call_id] = scenario.account.calls.open
    return {"account_id": ACCOUNT, "call_id": call_id}


def state(scenario: Scenario) -> DialState | None:
    found = scenario.account.dialling.calls_dialled.get(the_call(scenario)["call_id"])
    return None if found is None else found.state


def dialled() -> Scenario:
    scenario = given(*BEGUN)
    return scenario.when(DialCall(**the_call(scenario))).then(like(CallDialled))


def test_a_carrier_is_asked_once():
    scenario = dialled()
    scenario.when(DialCall(**the_call(scenario))).then_refused("dialled-already")


def test_a_call_is_placed_when_it_begins_and_not_later():
    scenario = given(*BEGUN)
    scenario.world.now += WITHIN + timedelta(seconds=1)
    scenario.when(DialCall(**the_call(scenario))).then_refused("call-too-old")


def test_what_the_carrier_says_is_kept_until_the_call_is_documented():
    scenario = dialled()
    call = the_call(scenario)
    scenario.when(ReportCallOver(**call, result=DialResult.BUSY)).then_nothing_happened()
    scenario.when(ReportCallPlaced(**call, carrier_reference="CA1")).then(like(CallPlaced))
    scenario.when(ReportCallNotPlaced(**call, code="x", detail="y")).then_nothing_happened()
    over = ReportCallOver(**call, result=DialResult.ANSWERED, seconds=42)
    scenario.when(over).then(like(CallOver, result=DialResult.ANSWERED, seconds=42))
    scenario.when(over).then_nothing_happened()
    scenario.when(EndCall(**call, disposition="spoke-to-customer", notes="Will pay."))
    assert scenario.account.dialling.calls_dialled == {}
    scenario.when(DialCall(**call)).then_refused("unknown-call")


def test_a_call_that_was_not_placed_stays_one_to_be_made_and_documented():
    scenario = dialled()
    report = ReportCallNotPlaced(**the_call(scenario), code="twilio-21211", detail="no number")
    scenario.when(report).then(like(CallNotPlaced))
    assert state(scenario) is DialState.NOT_PLACED
    assert len(scenario.account.calls.open) == 1
