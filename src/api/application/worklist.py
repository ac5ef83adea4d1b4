"""Closing an agent's day, and which account of the worklist comes next."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from adapters.postgres.database import Connection
from aggregates.kernel.command import Rejected
from aggregates.workday import CloseWorkday
from api.application.bulk import office_of
from api.application.issuing import Caller, Done, Issuing, Refused, for_the_system
from api.application.offices import today_in
from api.processes.service import Service
from projections.questions.scope import BadQuestion
from projections.questions.worklist import (
    UndocumentedContact,
    WorklistItem,
    count_of_agent,
    done_by,
    undocumented,
    worklist,
)
from projections.worklist.kinds import agent_of

MOST_NAMED = 100
"""Contacts that are named where a day cannot be closed."""
_MOST_LOOKED_AT = 1_000
_CONTACTS = ("call", "call-started", "sms", "email", "letter", "message-written")
_SECONDS = 10.0
"""For contacts of this very moment to be shown."""


class ContactsUndocumented(Refused):
    """The day stays open: of these contacts of the agent nobody said how they ended."""

    def __init__(self, agent: str, contacts: Sequence[UndocumentedContact]) -> None:
        how_many = "1 contact is" if len(contacts) == 1 else f"{len(contacts)} contacts are"
        named = ", ".join(f"{each.kind} with {each.number or each.account_id}" for each in contacts[:5])
        more = ", …" if len(contacts) > 5 else ""
        super().__init__(
            Rejected(
                "contacts-undocumented",
                f"the day of {agent} stays open: {how_many} not documented ({named}{more})",
            )
        )
        self.contacts = tuple(contacts)
        """The oldest first, at most `MOST_NAMED`."""


def close_day(
    service: Service, issuing: Issuing, caller: Caller, *, agent: str, office: str | None, reason: str | None = None
) -> Done:
    """Closes an agent's local day of today in an office, which may be left out where there is only one.

    Raises ContactsUndocumented, NotIssued, and NotReached where read tables do not show in time what was recorded.
    """
    of = office_of(service, office)
    service.wait_until_shown(_SECONDS)
    now = service.clock.now()
    day = today_in([of], now)
    with service.database.snapshot("arrears_app") as connection:
        try:
            left_open = undocumented(connection, office=of.code, agent=agent, limit=MOST_NAMED)
        except BadQuestion as error:
            raise Refused(Rejected("unknown-agent", f"nobody who did anything is called so; {error}")) from None
        if left_open:
            raise ContactsUndocumented(agent_of(agent), left_open)
        contacts, follow_ups = done_by(connection, agent=agent, office=of.code, day=day, contacts=_CONTACTS)
        left = count_of_agent(connection, now=now, agent=agent, office=of.code)
    command = CloseWorkday(
        office_id=of.id, agent=agent_of(agent), day=day, contacts=contacts, follow_ups=follow_ups, left=left
    )
    return issuing.issue(command, for_the_system(caller), command_id=caller.new_id("workday-closed"), reason=reason)


def next_account(
    connection: Connection, service: Service, *, agent: str | None, office: str | None = None, after: UUID | None = None
) -> UUID | None:
    """The account with the highest score for an agent; behind an account that is on the list the one that follows it.
    None: nothing is to be done."""
    page = worklist(connection, now=service.clock.now(), agent=agent, office=office, limit=_MOST_LOOKED_AT)
    return following(page.rows, after)


def following(items: Iterable[WorklistItem], after: UUID | None) -> UUID | None:
    """Which account of a list comes after one of it; the first one where it is not there, or the last."""
    accounts = [*dict.fromkeys(item.account_id for item in items)]
    if after in accounts[:-1]:
        return accounts[accounts.index(after) + 1]
    return next((each for each in accounts if each != after), None)
