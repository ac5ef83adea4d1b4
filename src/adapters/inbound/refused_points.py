"""A number or address that a person recorded as refused: every other account that has it is told, whoever's it is."""

import time
from uuid import UUID

import structlog

from adapters.eventstore.application import Arrears
from adapters.inbound.matching import NotReady, accounts_with, shows_up_to
from adapters.postgres.database import Database
from adapters.readers.poison import OutOfReach
from aggregates.account import Account
from aggregates.account.contact import PointRefused
from aggregates.account.inbound import HeedPoint, Wish
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued, identifier
from aggregates.kernel.event import Recorded
from aggregates.kernel.personal import ERASED
from aggregates.work import WorkBegun

_AT_ONCE = 250
"""Accounts: what a person asks of one of them meanwhile waits for so many."""
_PATIENCE_SECONDS, _LOOK_SECONDS = 2.0, 0.05
"""For tables that are a little behind; where they are further, other work comes first."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RefusedPoints:
    """The only step of the work that a refused number or address begins.

    Where a process dies over it, it is done again: the commands' ids make that harmless. While the read tables cannot
    say who has the number or address, it waits.
    """

    def __init__(self, database: Database, arrears: Arrears) -> None:
        self._database, self._arrears = database, arrears

    def __call__(self, begun: Recorded) -> None:
        """Raises OutOfReach where it cannot be known now who has it."""
        event = begun.event
        assert isinstance(event, WorkBegun)  # noqa: S101
        account_id, version = UUID(event.arguments["account_id"]), int(event.arguments["version"])
        recorded, *_ = self._arrears.history(Account, account_id, after=version - 1)
        refused = recorded.event
        if not isinstance(refused, PointRefused) or refused.point == ERASED:  # an erased person's number is not known
            return
        told = [
            _issued(recorded, refused, each, begun)
            for each in self._others_with(refused, account_id, event.cause_position)
        ]
        for start in range(0, len(told), _AT_ONCE):
            self._arrears.handle(told[start : start + _AT_ONCE])

    def fail(self, begun: Recorded, detail: str) -> None:
        """The account that it was recorded on heeds it all the same."""
        _log.error("others were not told of a refused number or address", work=str(begun.aggregate_id), reason=detail)

    # --- inside ---

    def _others_with(self, refused: PointRefused, account_id: UUID, position: int) -> list[UUID]:
        """All but the account and the others of its customer, which heeded it in the same decision."""
        with self._database.connect("arrears_app", autocommit=True) as connection:
            until = time.monotonic() + _PATIENCE_SECONDS
            while not shows_up_to(connection, position):
                if time.monotonic() >= until:
                    raise OutOfReach("names and numbers are not shown as they were when it was recorded")
                time.sleep(_LOOK_SECONDS)
            try:
                having = accounts_with(connection, self._arrears, refused.channel, refused.point)
            except NotReady as problem:
                raise OutOfReach(str(problem)) from problem
        account = self._arrears.load(Account, account_id)
        return [each for each in having if each not in account.customer.known_accounts]


def _issued(recorded: Recorded, refused: PointRefused, account_id: UUID, begun: Recorded) -> Issued:
    return Issued(
        command=HeedPoint(
            account_id=account_id,
            fact_id=recorded.event_id,
            channel=refused.channel,
            point=refused.point,
            wish=Wish.REFUSED,
            at=recorded.recorded_at,
        ),
        command_id=identifier("refused-point", recorded.event_id, account_id),
        actor=Actor.parse(begun.meta.actor),
        causation_id=recorded.event_id,
        correlation_id=begun.meta.correlation_id,
        traceparent=begun.meta.traceparent,
    )
