"""Events with sane defaults: a test says only what matters to it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from aggregates.account.aging import Aged, BucketMove
from aggregates.account.allocation import AllocatedPart, AllocationReleased, FundsAllocated, ReleasedPart
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.chase import ScheduledStep, Stage, StageChanged, StepScheduled
from aggregates.account.customer import AccountOpened, CustomerKind
from aggregates.account.messages import MessageQueued
from aggregates.account.payments import PaymentReceived, PaymentReversed
from aggregates.account.reallocation import FundsReallocated, MovedAmount, MovedFunds, MovedItem
from aggregates.account.receivables import FundsKind, Item, Receipt, ReversalKind
from aggregates.account.shields import Why
from aggregates.account.write_offs import DebtWrittenOff
from aggregates.campaign import CampaignLaunched, CampaignPlan, Step, Template
from aggregates.kernel.command import identifier
from aggregates.office import OfficeOpened
from aggregates.promise import Instalment, PromiseMade
from aggregates.values.contact import Channel
from aggregates.values.money import Money

OFFICE = identifier("office", "main")
CAMPAIGN = identifier("campaign", OFFICE, "gentle")
MAR_2 = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def day(offset: int) -> date:
    """Days after 2026-03-02."""
    return MAR_2 + timedelta(days=offset)


def moment(offset: int) -> datetime:
    return NOON + timedelta(days=offset)


# --- office and campaign -----------------------------------------------------------------------------


def an_office(code: str = "main", time_zone: str = "UTC") -> OfficeOpened:
    return OfficeOpened(code=code, title=code.title(), currency="USD", time_zone=time_zone)


def a_campaign(title: str = "gentle", office_id: UUID = OFFICE) -> CampaignLaunched:
    step = Step(
        id="reminder", title="First reminder", days=1, channel=Channel.EMAIL, templates={"en": Template(body="…")}
    )
    return CampaignLaunched(office_id=office_id, title=title, plan=CampaignPlan(steps=(step,)))


# --- account -----------------------------------------------------------------------------------------


def opened(number: str = "A-1", *, name: str = "Ada", office_id: UUID = OFFICE, **more: Any) -> AccountOpened:
    return AccountOpened(
        office_id=office_id,
        number=number,
        customer_name=name,
        currency="USD",
        customer_kind=CustomerKind.COMMERCIAL,
        **more,
    )


def an_item(number: str = "I-1", *, minor: int = 10_000, due_on: date = MAR_2, of: object = "") -> Item:
    return Item(
        id=identifier("invoice", of, number),
        number=number,
        issued_on=due_on - timedelta(days=30),
        due_on=due_on,
        amount=usd(minor),
        charges=usd(minor),
    )


def billed(item: Item) -> InvoiceBilled:
    return InvoiceBilled(item=item, known_on=MAR_2)


def corrected(item: Item, previous: Item, *, open_after: int) -> InvoiceCorrected:
    return InvoiceCorrected(item=item, previous=previous, open_after=usd(open_after), known_on=MAR_2)


def a_receipt(number: str = "P-1", *, minor: int, on: date = MAR_2, kind: FundsKind = FundsKind.PAYMENT) -> Receipt:
    return Receipt(id=identifier(kind, number), kind=kind, number=number, amount=usd(minor), received_on=on)


def paid(receipt: Receipt) -> PaymentReceived:
    return PaymentReceived(receipt=receipt)


def allocated(receipt: Receipt, item: Item, minor: int, *, open_after: int, left: int = 0) -> FundsAllocated:
    part = AllocatedPart(item_id=item.id, amount=usd(minor), open_after=usd(open_after))
    return FundsAllocated(
        funds_id=receipt.id, allocated_on=receipt.received_on, parts=(part,), unapplied_after=usd(left)
    )


def written_off(item: Item, minor: int, *, open_after: int, keeps_claim: bool = True) -> DebtWrittenOff:
    part = AllocatedPart(item_id=item.id, amount=usd(minor), open_after=usd(open_after))
    return DebtWrittenOff(
        write_off_id=identifier("write-off", item.id), number="1", code="other", keeps_claim=keeps_claim,
        written_off_on=MAR_2, amount=usd(minor), parts=(part,),
    )  # fmt: skip


def released(
    receipt: Receipt, item: Item, minor: int, *, open_after: int, dispute_id: UUID | None = None
) -> AllocationReleased:
    part = ReleasedPart(
        item=item, amount=usd(minor), open_after=usd(open_after), open_since=item.issued_on, known_on=MAR_2,
        dispute_id=dispute_id,
    )  # fmt: skip
    return AllocationReleased(receipt=receipt, released_on=MAR_2, parts=(part,), unapplied_after=receipt.amount)


def reallocated(item: Item, *moves: tuple[Receipt, date, int], open_after: int, **more: Any) -> FundsReallocated:
    """The item was settled, and its money is put elsewhere or comes from elsewhere: (payment, day, amount)."""
    return FundsReallocated(
        from_day=item.issued_on,
        moves=tuple(
            MovedAmount(moved_on=on, funds_id=receipt.id, item_id=item.id, amount=usd(minor))
            for receipt, on, minor in moves
        ),
        items=(
            MovedItem(
                item_id=item.id, open_after=usd(open_after), open_since=item.issued_on, bucket="1-30",
                known_on=item.issued_on, item=item, **{"next_on": None, **more},
            ),
        ),
        funds=tuple(
            MovedFunds(funds_id=receipt.id, unapplied_after=usd(0), receipt=receipt) for receipt, _, _ in moves
        ),
    )  # fmt: skip


def reversed_(receipt: Receipt) -> PaymentReversed:
    return PaymentReversed(receipt=receipt, reversal=ReversalKind.CHARGEBACK, reversed_on=MAR_2)


def aged(item: Item, bucket: str, *, next_on: date | None = None, previous: str = "current") -> Aged:
    move = BucketMove(item_id=item.id, bucket=bucket, next_on=next_on)
    return Aged(as_of=MAR_2, moves=(move,), bucket=bucket, previous_bucket=previous, days_past_due=1)


def staged(stage: Stage | None, code: str = "meets-rules", *, campaign_id: UUID | None = CAMPAIGN) -> StageChanged:
    return StageChanged(
        stage=stage,
        previous=None,
        why=Why(code=code, detail=f"because of {code}"),
        ends_engagement=False,
        campaign_id=campaign_id,
        plan_version=1 if campaign_id else None,
    )


def a_step(step_id: str = "reminder", *, title: str = "First reminder", due_at: datetime = NOON) -> StepScheduled:
    return StepScheduled(
        step=ScheduledStep(
            campaign_id=CAMPAIGN,
            plan_version=1,
            step_id=step_id,
            title=title,
            anchor_item_id=identifier("anchor"),
            due_at=due_at,
            required=False,
        )
    )


def queued(step_id: str = "reminder") -> MessageQueued:
    return MessageQueued(
        message_id=identifier("message", step_id),
        campaign_id=CAMPAIGN,
        plan_version=1,
        step_id=step_id,
        step_title=step_id.title(),
        channel=Channel.EMAIL,
        point_id="email-1",
        language="en",
        items=(),
        amount=usd(100),
        queued_at=NOON,
        queued_on=MAR_2,
    )


# --- promise -----------------------------------------------------------------------------------------


def promised(account_id: UUID, *instalments: tuple[int, int], grace_days: int = 3) -> PromiseMade:
    """Instalments as (day offset, minor units)."""
    return PromiseMade(
        account_id=account_id,
        made_on=MAR_2,
        instalments=tuple(Instalment(due_on=day(offset), amount=usd(minor)) for offset, minor in instalments),
        grace_days=grace_days,
        level=0,
    )
