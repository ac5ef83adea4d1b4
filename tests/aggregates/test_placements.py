"""Placements as decisions: who is placed, what an agency says, and what rests meanwhile."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pysequoia import Tsk

from aggregates.account import Account
from aggregates.account.bulk import (
    ApplyBulkAction,
    BulkActionApplied,
    BulkActionUndone,
    BulkChanges,
    BulkOutcome,
    UndoBulkAction,
)
from aggregates.account.bulk_kinds import bulk_kind
from aggregates.account.chase import Stage, StageChanged
from aggregates.account.collections_stage import CollectionsStage, CollectionsStageChanged, SetCollectionsStage
from aggregates.account.contact_history import FactKind, RecordContactFact
from aggregates.account.flags import SetFlag
from aggregates.account.payments import PaymentReceived
from aggregates.account.placement import (
    AcknowledgePlacement,
    AdjustPlacement,
    AgencyPaymentPosted,
    ClosePlacement,
    ItemizationDate,
    MarkPlacementSent,
    PlaceAccount,
    Placed,
    PlacementAcknowledged,
    PlacementAdjusted,
    PlacementEnd,
    PlacementEnded,
    PlacementSent,
    PostAgencyPayment,
    RecallPlacement,
    RejectPlacement,
    placement_file_id,
)
from aggregates.account.write_offs import WriteOffDebt
from aggregates.kernel.command import Accepted, Command, identifier
from aggregates.office import AgencySet, RetireAgency, SetAgency
from aggregates.placement_file import (
    AcknowledgeFile,
    BeginFileDelivery,
    FileAcknowledged,
    FileContents,
    FileDelivered,
    FileDeliveryBegun,
    FileDeliveryFailed,
    FileMade,
    FileOverdue,
    FileRedelivered,
    FileRequested,
    FileUncertain,
    RecordFileDelivery,
    RecordFileMade,
    RedeliverFile,
    RequestFile,
)
from aggregates.values.agency import Agency
from aggregates.values.contact import ContactDetails
from tests.builders import (
    ACCOUNT,
    MAR,
    OFFICE,
    a_campaign,
    a_dispute,
    a_promise,
    an_account,
    an_invoice,
    an_office,
    usd,
)
from tests.examples import examples
from tests.given import Scenario, given, given_auto_collection, given_only, like

BULK, OTHER = identifier("bulk", 1), identifier("bulk", 2)
FILE = identifier("placement-file", "full")
ACME = SetAgency(office_id=OFFICE, code="acme", agency=Agency(title="Acme Recovery", commission_bp=2_500))
OWES = (MAR(2), an_invoice(due_on=MAR(1)))
PLACE, RECALL = PlaceAccount(account_id=ACCOUNT, agency="acme"), RecallPlacement(account_id=ACCOUNT)
PENDING, SENT, NOT_SET = CollectionsStage.PENDING, CollectionsStage.SENT, CollectionsStage.NOT_SET
FULL = RequestFile(file_id=FILE, office_id=OFFICE, agency="acme", contents=FileContents.FULL)
MADE = RecordFileMade(file_id=FILE, accounts=2, total=usd(200), rows=2, sha256="s", through_position=9)
BEGIN = BeginFileDelivery(file_id=FILE)


def came(arrived: bool | None) -> RecordFileDelivery:
    return RecordFileDelivery(file_id=FILE, arrived=arrived, detail="the line broke")


def acknowledged(accounts: int = 2, total: Any = None) -> AcknowledgeFile:
    return AcknowledgeFile(file_id=FILE, accounts=accounts, total=total or usd(200))


def ticked(scenario: Scenario, day: date) -> None:
    scenario.world.move_to(day)
    scenario.world.tick()


def to_stage(stage: CollectionsStage) -> Any:
    return like(CollectionsStageChanged, stage=stage)


def paid(reference: str = "T-1", **more: Any) -> PostAgencyPayment:
    given = {"account_id": ACCOUNT, "agency": "acme", "reference": reference, "amount": usd(40), "paid_on": MAR(2)}
    return PostAgencyPayment.model_validate({**given, **more})


# --- an account --------------------------------------------------------------------------------------


def test_a_placed_account_is_pending_and_then_sent_and_not_set_once_it_is_recalled():
    placed = given(ACME, *OWES).when(PLACE).then(like(Placed, agency="acme", balance=usd(100)), to_stage(PENDING))
    file_id = placed.world.events(Placed)[0].file_id
    sent = MarkPlacementSent(account_id=ACCOUNT, file_id=file_id)
    delivered = placed.when(sent).then(like(PlacementSent), to_stage(SENT))
    delivered.when(sent).then_nothing_happened()
    recalled = delivered.when(RECALL).then(like(PlacementEnded, end=PlacementEnd.RECALLED), to_stage(NOT_SET))
    recalled.when(RECALL).then_refused("not-placed")
    recalled.when(PLACE).then(Placed, to_stage(PENDING))


def test_what_the_agency_does_not_take_is_still_to_be_placed_and_what_it_closes_is_not():
    sent = given(ACME, *OWES, PLACE)
    sent.when(RejectPlacement(account_id=ACCOUNT, agency="acme", code="duplicate")).then(
        like(PlacementEnded, end=PlacementEnd.REJECTED, code="duplicate")
    )
    assert sent.world.account.collections_stage.stage is PENDING
    closed = given(ACME, *OWES, PLACE).when(ClosePlacement(account_id=ACCOUNT, agency="acme", code="uncollectible"))
    closed.then(like(PlacementEnded, end=PlacementEnd.CLOSED), to_stage(NOT_SET))


def test_while_it_is_placed_nobody_sets_its_stage_or_places_it_again():
    placed = given(ACME, *OWES, PLACE)
    placed.when(SetCollectionsStage(account_id=ACCOUNT, collections_stage=NOT_SET)).then_refused("placed-already")
    placed.when(PLACE).then_refused("placed-already")
    stage = ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=BULK, kind="stage", parameters={"to": "sent"},
        expected={"collections_stage": "pending"},
    )  # fmt: skip
    placed.when(stage).then(like(BulkActionApplied, outcome=BulkOutcome.REFUSED, reason_code="placed-already"))


@pytest.mark.parametrize(
    ("keeps", "refused"),
    [
        (SetFlag(account_id=ACCOUNT, flag="bankruptcy"), "not-placeable"),
        (SetFlag(account_id=ACCOUNT, flag="deceased"), "not-placeable"),
        (RecordContactFact(account_id=ACCOUNT, kind=FactKind.BANKRUPTCY), "not-placeable"),
        (a_dispute(), "not-placeable"),
        (a_promise(usd(50), due_on=MAR(20)), "not-placeable"),
        (RetireAgency(office_id=OFFICE, code="acme"), "agency-retired"),
    ],
    ids=lambda each: getattr(each, "command_name", str(each)),
)
def test_who_is_not_placed(keeps: Command, refused: str):
    given(ACME, *OWES, keeps).when(PLACE).then_refused(refused)


def test_nothing_is_placed_that_an_agency_could_not_itemize():
    unnamed = an_account(contact=ContactDetails())
    given_only(an_office(), unnamed, ACME, *OWES).when(PLACE).then_refused("itemization-missing")
    given(ACME).when(PLACE).then_refused("nothing-to-place")
    given(*OWES).when(PLACE).then_refused("unknown-agency")


def test_what_is_all_written_off_is_itemized_from_that_day_on():
    scenario = given(*OWES, ACME, WriteOffDebt(account_id=ACCOUNT, code="uncollectible"), MAR(4))
    itemized = {"itemization_date_type": ItemizationDate.CHARGE_OFF, "itemization_date": MAR(2)}
    scenario.when(PLACE).then(like(Placed, **itemized), to_stage(PENDING))


def test_what_an_agency_has_is_not_chased_and_a_stage_set_by_hand_is_no_shield():
    by_hand = SetCollectionsStage(account_id=ACCOUNT, collections_stage=SENT)
    chased = given_auto_collection(ACME, a_campaign(), *OWES, by_hand)
    for command, is_placed in ((by_hand, False), (PLACE, True), (RECALL, False)):
        chased.when(command)
        chase = chased.world.account.chase
        assert ((chase.stage, chase.why and chase.why.code) == (Stage.BLOCKED, "placed")) is is_placed


def test_what_the_agency_collected_is_a_payment_of_all_of_it_and_its_commission_is_apart():
    placed = given(ACME, *OWES, PLACE).when(paid(), key=paid().natural_key().id)
    placed.then_among_others(
        like(PaymentReceived, method="agency:acme"),
        like(AgencyPaymentPosted, amount=usd(40), commission=usd(10), payment_number="acme:T-1"),
    )
    assert placed.world.account.receivables.balance == usd(60)
    again = paid(amount=usd(41))
    placed.when(again, key=again.natural_key().id).then_refused("duplicate")
    placed.when(paid("T-2", commission=usd(41))).then_refused("commission-too-large")
    placed.when(RECALL)
    placed.when(paid("T-3", commission=usd(0))).then_among_others(like(AgencyPaymentPosted, commission=usd(0)))


def test_who_never_had_the_account_says_nothing_of_it():
    other = ACME.model_copy(update={"code": "other"})
    for said in (
        paid(agency="other"), AcknowledgePlacement(account_id=ACCOUNT, agency="other"),
        ClosePlacement(account_id=ACCOUNT, agency="other"),
    ):  # fmt: skip
        given(ACME, other, *OWES, PLACE).when(said).then_refused("not-placed")


def test_an_account_is_acknowledged_once_and_adjusted_without_a_change_of_what_is_owed():
    placed = given(ACME, *OWES, PLACE)
    acknowledge = AcknowledgePlacement(account_id=ACCOUNT, agency="acme", agency_number="X-9")
    placed.when(acknowledge).then(like(PlacementAcknowledged, agency_number="X-9"))
    placed.when(acknowledge).then_nothing_happened()
    adjust = AdjustPlacement(
        account_id=ACCOUNT, agency="acme", reference="J-1", amount=usd(-5), adjusted_on=MAR(2), notes="settled"
    )
    placed.when(adjust).then(like(PlacementAdjusted, amount=usd(-5)))
    assert placed.world.account.receivables.balance == usd(100)


def test_an_agency_with_a_term_has_its_account_taken_back_on_the_day():
    terms = Agency(title="Acme", recall_after_days=10)
    placed = given_auto_collection(SetAgency(office_id=OFFICE, code="acme", agency=terms), *OWES, PLACE)
    ticked(placed, MAR(11))
    assert placed.world.account.placing.current is not None
    ticked(placed, MAR(12))
    assert placed.world.events(PlacementEnded)[0].code == "placement-term"


# --- in bulk -----------------------------------------------------------------------------------------

SHOWN = {
    "balance": 10_000, "collections_stage": "not set", "agency": None, "flags": [], "frozen": None, "held": False,
    "open_promises": 0, "disputed": 0,
}  # fmt: skip


def in_bulk(bulk: Any = BULK, **more: Any) -> ApplyBulkAction:
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=bulk, kind="placement", parameters={"agency": "acme"}, expected={**SHOWN, **more}
    )


def test_a_bulk_action_places_what_is_as_it_was_shown_and_its_undo_recalls_it():
    placed = given(ACME, *OWES).when(in_bulk())
    placed.then(
        like(Placed, bulk_id=BULK, file_id=placement_file_id(BULK)),
        to_stage(PENDING),
        like(BulkActionApplied, outcome=BulkOutcome.DONE),
        like(StageChanged, stage=Stage.BLOCKED),
    )
    placed.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)).then(
        like(PlacementEnded, end=PlacementEnd.RECALLED, code="undone"),
        to_stage(NOT_SET),
        like(BulkActionUndone, outcome=BulkOutcome.DONE),
        like(StageChanged, stage=Stage.OUTSTANDING),
    )


@pytest.mark.parametrize("stage", [PENDING, SENT])
def test_the_undo_gives_back_the_stage_that_was_set_by_hand(stage: CollectionsStage):
    by_hand = SetCollectionsStage(account_id=ACCOUNT, collections_stage=stage)
    placed = given(ACME, *OWES, by_hand, in_bulk(collections_stage=stage.value))
    placed.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)).then(
        PlacementEnded,
        *([] if stage is PENDING else [to_stage(stage)]),
        like(BulkActionUndone, outcome=BulkOutcome.DONE),
        StageChanged,
    )


def test_a_bulk_action_of_a_release_that_did_not_note_the_stage_leaves_none_when_it_is_undone():
    placed = given(ACME, *OWES, in_bulk())
    del placed.world.get(Account, ACCOUNT).part(BulkChanges).standing[BULK].did["before"]
    placed.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)).then_among_others(PlacementEnded, to_stage(NOT_SET))


@pytest.mark.parametrize("differs", [{"balance": 9_999}, {"collections_stage": "sent"}, {"flags": ["vip"]}])
def test_what_is_not_as_it_was_shown_is_not_placed(differs: dict[str, Any]):
    given(ACME, *OWES).when(in_bulk(**differs)).then(like(BulkActionApplied, outcome=BulkOutcome.CHANGED))


def test_what_was_recalled_since_and_placed_again_is_left_by_the_undo():
    again = given(ACME, *OWES, in_bulk(), RECALL, in_bulk(OTHER))
    again.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)).then(
        like(BulkActionUndone, outcome=BulkOutcome.CHANGED, reversed=())
    )
    again.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=OTHER)).then_among_others(
        PlacementEnded, like(BulkActionUndone, outcome=BulkOutcome.DONE)
    )
    again.when(UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)).then_nothing_happened()


@pytest.mark.parametrize(
    ("kind", "places", "layout"), [("arm", True, "arm"), ("placement", True, None), ("flags", False, None)]
)
def test_a_kind_of_bulk_action_says_whether_it_places_and_in_which_layout(kind: str, places: bool, layout: str | None):
    assert (bulk_kind(kind).places, bulk_kind(kind).file_layout) == (places, layout)


# --- a file ------------------------------------------------------------------------------------------


def test_a_file_is_made_delivered_and_acknowledged_once_each():
    scenario = given(ACME, MAR(2))
    for command, event in (
        (FULL, FileRequested), (MADE, FileMade), (BEGIN, FileDeliveryBegun),
        (came(True), like(FileDelivered, acknowledge_by=MAR(5))), (acknowledged(), FileAcknowledged),
    ):  # fmt: skip
        scenario = scenario.when(command).then(like(event) if isinstance(event, type) else event)
        if command is not MADE:
            scenario.when(command).then_nothing_happened()
    scenario.when(RedeliverFile(file_id=FILE)).then_refused("placement-file-delivered")


def test_a_file_of_which_nobody_knows_whether_it_arrived_waits_for_a_person():
    scenario = given(ACME, MAR(2), FULL, MADE, BEGIN).when(came(None)).then(FileUncertain)
    scenario.when(BEGIN).then_nothing_happened()
    scenario.when(RedeliverFile(file_id=FILE)).then(FileRedelivered)
    scenario.when(BEGIN).then(FileDeliveryBegun)


def test_a_file_that_was_certainly_not_taken_is_tried_again_and_said_once():
    scenario = given(ACME, MAR(2), FULL, MADE, BEGIN).when(came(False)).then(FileDeliveryFailed)
    scenario.when(came(False)).then_nothing_happened()
    scenario.when(BEGIN).then(FileDeliveryBegun)


@pytest.mark.parametrize("before", [[BEGIN, came(None)], [BEGIN]], ids=["uncertain", "delivering"])
def test_a_file_that_the_agency_says_it_received_is_delivered(before: list[Command]):
    scenario = given(ACME, MAR(2), FULL, MADE, *before)
    scenario.when(acknowledged()).then(FileDelivered, like(FileAcknowledged, matches=True))
    scenario.when(came(True)).then_nothing_happened()
    scenario.when(RedeliverFile(file_id=FILE)).then_refused("placement-file-delivered")


@pytest.mark.parametrize(
    ("said", "differs"), [([], False), ([acknowledged(1)], True), ([acknowledged(total=usd(199))], True)]
)
def test_no_or_another_acknowledgement_within_three_business_days_is_an_alarm(said: list[Command], differs: bool):
    """Monday, and so on the Friday after."""
    late = given_auto_collection(ACME, MAR(2), FULL, MADE, BEGIN, came(True), *said)
    ticked(late, MAR(5))
    assert late.world.events(FileOverdue) == []
    ticked(late, MAR(6))
    assert [each.differs for each in late.world.events(FileOverdue)] == [differs]
    ticked(late, MAR(9))
    assert len(late.world.events(FileOverdue)) == 1


def test_the_right_acknowledgement_in_time_is_none():
    good = given_auto_collection(ACME, MAR(2), FULL, MADE, BEGIN, came(True), acknowledged(1), acknowledged())
    ticked(good, MAR(9))
    assert good.world.events(FileOverdue) == []


def with_key(key: str | None, **more: Any) -> SetAgency:
    return SetAgency(office_id=OFFICE, code="acme", agency=Agency(title="Acme", public_key=key, **more))


def test_a_key_stays_until_another_one_or_none_is_said_and_one_that_cannot_encrypt_is_refused():
    key = str(Tsk.generate("Acme").extract_certificate()).strip()
    scenario = given(with_key(key)).when(with_key(None, commission_bp=100))
    assert scenario.world.office.agencies["acme"].public_key == key
    scenario.when(with_key("no key")).then_refused("agency-key")
    scenario.when(with_key(f"{key}\n", commission_bp=100)).then_nothing_happened()
    scenario.when(with_key("")).then(AgencySet)
    assert scenario.world.office.agencies["acme"].public_key is None


def test_an_agency_is_set_once_and_retired():
    scenario = given().when(ACME).then(AgencySet)
    scenario.when(ACME).then_nothing_happened()
    retire = RetireAgency(office_id=OFFICE, code="acme")
    scenario.when(retire).then(AgencySet)
    scenario.when(retire).then_nothing_happened()


# --- random lives ------------------------------------------------------------------------------------


class PlacedLives(RuleBasedStateMachine):
    """What two agencies and the office say of one account, in any order, beside a model of three words."""

    def __init__(self) -> None:
        super().__init__()
        other = ACME.model_copy(update={"code": "other"})
        self.scenario = given(ACME, other, *OWES)
        self.agency: str | None = None
        self.had: set[str] = set()
        self.stage = NOT_SET
        self.paid = 0

    def _do(self, command: Command, *, may: bool) -> None:
        key = command.natural_key()
        self.scenario.when(command, key=key.id if key else None)
        assert isinstance(self.scenario.outcome, Accepted) is may, (command, self.scenario.outcome)

    @rule(agency=st.sampled_from(["acme", "other"]))
    def place(self, agency: str) -> None:
        may = self.agency is None and self.paid < 100
        self._do(PlaceAccount(account_id=ACCOUNT, agency=agency), may=may)
        if may:
            self.agency, self.stage = agency, PENDING
            self.had.add(agency)

    @rule()
    def deliver(self) -> None:
        placed = self.scenario.world.account.placing.current
        self._do(
            MarkPlacementSent(account_id=ACCOUNT, file_id=placed.file_id if placed else identifier("none")), may=True
        )
        self.stage = SENT if placed else self.stage

    @rule(
        agency=st.sampled_from(["acme", "other"]),
        ends=st.sampled_from([(RejectPlacement, PENDING), (ClosePlacement, NOT_SET)]),
    )
    def give_back(self, agency: str, ends: tuple[Callable[..., Command], CollectionsStage]) -> None:
        may = self.agency == agency
        self._do(ends[0](account_id=ACCOUNT, agency=agency), may=may)
        if may:
            self.agency, self.stage = None, ends[1]

    @rule()
    def recall(self) -> None:
        self._do(RECALL, may=self.agency is not None)
        self.stage = NOT_SET if self.agency else self.stage
        self.agency = None

    @rule(stage=st.sampled_from(list(CollectionsStage)))
    def set_stage(self, stage: CollectionsStage) -> None:
        self._do(SetCollectionsStage(account_id=ACCOUNT, collections_stage=stage), may=self.agency is None)
        self.stage = self.stage if self.agency else stage

    @rule(agency=st.sampled_from(["acme", "other"]), reference=st.integers(1, 3))
    def pay(self, agency: str, reference: int) -> None:
        known = f"{agency}:T-{reference}" in {
            each.payment_number for each in self.scenario.world.events(AgencyPaymentPosted)
        }
        self._do(paid(f"T-{reference}", agency=agency), may=agency in self.had and not known)
        self.paid += 40 if agency in self.had and not known else 0

    @invariant()
    def is_as_the_model_says(self) -> None:
        account = self.scenario.world.account
        current = account.placing.current
        assert (current.agency if current else None) == self.agency == account.collections_stage.agency
        assert account.collections_stage.stage is self.stage
        assert bool(account.placing.shields()) is (self.agency is not None)
        assert account.receivables.balance == usd(100 - self.paid)


def test_random_lives_of_a_placed_account():
    run_state_machine_as_test(
        PlacedLives, settings=settings(max_examples=examples(25), stateful_step_count=15, deadline=None)
    )
