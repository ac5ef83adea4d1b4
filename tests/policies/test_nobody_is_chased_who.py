"""Nobody is chased who paid, was excluded, promised, disputed, opted out or is in a pause: over random histories."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregates.account import Account
from aggregates.account.chase import Stage
from aggregates.account.complaints import CloseComplaint, ComplaintOutcome, RecordComplaint
from aggregates.account.contact import OptInToContact, OptOutOfContact
from aggregates.account.disputes import ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.account.legal import LegalKind, LegalState, MoveLegalCase, OpenLegalCase
from aggregates.account.payment_claims import ClaimPayment
from aggregates.account.payments import PaymentReceived
from aggregates.campaign import EngagementRules, ExistingDebt, PauseCampaign, ResumeCampaign, RetireCampaign
from aggregates.kernel.command import Command, identifier
from aggregates.office import PauseOfficeAutomation, ResumeOfficeAutomation
from aggregates.promise import WithdrawPromise
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    CAMPAIGN,
    DAY,
    MAR,
    OFFICE,
    a_campaign,
    a_corrected_payment,
    a_credit,
    a_dispute,
    a_payment,
    a_promise,
    a_reversal,
    a_revised_campaign,
    a_step,
    an_account,
    an_invoice,
    an_office,
    cents,
)
from tests.examples import examples
from tests.given import Carrier, World
from tests.policies.witness import Witness

What = Literal[
    "bill", "pay", "pay in part", "pay the oldest", "credit", "take back", "correct", "promise", "promise in part",
    "withdraw the promise", "dispute", "dispute one", "dispute a part", "resolve", "exclude", "opt out", "pause",
    "pause for a time", "pause the office", "pause the office for a time", "hold", "flag", "revise", "shorten",
    "retire", "hold one", "say it is paid", "complain", "sue",
]  # fmt: skip
"""Said of what is so already, some of these mean the opposite: an excluded account is let in again."""


@dataclass(frozen=True)
class Happening:
    what: What
    size: int


@dataclass(frozen=True)
class DayOfLife:
    """What happens on a day, and what is up. Things happen before the tick, or between it and delivery."""

    before: tuple[Happening, ...] = ()
    between: tuple[Happening, ...] = ()
    up: bool = True
    delivers: bool = True
    carrier: Carrier = "takes"
    ticks: int = 1


OFTEN = ("bill", "bill", "pay in part", *get_args(What))
HAPPENINGS = st.lists(
    st.builds(Happening, what=st.sampled_from(OFTEN), size=st.integers(0, 20)), min_size=1, max_size=2
).map(tuple)
NOTHING: st.SearchStrategy[tuple[Happening, ...]] = st.just(())
QUIET = st.just(DayOfLife())
EVENTFUL = st.builds(
    DayOfLife,
    before=NOTHING | HAPPENINGS,
    between=NOTHING | NOTHING | HAPPENINGS,
    up=st.sampled_from([True, True, True, False]),
    delivers=st.sampled_from([True, True, False]),
    carrier=st.sampled_from(["takes", "takes", "takes", "refuses", "dies"]),
    ticks=st.integers(1, 3),
)
LIVES = st.lists(QUIET | QUIET | EVENTFUL, min_size=20, max_size=60)


DENSE = tuple(
    a_step(f"s{days}", days, required=days in (8, 20)) for days in (-2, 1, 2, 4, 6, 8, 11, 14, 17, 20, 25, 30)
)
"""A sequence with something to send in most weeks."""


class Life:
    """A customer and a service that is not always there, day by day."""

    def __init__(self, existing: ExistingDebt = ExistingDebt.FROM_THE_START) -> None:
        self.world = World(reacts=True)
        self.world.move_to(MAR(2))
        campaign = a_campaign(*DENSE, rules=EngagementRules(min_dpd=-5), existing=existing)
        for command in (an_office(), an_account(), campaign):
            self.world.do(command)
        self.count = 0
        self.world.do(an_invoice("OLD", due_on=MAR(1)))
        self.world.do(an_invoice("NEW", due_on=MAR(12), issued_on=MAR(1)))

    def spend(self, day: DayOfLife) -> None:
        world = self.world
        today = world.today
        if day.up:
            self.tick_at(today, 0, 30)
        world.now = world.at(today, 7)
        self.happen(day.before)
        for number in range(day.ticks if day.up else 0):
            self.tick_at(today, 9 + 3 * number)
            self.happen(day.between if number == 0 else ())
            if day.delivers:
                world.now += timedelta(minutes=5)
                world.deliver(carrier=day.carrier)
        world.now = max(world.now, world.at(today, 18))
        if not day.up:
            self.happen(day.between)
        world.now = world.at(today + DAY, 0)

    def tick_at(self, day: date, hour: int, minute: int = 0) -> None:
        world = self.world
        world.now = max(world.now, world.at(day, hour, minute))
        world.tick()
        self.running_it_again_changes_nothing()

    def running_it_again_changes_nothing(self) -> None:
        before = len(self.world.log)
        self.world.tick()
        assert [r.event for r in self.world.log[before:]] == []
        assert self.world.stuck() == []

    def happen(self, happenings: tuple[Happening, ...]) -> None:
        for happening in happenings:
            command = self.command(happening.what, happening.size)
            if command is not None:
                self.world.do(command)
                self.count += 1

    def command(self, what: What, size: int) -> Command | None:
        world, account, number = self.world, self.world.account, f"{self.count}"
        owed: Money = account.receivables.balance
        today = world.today
        oldest = min(account.receivables.items.values(), key=lambda item: item.due_on, default=None)
        until = world.now + timedelta(days=size, hours=1)
        match what:
            case "bill":
                due_on = today + (10 - size * 2) * DAY
                return an_invoice(number, due_on=due_on, issued_on=min(today, due_on), amount=cents(100 + size))
            case "pay" if owed.minor > 0:
                return a_payment(owed, on=today, number=number)
            case "pay in part":
                return a_payment(cents(1 + size * 5), on=today - size % 3 * DAY, number=number)
            case "pay the oldest" if oldest:
                return a_payment(oldest.open, on=today, number=number, invoice=oldest.item.number)
            case "credit":
                return a_credit(cents(1 + size), on=today, number=number)
            case "take back" | "correct":
                paid = [event.receipt for event in world.events(PaymentReceived)]
                if not paid:
                    return None
                one = paid[size % len(paid)]
                if what == "take back":
                    return a_reversal(one.number, on=today)
                return a_corrected_payment(cents(1 + size * 5), on=one.received_on, number=one.number)
            case "promise" | "promise in part" if owed.minor > 0:
                amount = owed if what == "promise" else cents(1 + owed.minor // 2)
                return a_promise(amount, due_on=today + size * DAY, promise_id=identifier("promise", number))
            case "withdraw the promise" if account.promises.open:
                promise_id = sorted(account.promises.open)[size % len(account.promises.open)]
                return WithdrawPromise(promise_id=promise_id, account_id=ACCOUNT)
            case "dispute":
                return a_dispute()
            case "dispute one" if oldest:
                return a_dispute(oldest.item.number)
            case "dispute a part" if oldest:
                return a_dispute(**{oldest.item.number: cents(1 + size * 5)})
            case "resolve" if account.disputes.open:
                dispute_id = sorted(account.disputes.open)[size % len(account.disputes.open)]
                return ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="done")
            case "exclude" if account.exclusion.current:
                return LiftExclusion(account_id=ACCOUNT)
            case "exclude":
                return ExcludeAccount(account_id=ACCOUNT)
            case "opt out" if account.contact.opt_outs:
                return OptInToContact(account_id=ACCOUNT, **account.contact.opt_outs[0].model_dump())
            case "opt out":
                return OptOutOfContact(
                    account_id=ACCOUNT, channel=Channel.EMAIL, point_id="email-1" if size % 2 else None
                )
            case "pause" if world.campaign.pause:
                return ResumeCampaign(campaign_id=CAMPAIGN)
            case "pause" | "pause for a time":
                ends = until if what == "pause for a time" else None
                return PauseCampaign(campaign_id=CAMPAIGN, paused_from=world.now - size * DAY, paused_until=ends)
            case "pause the office" if world.office.pause:
                return ResumeOfficeAutomation(office_id=OFFICE)
            case "pause the office" | "pause the office for a time":
                ends = until if what == "pause the office for a time" else None
                return PauseOfficeAutomation(office_id=OFFICE, paused_until=ends)
            case "hold" if account.holds.in_force:
                return ReleaseHold(
                    account_id=ACCOUNT, hold_id=sorted(account.holds.in_force)[size % len(account.holds.in_force)]
                )
            case "hold":
                return PlaceHold(account_id=ACCOUNT, code="asked", until=today + size * DAY if size else None)
            case "hold one" if oldest:
                return PlaceHold(
                    account_id=ACCOUNT, code="asked", until=today + size * DAY, invoice_numbers=(oldest.item.number,)
                )
            case "say it is paid" if oldest:
                return ClaimPayment(account_id=ACCOUNT, invoice_numbers=(oldest.item.number,))
            case "complain" if account.complaints.open:
                return CloseComplaint(
                    account_id=ACCOUNT, complaint_id=min(account.complaints.open), outcome=ComplaintOutcome.REJECTED
                )
            case "complain":
                return RecordComplaint(account_id=ACCOUNT, subject="a letter too many")
            case "sue" if account.legal_cases.open:
                case_id = min(account.legal_cases.open)
                return MoveLegalCase(account_id=ACCOUNT, case_id=case_id, state=LegalState.WITHDRAWN)
            case "sue" if oldest:
                return OpenLegalCase(account_id=ACCOUNT, kind=LegalKind.SUIT, invoice_numbers=(oldest.item.number,))
            case "flag" if account.flags.carried:
                return ClearFlag(account_id=ACCOUNT, flag=min(account.flags.carried))
            case "flag":
                return SetFlag(account_id=ACCOUNT, flag="bankruptcy" if size % 2 else "vip")
            case "revise":
                return a_revised_campaign(*DENSE[: size // 2], a_step(f"new{size}", 1 + size), *DENSE[size // 2 :])
            case "shorten":
                return a_revised_campaign(*[step for step in DENSE if (step.days + size) % 3])
            case "retire" if size == 20:
                return RetireCampaign(campaign_id=CAMPAIGN)
            case _:
                return None


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(LIVES, st.sampled_from(ExistingDebt))
def test_nobody_is_chased_who_paid_promised_disputed_or_told_us_to_stop(days: list[DayOfLife], existing: ExistingDebt):
    life = Life(existing)
    for day in days:
        life.spend(day)
    world = life.world
    assert list(Witness(world.zone).complaints(world.log)) == []
    assert world.store.replayed(Account, ACCOUNT) == world.account
    assert Account.model_validate_json(world.account.model_dump_json()) == world.account

    world.live(world.today + 150 * DAY)
    assert list(Witness(world.zone).complaints(world.log)) == []
    chase = world.account.chase
    paused = chase.why is not None and chase.why.code == "paused"
    assert paused or chase.stage not in (Stage.SCHEDULED, Stage.ENGAGED), "the sequence hangs"
