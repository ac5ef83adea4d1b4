"""The reader that applies policies: events in, commands out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from psycopg import Connection

from adapters.eventstore.application import Arrears
from aggregates.kernel.command import Command, Issued
from aggregates.kernel.event import Event, Recorded
from policies.policy import EveryAccount, Policy

_CHUNK = 1_000


class Reactor:
    """Runs the table of policies over batches of events.

    Its commands are stored in transactions of their own, before the checkpoint is: after a crash some events are
    met again, and the commands' ids make the repeat harmless.
    """

    name: ClassVar[str] = "policies"

    def __init__(self, arrears: Arrears, policies: Sequence[Policy], shown: Callable[[int], None]) -> None:
        """`shown` returns once the collections report has everything up to a position, or raises OutOfReach."""
        self._arrears = arrears
        self._shown = shown
        self._by_event: dict[type[Event], list[Policy]] = {}
        for policy in policies:
            for event_class in policy.listens:
                self._by_event.setdefault(event_class, []).append(policy)

    @property
    def interest(self) -> frozenset[str]:
        """Names of the events that some policy listens to."""
        return frozenset(event_class.event_name for event_class in self._by_event)

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        wishes: dict[object, _Wish] = {}
        for recorded in batch:
            for policy in self._by_event.get(type(recorded.event), ()):
                for ordinal, reaction in enumerate(policy.react(recorded)):
                    if isinstance(reaction, EveryAccount):
                        self._handle(wishes.values())
                        wishes.clear()
                        self._for_every_account(recorded, policy, reaction, connection)
                        continue
                    # A settling command looks at the account as it is: the last one of a batch answers for all.
                    key = (policy.id, reaction) if policy.settles else (policy.id, recorded.event_id, ordinal)
                    wishes.pop(key, None)
                    wishes[key] = _Wish(reaction, policy, recorded, ordinal)
        self._handle(wishes.values())

    def _for_every_account(
        self, recorded: Recorded, policy: Policy, wish: EveryAccount, connection: Connection[Any]
    ) -> None:
        self._shown(recorded.position or 0)  # accounts opened before must be among those that are found
        for chunk in chunks(account_ids(connection, wish.office_id), _CHUNK):
            self._arrears.handle(
                [_Wish(wish.command(account), policy, recorded, account).issued() for account in chunk]
            )

    def _handle(self, wishes: Iterable["_Wish"]) -> None:
        for chunk in chunks(wishes, _CHUNK):
            self._arrears.handle([each.issued() for each in chunk])


class _Wish(NamedTuple):
    """What a policy asks for, and because of which event; `ordinal` tells its wishes for one event apart."""

    command: Command
    policy: Policy
    cause: Recorded
    ordinal: object

    def issued(self) -> Issued:
        return Issued(
            command=self.command,
            command_id=self.policy.command_id(self.cause.event_id, self.ordinal),
            actor=self.policy.actor,
            causation_id=self.cause.event_id,
            correlation_id=self.cause.meta.correlation_id,
            traceparent=self.cause.meta.traceparent,
        )


def account_ids(connection: Connection[Any], office_id: UUID) -> Iterator[UUID]:
    """Every account of an office, page by page."""
    last = UUID(int=0)
    while True:
        rows = connection.execute(
            """
            SELECT account_id FROM read_model.collections_report
            WHERE office_id = %s AND account_id > %s ORDER BY account_id LIMIT %s
            """,
            [office_id, last, _CHUNK],
        ).fetchall()
        if not rows:
            return
        for (last,) in rows:
            yield last


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
