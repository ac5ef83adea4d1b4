"""The reader that puts queued messages into the queue of deliveries. It calls no carrier and waits for nothing."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from adapters.delivery import queue
from adapters.delivery.queue import Queued
from adapters.eventstore.application import Arrears
from aggregates.account import Account
from aggregates.account.messages import MessageQueued, MessageWritten
from aggregates.kernel.event import Recorded
from aggregates.office import DeliveryLimitsSet, Office


class Intake:
    """In the transaction of its checkpoint each message gets its row, once."""

    name: ClassVar[str] = "delivery"
    interest: ClassVar[frozenset[str]] = frozenset(
        each.event_name for each in (MessageQueued, MessageWritten, DeliveryLimitsSet)
    )

    def __init__(self, arrears: Arrears) -> None:
        self._arrears = arrears

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        queued = [each for each in batch if isinstance(each.event, MessageQueued | MessageWritten)]
        offices = self._offices(each.aggregate_id for each in queued)
        paces = self._paces(set(offices.values()))
        paces |= {
            each.aggregate_id: each.event.limits.max_per_minute
            for each in batch
            if isinstance(each.event, DeliveryLimitsSet)
        }
        if paces:
            queue.set_paces(connection, paces)
        rows = [_row(each, offices[each.aggregate_id]) for each in queued if each.aggregate_id in offices]
        if rows:
            queue.add(connection, rows)

    def forget(self) -> None:
        """There is nothing that it remembers."""

    def _offices(self, accounts: Iterable[UUID]) -> dict[UUID, UUID]:
        with self._arrears.looking() as looking:
            found = looking.at(Account, accounts)
            return {i: each.customer.office_id for i, each in found.items() if each.customer.office_id is not None}

    def _paces(self, offices: Iterable[UUID]) -> dict[UUID, int]:
        with self._arrears.looking() as looking:
            return {i: each.limits.max_per_minute for i, each in looking.at(Office, offices).items()}


def _row(recorded: Recorded, office_id: UUID) -> Queued:
    event = recorded.event
    assert isinstance(event, MessageQueued | MessageWritten)  # noqa: S101
    return Queued(
        message_id=event.message_id,
        account_id=recorded.aggregate_id,
        office_id=office_id,
        channel=event.channel,
        position=recorded.position or 0,
        event_id=recorded.event_id,
        correlation_id=recorded.meta.correlation_id,
        traceparent=recorded.meta.traceparent,
        queued_at=event.queued_at,
        is_paced=not (isinstance(event, MessageWritten) and event.ignores_pace),
    )
