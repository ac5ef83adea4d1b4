"""Random lives of two accounts of one customer, through commands: what was allowed breaks no law, by an independent
checker written from the law; what was refused is recorded with every rule, what was made outside with what it broke.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aggregates.account import Account
from aggregates.account.activities import ActivityKind, ActivityRecorded, EndCall, RecordActivity
from aggregates.account.calls import CallRefused, CallStarted, StartCall
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.contact_history import ContactFactRecorded, FactKind, RecordContactFact, WithdrawContactFact
from aggregates.account.messages import ContactRefused, MessageQueued, MessageWithdrawn, TakeStep
from aggregates.kernel.command import Accepted, Command
from aggregates.office import ChangeOfficeSettings
from aggregates.values.contact import Channel, Consent, PostalAddress, RuleRefusal
from aggregates.values.contact_record import Role
from aggregates.values.contact_settings import ContactSettings
from tests.builders import ACCOUNT, MAR, OFFICE, a_campaign, a_phone, a_step, an_account, an_invoice, an_office, contact
from tests.examples import examples
from tests.given import World

START = datetime(2026, 3, 5, 15, tzinfo=UTC)
"""Clocks change three days later."""
DISPOSITIONS = {
    # code: connected, conversation
    "no-answer": (True, False),
    "left-message": (True, False),
    "spoke-to-customer": (True, True),
    "busy": (False, False),
    "voicemail-without-message": (True, False),
}


@dataclass(frozen=True)
class Place:
    """Where a debtor may live: what an address and a number say of it, written down by hand."""

    region: str
    postal_code: str
    phone: str
    zones: tuple[str, ...]


PLACES = {
    "NY": Place("NY", "12545", "+12125550100", ("America/New_York",)),
    "HI": Place("HI", "96813", "+18085550123", ("Pacific/Honolulu",)),
    "MA": Place("MA", "02108", "+16175550100", ("America/New_York",)),
    "WA": Place("WA", "98101", "+12065550100", ("America/Los_Angeles",)),
    "HI, with a number of New York": Place("HI", "96813", "+12125550100", ("America/New_York", "Pacific/Honolulu")),
}


@dataclass(frozen=True)
class Seen:
    """A contact as the checker saw it leave or come in."""

    at: datetime
    account: UUID
    medium: str
    connected: bool = True
    conversation: bool = False
    inbound: bool = False


class TheLaw:
    """What the law forbids a third party who collects consumer debt, for a contact now. It reads what happened, and
    nothing of the product."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.zones = [ZoneInfo(each) for each in place.zones]
        self.seen: dict[UUID, Seen] = {}
        self.ended: dict[UUID, tuple[datetime, str]] = {}
        """What ends contact and stands, and since when: cease in writing, attorney, bankruptcy."""
        self.call_consents: list[tuple[datetime, UUID]] = []

    def broken_by(self, at: datetime, medium: str, account: UUID, *, but: UUID | None = None) -> set[str]:
        """Names of the laws."""
        broken = {f"ended: {what}" for since, what in self.ended.values() if since <= at}
        earlier = [each for known, each in self.seen.items() if known != but and each.at <= at]
        for zone in self.zones:
            local = at.astimezone(zone)
            if medium in {"call", "sms", "email"} and not time(8) <= local.time() < time(21):
                broken.add("hours")
            today = local.date()

            def days_ago(each: Seen, zone: ZoneInfo = zone, today: date = today) -> int:
                return (today - each.at.astimezone(zone).date()).days

            mine = [each for each in earlier if each.account == account]
            if medium == "call" and not self._consented(at, account, zone):
                free = [each for each in mine if not self._consented(each.at, account, zone)]
                if sum(_is_call(each) and days_ago(each) < 7 for each in free) >= 7:
                    broken.add("seven calls in seven days")
                if any(each.conversation and days_ago(each) < 7 for each in mine):
                    broken.add("after a conversation")
            if self.place.region == "MA" and medium in {"call", "sms"}:
                made = [each for each in mine if each.medium in {"call", "sms"} and not each.inbound and each.connected]
                if sum(days_ago(each) < 7 for each in made) >= 2:
                    broken.add("Massachusetts")
            if self.place.region == "WA":
                made = [each for each in earlier if not each.inbound and each.connected]
                if sum(days_ago(each) < 7 for each in made) >= 3:
                    broken.add("Washington")
                if medium in {"call", "sms", "email"} and not time(7, 30) <= local.time() < time(21):
                    broken.add("hours of Washington")
        return broken

    def _consented(self, at: datetime, account: UUID, zone: ZoneInfo) -> bool:
        """Direct prior consent to calls lasts seven days, the day on which it was given being the first."""
        day = at.astimezone(zone).date()
        return any(
            given <= at and debt == account and day < given.astimezone(zone).date() + timedelta(days=7)
            for given, debt in self.call_consents
        )


def _is_call(each: Seen) -> bool:
    return each.medium == "call" and not each.inbound and each.connected


MEDIA = {ActivityKind.CALL: "call", ActivityKind.SMS: "sms", ActivityKind.EMAIL: "email", ActivityKind.LETTER: "letter"}
whose = st.sampled_from([0, 1])


class Contacts(RuleBasedStateMachine):
    """Two accounts of one customer, collected by a third party."""

    @initialize(place=st.sampled_from(sorted(PLACES)))
    def begin(self, place: str) -> None:
        self.world = World(now=START)
        self.law = TheLaw(PLACES[place])
        self.open: dict[UUID, UUID] = {}
        self.read = 0
        self.counted: Counter[str] = Counter()
        where = self.law.place
        address = PostalAddress(
            id="address-1", lines=("1 Main St",), region=where.region, postal_code=where.postal_code, country="US"
        )
        details = contact(
            addresses=(address,), phones=(a_phone(number=where.phone, sms_consent=Consent.GIVEN),), emails=()
        )
        self.do(an_office())
        self.do(ChangeOfficeSettings(office_id=OFFICE, contact=ContactSettings(role=Role.THIRD_PARTY)))
        self.do(an_account(contact=details))
        self.do(an_account(number="B-1", customer_number="A-1", contact=details))
        [other] = self.world.get(Account, ACCOUNT).customer.accounts
        self.accounts = [ACCOUNT, other]
        texts = [a_step(f"text-{nth}", nth, channel=Channel.SMS) for nth in range(1, 9)]
        self.do(a_campaign(*texts))
        for number, account in enumerate(self.accounts):
            consent = {"kind": FactKind.CONSENT, "channel": "sms", "number": where.phone}
            self.do(RecordContactFact.model_validate({"account_id": account, **consent}))
            self.do(an_invoice(f"I-{number}", due_on=MAR(2)).model_copy(update={"account_id": account}))
        self.world.reacts = True
        self.world.react()

    def do(self, command: Command, **more: Any) -> None:
        outcome = self.world.do(command, **more)
        assert isinstance(outcome, Accepted), outcome

    # --- what happens ---

    @rule(hours=st.integers(0, 30), minutes=st.integers(0, 59))
    def time_passes(self, hours: int, minutes: int) -> None:
        """The service runs: campaigns send what they may."""
        end = self.world.now + timedelta(hours=hours, minutes=minutes)
        self.world.live(end, delivering=True)

    @rule(which=whose, override=st.booleans())
    def a_call_is_wanted(self, which: int, override: bool) -> None:
        before = len(self.world.log)
        self.do(StartCall(account_id=self.accounts[which], override=override))
        begun = [each.event for each in self.world.log[before:] if isinstance(each.event, CallStarted | CallRefused)]
        assert len(begun) == 1, "a call begins, or its refusal is recorded"

    @rule(which=st.integers(0, 5), disposition=st.sampled_from(sorted(DISPOSITIONS)))
    def a_call_ends(self, which: int, disposition: str) -> None:
        if self.open:
            call, account = sorted(self.open.items())[which % len(self.open)]
            self.do(EndCall(account_id=account, call_id=call, disposition=disposition))

    @rule(
        which=whose,
        kind=st.sampled_from(sorted(MEDIA)),
        direction=st.sampled_from(["inbound", "outbound"]),
        disposition=st.sampled_from([None, *sorted(DISPOSITIONS)]),
        ago=st.integers(0, 40),
    )
    def something_was_done_outside(
        self, which: int, kind: ActivityKind, direction: str, disposition: str | None, ago: int
    ) -> None:
        said = {
            "account_id": self.accounts[which], "kind": kind, "direction": direction, "disposition": disposition,
            "at": self.world.now - timedelta(hours=ago),
        }  # fmt: skip
        self.do(RecordActivity.model_validate(said))

    @rule(
        which=whose,
        kind=st.sampled_from([FactKind.CEASE, FactKind.ATTORNEY, FactKind.BANKRUPTCY, FactKind.CALL_CONSENT]),
    )
    def something_is_said(self, which: int, kind: FactKind) -> None:
        account = self.accounts[which]
        before = len(self.world.log)
        self.do(RecordContactFact(account_id=account, kind=kind))
        [recorded] = [each.event for each in self.world.log[before:] if each.aggregate_id == account][:1]
        assert isinstance(recorded, ContactFactRecorded)
        fact_id = recorded.fact_id
        if kind is FactKind.CALL_CONSENT:
            self.law.call_consents.append((self.world.now, account))
        else:
            self.law.ended[fact_id] = self.world.now, kind

    @rule(which=st.integers(0, 5))
    def it_is_taken_back(self, which: int) -> None:
        if self.law.ended:
            fact_id = sorted(self.law.ended)[which % len(self.law.ended)]
            del self.law.ended[fact_id]
            self.do(WithdrawContactFact(account_id=self.accounts[which % 2], fact_id=fact_id))

    @rule(which=whose)
    def a_step_is_taken_too_early(self, which: int) -> None:
        self.do(TakeStep(account_id=self.accounts[which], step_id="text-1"), actor="policy:auto-collection@1")

    @rule()
    def details_are_said_again(self) -> None:
        details = self.world.get(Account, ACCOUNT).contact.details
        self.do(ChangeContactDetails(account_id=ACCOUNT, contact=details))

    # --- what must hold ---

    @invariant()
    def nothing_that_was_allowed_breaks_the_law(self) -> None:
        """Each event of the log, as it comes: allowed contacts break nothing; refusals and violations say why."""
        for recorded in self.world.log[self.read :]:
            event, account = recorded.event, recorded.aggregate_id
            match event:
                case CallStarted():
                    assert self.law.broken_by(event.started_at, "call", account) == set()
                    assert not [each for each in event.overridden or () if each.basis == "law"]
                    self.law.seen[event.call_id] = Seen(event.started_at, account, "call")
                    self.open[event.call_id] = account
                case MessageQueued():
                    assert self.law.broken_by(event.queued_at, "sms", account) == set()
                    self.law.seen[event.message_id] = Seen(event.queued_at, account, "sms")
                case MessageWithdrawn():  # it never left
                    del self.law.seen[event.message_id]
                case CallRefused() | ContactRefused():
                    self._says_why(event.refusals)
                case ActivityRecorded():
                    self._note(event, account)
                case _:
                    pass
        self.read = len(self.world.log)

    def _note(self, event: ActivityRecorded, account: UUID) -> None:
        if event.kind not in MEDIA or event.at is None:
            return
        was_open = self.open.pop(event.activity_id, None) is not None
        medium, is_inbound = MEDIA[event.kind], event.direction == "inbound"
        if not was_open and not is_inbound:
            broken = self.law.broken_by(event.at, medium, account, but=event.activity_id)
            assert not broken or event.violations, broken
        connected, conversation = DISPOSITIONS.get(event.disposition or "", (True, False))
        is_call = medium == "call"
        self.law.seen[event.activity_id] = Seen(
            event.at, account, medium, connected or not is_call, conversation and is_call, is_inbound
        )

    def _says_why(self, refusals: tuple[RuleRefusal, ...] | None) -> None:
        assert refusals
        assert all(each.rule and each.source and each.detail for each in refusals)
        for each in refusals:
            assert each.allowed_from is None or each.allowed_from > START

    @invariant()
    def a_replay_knows_the_same(self) -> None:
        for account in self.accounts:
            live = self.world.get(Account, account)
            assert self.world.store.replayed(Account, account).contact_history == live.contact_history


TestContacts = Contacts.TestCase
TestContacts.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
