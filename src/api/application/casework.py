"""What people said and did about an account, in force or over, from its events: flags, holds."""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from pydantic import BaseModel

from aggregates.account import Account
from aggregates.account.customer import AccountOpened
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.kernel.event import Recorded
from aggregates.office import Office
from api.processes.service import Service
from projections.opening import without_nul
from projections.questions import UnknownAccount

# --- shapes ------------------------------------------------------------------------------------------


class FlagRow(BaseModel):
    """A flag that the account carries, or carried from one day to another."""

    flag: str
    title: str
    """As the office calls it now; its code where the office has it no more."""
    since: date
    until: date | None
    """The day on which it was taken off; null while it is carried."""
    set_by: str
    reason: str | None
    """Why it was set."""


class HoldRow(BaseModel):
    """A hold in force, or over."""

    id: UUID
    code: str
    since: date
    until: date | None
    """Its last day, where one was said."""
    ended_on: date | None
    """The day on which the chase went on; null while it rests."""
    placed_by: str
    reason: str | None


# --- reading -----------------------------------------------------------------------------------------


def flags_of(service: Service, account_id: UUID) -> list[FlagRow]:
    """Every flag that the account carries or carried, the latest first. Raises UnknownAccount."""
    office, history = _read(service, account_id)
    rows: list[FlagRow] = []
    carried: dict[str, FlagRow] = {}
    for recorded in history:
        match recorded.event:
            case FlagSet(flag=flag):
                defined = office.flags.get(flag)
                row = FlagRow(
                    flag=flag,
                    title=defined.title if defined is not None else flag,
                    since=recorded.effective_on,
                    until=None,
                    set_by=_who(recorded),
                    reason=_reason(recorded),
                )
                rows.append(row)
                carried[flag] = row
            case FlagCleared(flag=flag) if flag in carried:
                carried.pop(flag).until = recorded.effective_on
    return rows[::-1]


def holds_of(service: Service, account_id: UUID) -> list[HoldRow]:
    """Every hold, the latest first. Raises UnknownAccount."""
    _, history = _read(service, account_id)
    rows: dict[UUID, HoldRow] = {}
    for recorded in history:
        match recorded.event:
            case HoldPlaced() as placed:
                rows[placed.hold_id] = HoldRow(
                    id=placed.hold_id,
                    code=placed.code,
                    since=recorded.effective_on,
                    until=placed.until,
                    ended_on=None,
                    placed_by=_who(recorded),
                    reason=_reason(recorded),
                )
            case HoldReleased(hold_id=hold_id) if hold_id in rows:
                rows[hold_id].ended_on = recorded.effective_on
    return [*rows.values()][::-1]


def _read(service: Service, account_id: UUID) -> tuple[Office, list[Recorded]]:
    history = service.arrears.history(Account, account_id)
    return service.arrears.load(Office, _opened(history).office_id), history


def _opened(history: Iterable[Recorded]) -> AccountOpened:
    for recorded in history:
        if isinstance(recorded.event, AccountOpened):
            return recorded.event
    raise UnknownAccount("there is no such account")


def _who(recorded: Recorded) -> str:
    return recorded.meta.actor


def _reason(recorded: Recorded) -> str | None:
    return without_nul(recorded.meta.reason)
