"""The reader that applies policies: events in, commands out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar, NamedTuple

from psycopg import Connection

from adapters.eventstore.application import Arrears
from adapters.postgres.lease import going_on
from adapters.work import rows
from aggregates.bulk.action import bulk_work_id
from aggregates.kernel.command import Accepted, Command, Issued
from aggregates.kernel.event import Event, Recorded
from aggregates.work import BeginWork, work_id
from policies.policy import EveryRow, Later, Policy

_CHUNK = 1_000


class Reactor:
    """Runs the table of policies over batches of events.

    Its commands are stored in transactions of their own, before the checkpoint is: after a crash some events are
    met again, and the commands' ids make the repeat harmless. What is asked of every account is only begun here.
    """

    name: ClassVar[str] = "policies"

    def __init__(self, arrears: Arrears, policies: Sequence[Policy]) -> None:
        self._arrears = arrears
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
        command: Command
        key: object
        for recorded in batch:
            for policy in self._by_event.get(type(recorded.event), ()):
                for ordinal, reaction in enumerate(policy.reactions(recorded)):
                    if isinstance(reaction, Later):
                        begin = _begin(reaction, policy, recorded, ordinal)
                        command, key = begin, begin.work_id
                    else:
                        command = reaction
                        # A coalescing policy looks at the account as it is: the last one of a batch answers for all.
                        key = (policy.id, reaction) if policy.coalesces else (policy.id, recorded.event_id, ordinal)
                    wishes.pop(key, None)
                    wishes[key] = _Wish(command, policy, recorded, ordinal)
        self._handle(wishes.values(), connection)

    def forget(self) -> None:
        """There is nothing that it remembers."""

    def _handle(self, wishes: Iterable["_Wish"], connection: Connection[Any]) -> None:
        """The rows of begun work are stored with the checkpoint: whoever moves that has made them, once."""
        for chunk in chunks(wishes, _CHUNK):
            going_on()
            outcomes = self._arrears.handle([each.issued() for each in chunk])
            for wish, outcome in zip(chunk, outcomes, strict=True):
                if isinstance(wish.command, BeginWork) and isinstance(outcome, Accepted):
                    rows.add(connection, wish.command)


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


def _begin(wish: Later, policy: Policy, cause: Recorded, ordinal: int) -> BeginWork:
    bulk_id = wish.bulk_id if isinstance(wish, EveryRow) else None
    return BeginWork(
        work_id=bulk_work_id(wish.bulk_id, wish.asks.command_name, attempt=wish.attempt)
        if isinstance(wish, EveryRow)
        else work_id(cause.event_id, policy.id, ordinal),
        office_id=wish.office_id,
        command=wish.asks.command_name,
        arguments=dict(wish.arguments),
        policy=policy.id,
        cause_event_id=cause.event_id,
        cause_position=cause.position or 0,
        bulk_id=bulk_id,
    )


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
