"""Legal cases: their states in order, what is noted of them, and whether a suit rests the chase."""

import pytest

from aggregates.account.chase import Stage
from aggregates.account.legal import (
    ENDED,
    NEXT,
    LegalCaseMoved,
    LegalCaseNoted,
    LegalCaseOpened,
    LegalKind,
    LegalState,
    MoveLegalCase,
    NoteLegalCase,
    OpenLegalCase,
)
from aggregates.office import CaseworkRules, ChangeOfficeSettings
from aggregates.values.money import Money
from tests.builders import ACCOUNT, MAR, OFFICE, a_campaign, an_invoice, invoice_id, usd
from tests.given import Given, Scenario, given, given_auto_collection, like

TWO: tuple[Given, ...] = (an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3), amount=usd(50)), MAR(9))


def a_case(kind: LegalKind = LegalKind.SUIT, *invoices: str, **more: object) -> OpenLegalCase:
    return OpenLegalCase.model_validate({"account_id": ACCOUNT, "kind": kind, "invoice_numbers": invoices, **more})


def moved(scenario: Scenario, state: LegalState, **more: object) -> MoveLegalCase:
    [case_id] = scenario.account.legal_cases.open
    return MoveLegalCase.model_validate({"account_id": ACCOUNT, "case_id": case_id, "state": state, **more})


def test_a_case_is_prepared_and_says_what_it_is_about():
    scenario = given(*TWO).when(
        a_case(LegalKind.LIEN, "A", court="County recorder", cost=usd(40), documents=("lien.pdf",))
    )
    scenario.then(
        like(LegalCaseOpened, kind=LegalKind.LIEN, item_ids=(invoice_id("A"),), cost=usd(40), opened_on=MAR(9))
    )


def test_a_suit_goes_from_state_to_state_on_days_that_follow():
    scenario = given(*TWO, a_case())
    scenario.when(moved(scenario, LegalState.JUDGMENT)).then_refused("legal-state")
    scenario.when(moved(scenario, LegalState.FILED, on=MAR(8))).then_refused("legal-day")
    filed = moved(scenario, LegalState.FILED, case_number="26-CV-17", cost=usd(400))
    scenario.when(filed).then(like(LegalCaseMoved, state=LegalState.FILED, moved_on=MAR(9), case_number="26-CV-17"))
    for state in (LegalState.SERVED, LegalState.JUDGMENT, LegalState.SATISFIED):
        scenario.when(moved(scenario, state)).then(like(LegalCaseMoved, state=state))
    assert scenario.account.legal_cases.open == {}
    case_id = filed.case_id
    again = MoveLegalCase(account_id=ACCOUNT, case_id=case_id, state=LegalState.RELEASED)
    scenario.when(again).then_refused("unknown-legal-case")


@pytest.mark.parametrize("kind", LegalKind)
def test_every_state_of_a_kind_can_end(kind: LegalKind):
    states = {LegalState.PREPARED}
    for _ in LegalState:
        states |= {after for state in states for after in NEXT[kind].get(state, frozenset())}
    assert states >= NEXT[kind].keys()
    assert all(NEXT[kind][state] & ENDED for state in states - ENDED)
    assert not ENDED & NEXT[kind].keys()


def test_what_is_noted_leaves_the_state_and_nothing_noted_is_nothing():
    scenario = given(*TWO, a_case())
    [case_id] = scenario.account.legal_cases.open
    note = NoteLegalCase(account_id=ACCOUNT, case_id=case_id, cost=usd(12), documents=("summons.pdf",))
    scenario.when(note).then(like(LegalCaseNoted, cost=usd(12)))
    scenario.when(NoteLegalCase(account_id=ACCOUNT, case_id=case_id)).then_nothing_happened()
    scenario.when(note.model_copy(update={"cost": Money(1, "EUR")})).then_refused("wrong-currency")
    scenario.when(note.model_copy(update={"on": MAR(10)})).then_refused("legal-day")


def test_a_suit_rests_the_chase_of_what_it_is_about_and_the_stage_says_so():
    scenario = given_auto_collection(a_campaign(), *TWO, a_case(LegalKind.SUIT, "A"), a_case(LegalKind.SUIT, "B"))
    chase = scenario.account.chase
    assert chase.why is not None
    assert (chase.stage, chase.why.code) == (Stage.BLOCKED, "legal-case")
    assert chase.why.detail == "a suit is prepared since 2026-03-09"


def test_an_office_may_let_the_chase_go_on_and_other_cases_never_rest_it():
    going_on = ChangeOfficeSettings(office_id=OFFICE, casework=CaseworkRules(suit_rests=False))
    scenario = given_auto_collection(a_campaign(), *TWO, a_case(LegalKind.DEMAND))
    stages = [scenario.account.chase.stage]
    stages += [scenario.having(each).account.chase.stage for each in (a_case(), going_on)]
    assert stages == [Stage.SCHEDULED, Stage.BLOCKED, Stage.SCHEDULED]


@pytest.mark.parametrize("said", [{"cost": usd(0)}, {"documents": (" ",)}, {"documents": ("x" * 201,)}])
def test_a_cost_is_more_than_zero_and_a_document_has_a_name(said: dict[str, object]):
    with pytest.raises(ValueError, match="expected"):
        a_case(**said)  # type: ignore[arg-type]
