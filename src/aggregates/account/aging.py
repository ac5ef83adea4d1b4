"""How old what is open is: the buckets of items and of the account."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.receivables import Receivables
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.value import Value
from aggregates.values.aging import CURRENT

# --- values ------------------------------------------------------------------------------------------


class BucketMove(Value):
    """An item that moved to another bucket; `next_on` is the day it moves again (None: never)."""

    item_id: UUID
    bucket: str
    next_on: date | None


# --- events ------------------------------------------------------------------------------------------


class Aged(Event, name="account.aged"):
    """Items moved to other aging buckets. `bucket` is the account's: its oldest item's."""

    as_of: date
    moves: tuple[BucketMove, ...]
    bucket: str
    previous_bucket: str
    days_past_due: int


# --- commands ----------------------------------------------------------------------------------------


class AgeAccount(AccountCommand, name="age-account"):
    """Move open items to the buckets that today's days past due say."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Aging(AccountPart):
    """The bucket of the account: its oldest item's."""

    bucket: str = CURRENT

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)

    @decides(AgeAccount)
    def age(self, command: AgeAccount, context: Context) -> None:
        self.require_account()
        self.look_again(context)

    def look_again(self, context: Context) -> None:
        """Says which items, and whether the account, are in another bucket today."""
        scheme, today = self.customer.office(context).scheme, context.today
        moves = []
        oldest = CURRENT
        for item in self.receivables.items.values():
            bucket = scheme.bucket_of((today - item.due_on).days)
            next_on = scheme.next_boundary(item.due_on, today)
            if (bucket, next_on) != (item.bucket, item.next_on):
                moves.append(BucketMove(item_id=item.id, bucket=bucket, next_on=next_on))
            oldest = max(oldest, bucket, key=scheme.rank)
        if moves or oldest != self.bucket:
            self.emit(
                Aged(
                    as_of=today,
                    moves=tuple(moves),
                    bucket=oldest,
                    previous_bucket=self.bucket,
                    days_past_due=self.receivables.days_past_due(today),
                )
            )

    # --- apply ---

    @applies(Aged)
    def _aged(self, event: Aged) -> None:
        self.bucket = event.bucket
        for move in event.moves:
            item = self.receivables.items[move.item_id]
            item.bucket, item.next_on = move.bucket, move.next_on
