"""The account: a customer's receivables with one office, in one currency; composed of its subjects."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from pydantic import Field

from aggregates.account.activities import Activities
from aggregates.account.aging import Aging
from aggregates.account.allocation import Allocations
from aggregates.account.attachments import Attachments
from aggregates.account.between_accounts import BetweenAccounts
from aggregates.account.billing import Billing
from aggregates.account.bulk import BulkChanges
from aggregates.account.calls import Calls
from aggregates.account.chase import Chase
from aggregates.account.collections_stage import CollectionsStages
from aggregates.account.complaints import Complaints
from aggregates.account.contact import Contact
from aggregates.account.contact_history import ContactHistory
from aggregates.account.customer import Customer
from aggregates.account.deferred import Deferred
from aggregates.account.dialling import Dialling
from aggregates.account.disputes import Disputes
from aggregates.account.exclusion import Exclusions
from aggregates.account.fees import Fees
from aggregates.account.flags import Flags
from aggregates.account.freezing import Freezing
from aggregates.account.holds import Holds
from aggregates.account.inbound import Inbound
from aggregates.account.legal import LegalCases
from aggregates.account.messages import Messages
from aggregates.account.payment_claims import PaymentClaims
from aggregates.account.payments import Payments
from aggregates.account.placing import Placing
from aggregates.account.promises import Promises
from aggregates.account.receivables import Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.account.worklist import Worklist
from aggregates.account.write_offs import WriteOffs
from aggregates.account.writing import Writing
from aggregates.campaign import Campaign
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Target
from aggregates.office import Office


class Account(Aggregate):
    """What is owed, who owes it, what was said about it, and where it stands in auto-collection."""

    kind: ClassVar[str] = "account"
    state_version: ClassVar[int] = 20

    customer: Customer = Field(default_factory=Customer)
    contact: Contact = Field(default_factory=Contact)
    receivables: Receivables = Field(default_factory=Receivables)
    allocation: Allocations = Field(default_factory=Allocations)
    deferred: Deferred = Field(default_factory=Deferred)
    promises: Promises = Field(default_factory=Promises)
    billing: Billing = Field(default_factory=Billing)
    payments: Payments = Field(default_factory=Payments)
    write_offs: WriteOffs = Field(default_factory=WriteOffs)
    between_accounts: BetweenAccounts = Field(default_factory=BetweenAccounts)
    aging: Aging = Field(default_factory=Aging)
    flags: Flags = Field(default_factory=Flags)
    disputes: Disputes = Field(default_factory=Disputes)
    holds: Holds = Field(default_factory=Holds)
    payment_claims: PaymentClaims = Field(default_factory=PaymentClaims)
    complaints: Complaints = Field(default_factory=Complaints)
    legal_cases: LegalCases = Field(default_factory=LegalCases)
    chase: Chase = Field(default_factory=Chase)
    exclusion: Exclusions = Field(default_factory=Exclusions)
    contact_history: ContactHistory = Field(default_factory=ContactHistory)
    messages: Messages = Field(default_factory=Messages)
    attachments: Attachments = Field(default_factory=Attachments)
    writing: Writing = Field(default_factory=Writing)
    inbound: Inbound = Field(default_factory=Inbound)
    activities: Activities = Field(default_factory=Activities)
    calls: Calls = Field(default_factory=Calls)
    dialling: Dialling = Field(default_factory=Dialling)
    freezing: Freezing = Field(default_factory=Freezing)
    collections_stage: CollectionsStages = Field(default_factory=CollectionsStages)
    fees: Fees = Field(default_factory=Fees)
    placing: Placing = Field(default_factory=Placing)
    bulk: BulkChanges = Field(default_factory=BulkChanges)
    worklist: Worklist = Field(default_factory=Worklist)

    @classmethod
    def blank(cls, aggregate_id: UUID, *, whole: bool = False) -> Self:
        blank = super().blank(aggregate_id)
        blank.receivables.keeps_all = blank.activities.keeps_all = whole
        return blank

    @property
    def about_account(self) -> UUID:
        return self.id

    @property
    def weight(self) -> int:
        return 1 + len(self.receivables.items) + len(self.receivables.funds)

    def links(self) -> Iterable[Target]:
        office_id = self.customer.office_id
        if office_id is None:
            return ()
        return (Target("office", office_id), *(Target(self.kind, each) for each in self.customer.accounts))

    def shields(self, office: Office, campaigns: Iterable[Campaign], now: datetime) -> list[Shield]:
        """Everything that holds back the chase at this moment, the strongest reasons first."""
        shields = [
            *self.exclusion.shields(),
            *self.freezing.shields(),
            *self.placing.shields(),
            *self.flags.shields(office),
            *self.contact_history.shields(office),
            *self.inbound.shields(office),
            *self.holds.shields(),
            *self.legal_cases.shields(office),
            *self.complaints.shields(),
            *self.payment_claims.shields(),
            *self.promises.shields(),
            *self.disputes.shields(),
            *self.receivables.shields(),
        ]
        for campaign in campaigns:
            ends = [pause.paused_until for pause in (office.pause, campaign.pause) if pause and pause.covers(now)]
            if ends:
                until = None if None in ends else max(end for end in ends if end is not None)
                why = Why(code="paused", detail="automation is paused")
                shields.append(Shield(ShieldSource.PAUSE, why, until=until, campaign_ids=frozenset({campaign.id})))
        return shields
