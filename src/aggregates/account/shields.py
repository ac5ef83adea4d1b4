"""Shields: what holds back the chase, from whatever source; derived from the account, its office and campaigns."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from aggregates.kernel.value import Value
from aggregates.values.money import Money


class Why(Value):
    """The reason for a stage: a stable code for programs, a sentence for people."""

    code: str
    detail: str


class ShieldSource(StrEnum):
    """Where a shield comes from; in this order the strongest reason is said."""

    EXCLUSION = "exclusion"
    FREEZE = "freeze"
    PLACEMENT = "placement"
    FLAG = "flag"
    CONTACT = "contact"
    REPLY = "reply"
    HOLD = "hold"
    LEGAL_CASE = "legal-case"
    COMPLAINT = "complaint"
    PAYMENT_CLAIM = "payment-claim"
    PROMISE = "promise"
    DISPUTE = "dispute"
    UNAPPLIED = "unapplied"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Shield:
    """Something that holds back the chase. It covers the whole account, unless it names items, an amount, or messages.

    An amount counts against what is not disputed, in the order in which its allocation would. With an item it is the
    part of that item that is covered.
    """

    source: ShieldSource
    why: Why
    until: date | datetime | None = None
    """The last day (of a date) or the end (of a moment) that is known beforehand."""
    items: frozenset[UUID] | None = None
    amount: Money | None = None
    campaign_ids: frozenset[UUID] | None = None
    """Only messages of these campaigns are held back; the account stays in its stage."""
    said: str = ""
    """Of one that covers items or an amount: what is said after that amount where others hold back the rest."""

    @property
    def covers_account(self) -> bool:
        return self.items is None and self.amount is None and self.campaign_ids is None


def strongest(shields: Iterable[Shield]) -> Shield:
    """The one whose reason is said where several, and at least one, hold back the same."""
    order = list(ShieldSource)
    return min(shields, key=lambda shield: order.index(shield.source))
