"""From customers' events to who they are."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.contact import ContactDetailsChanged
from aggregates.account.customer import AccountOpened, CustomerRenamed
from aggregates.kernel.event import Recorded
from aggregates.kernel.personal import ERASED
from aggregates.values.normal_form import IDNA, email_spellings
from projections.batch import as_json
from projections.people.terms import compared, digits_of, terms_of
from projections.personal import PersonalProjection
from projections.upsert import upsert

_PUT = upsert(
    "people", "account_id",
    "account_id uuid", "number text", "customer_name text", "emails text[]", "phones text[]", "searched text",
    "terms integer[]", "last_position bigint",
)  # fmt: skip
_GET = """
    SELECT account_id, number, customer_name, emails, phones, last_position FROM people WHERE account_id = ANY (%s)
"""

# An erasure takes it alone. Whoever writes names holds it too, so that no name is written behind an erasure.
_KEEP_ERASURES_OUT = "SELECT pg_advisory_xact_lock_shared(hashtextextended('arrears.erasure', 0))"
_ERASE = """
    UPDATE people
    SET number = %s, customer_name = %s, emails = %s::text[], phones = %s::text[], searched = %s, terms = %s::integer[]
    WHERE account_id = %s
"""
_ERASED_AMONG = """
    SELECT account_id FROM arrears.account_keys WHERE account_id = ANY (%s) AND destroyed_at IS NOT NULL
"""


class UnknownCustomer(LookupError):
    """An event about an account whose opening this projection has not seen."""


@dataclass(slots=True)
class Person:
    """A row while a batch is worked on."""

    account_id: UUID
    number: str
    customer_name: str
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    last_position: int = 0

    def erase(self) -> None:
        self.customer_name, self.emails, self.phones = ERASED, [], []

    def row(self) -> tuple[object, ...]:
        lines = [compared(self.number)]
        if self.customer_name != ERASED:
            lines += [compared(self.customer_name), *_found_by(self.emails), *map(digits_of, self.phones)]
        return (
            self.account_id, self.number, self.customer_name, _array(self.emails), _array(self.phones),
            "\n".join(lines), _array(terms_of(lines)), self.last_position,
        )  # fmt: skip


class PeopleProjection(PersonalProjection):
    """One row per account. Of a person who was erased it has the account's number alone."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "people"
    version: ClassVar[int] = 4
    public: ClassVar[tuple[str, ...]] = ("people", "filling")

    @property
    def interest(self) -> frozenset[str]:
        return frozenset(each.event_name for each in (AccountOpened, CustomerRenamed, ContactDetailsChanged))

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        mine = [recorded for recorded in batch if recorded.name in self.interest]
        if not mine:
            return
        account_ids = {recorded.aggregate_id for recorded in mine}
        people = _people(account_ids, connection)
        touched: dict[UUID, Person] = {}
        for recorded in mine:
            person = _told(people, recorded)
            if person is not None:
                touched[person.account_id] = person
        for account_id in _erased_among(touched, connection):
            touched[account_id].erase()
        if touched:
            _put(touched.values(), connection)

    def erase(self, account_id: UUID, connection: Connection[Any]) -> None:
        person = _people([account_id], connection).get(account_id)
        if person is not None:
            person.erase()
            _, *values, _ = person.row()
            connection.execute(_ERASE, [*values, account_id])


def _people(account_ids: Collection[UUID], connection: Connection[Any]) -> dict[UUID, Person]:
    found = connection.execute(_GET, [list(account_ids)], prepare=True)
    return {account_id: Person(account_id, *rest) for account_id, *rest in found}


def _told(people: dict[UUID, Person], recorded: Recorded) -> Person | None:
    """The person as an event says; None where it was seen before. Raises UnknownCustomer."""
    account_id, position, event = recorded.aggregate_id, recorded.position or 0, recorded.event
    person = people.get(account_id)
    if person is None:
        if not isinstance(event, AccountOpened):
            raise UnknownCustomer(f"{recorded.name} at position {position}: its account was not opened before")
        person = people[account_id] = Person(account_id, event.account_name, event.customer_name)
    elif position <= person.last_position:
        return None
    person.last_position = position
    match event:
        case AccountOpened() | CustomerRenamed():
            person.customer_name = event.customer_name
        case ContactDetailsChanged():
            person.emails = [each.address for each in event.contact.emails]
            person.phones = [each.number for each in event.contact.phones]
    return person


def _erased_among(account_ids: Collection[UUID], connection: Connection[Any]) -> list[UUID]:
    """Whose key is destroyed. Events that were decoded before may still name them, and nobody is erased from now on
    until the transaction ends."""
    connection.execute(_KEEP_ERASURES_OUT, prepare=True)
    return [row[0] for row in connection.execute(_ERASED_AMONG, [list(account_ids)], prepare=True)]


def _put(people: Iterable[Person], connection: Connection[Any]) -> None:
    connection.execute(_PUT, [as_json([person.row() for person in people])], prepare=True)


def _found_by(emails: Iterable[str]) -> Iterator[str]:
    """Addresses as search compares them, with their domains both in their own script and as IDNA."""
    for email in emails:
        has_one_spelling = email.isascii() and IDNA not in email.lower()
        yield from dict.fromkeys(map(compared, [email] if has_one_spelling else email_spellings(email)))


def _array(values: Iterable[str | int]) -> str:
    """As PostgreSQL writes an array."""
    return "{" + ",".join(str(each) if isinstance(each, int) else _quoted(each) for each in values) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
