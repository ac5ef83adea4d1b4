"""Contact rules: one verdict over a long history, on a written-down case and on an account; what keeping it costs."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.eventstore.personal_text import decrypt, encrypt
from aggregates.account import Account, messages
from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction
from aggregates.account.contact import ContactDetailsChanged
from aggregates.account.contact_history import ContactHistory
from aggregates.account.customer import AccountOpened, CustomerKind
from aggregates.account.messages import MessageDispatched, MessageQueued, MessageSent
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Event, Meta
from aggregates.kernel.personal import personal_paths
from aggregates.office import Office, OfficeOpened
from aggregates.values.contact import Channel, ContactAttempt
from aggregates.values.money import Money
from policies.contact.case import Asked, Debtor, Entry, Medium, Role
from policies.contact.table import judge
from policies.contact_rules import verdict
from tests.benchmarks.harness import Row, benchmark
from tests.builders import ACCOUNT, CAMPAIGN, OFFICE, contact

_NOW = datetime(2026, 3, 10, 18, tzinfo=UTC)
_CONTACTS = 1_000
_VERDICTS = 2_000
_FOLDS = 200
_MEDIA = (Medium.CALL, Medium.SMS, Medium.CALL, Medium.EMAIL)


@benchmark("contact-verdict")
def contact_verdict() -> list[Row]:
    """One contact judged by every rule, after 1,000 others in 50 days: processor time; the zone is known or not."""
    history = long_history()
    rows = []
    for where, debtor in (("in Hawaii", Debtor(state="HI")), ("anywhere in the country", Debtor())):
        percent = quantiles((_seconds(debtor, history) for _ in range(_VERDICTS)), n=100)
        name = f"a contact judged over 1,000 before it, {where}"
        rows += [
            Row(f"{name}, {which}", 1_000 * percent[nth], "ms", "limit", 1.0, goal, True, True)
            for which, nth, goal in (("p50", 49, 1.0), ("p99", 98, None))
        ]
    return [*rows, *_of_an_account()]


def _of_an_account() -> list[Row]:
    """A call judged by an account that keeps as many; and how much longer an account of 100 messages takes to read and
    fold because contacts are kept. The other time is of the same account whose history does not listen."""
    office, account = _office(), _account(_CONTACTS)
    attempt = ContactAttempt(Channel.VOICE, "phone-1", _NOW, is_by_hand=True)
    percent = quantiles((_time_of(lambda: verdict(account, attempt, office)) for _ in range(_VERDICTS)), n=100)
    name = "a call judged by an account that keeps 1,000 contacts"
    rows = [
        Row(f"{name}, {which}", 1_000 * percent[nth], "ms", "limit", 1.0, goal, True, True)
        for which, nth, goal in (("p50", 49, 1.0), ("p99", 98, None))
    ]
    log = list(_stored(_messages(100)))
    both: tuple[list[float], list[float]] = ([], [])
    for _ in range(_FOLDS):  # in turns: a machine's speed changes
        both[0].append(_time_of(lambda: _folded(_read(log))))
        with _deaf_history():
            both[1].append(_time_of(lambda: _folded(_read(log))))
    with_history, without = map(median, both)
    more = 100 * (with_history / without - 1)
    name = "reading an account of 100 messages, more because contacts are kept"
    return [*rows, Row(name, more, "%", "limit", 20.0, 20.0, True, True)]


def _office() -> Office:
    office = Office.blank(OFFICE)
    office.apply(OfficeOpened(code="main", title="Main", currency="USD", time_zone="America/New_York"))
    return office


def _account(contacts: int) -> Account:
    account = _folded(())
    kinds = (ActivityKind.CALL, ActivityKind.SMS, ActivityKind.EMAIL, ActivityKind.LETTER)
    for nth in range(contacts, 0, -1):
        at = _NOW - timedelta(minutes=72 * nth + 1)
        account.apply(
            ActivityRecorded(
                activity_id=identifier("contact", nth),
                kind=kinds[nth % 4],
                direction=Direction.OUTBOUND,
                at=at,
                number="+12125550100",
            )
        )
    return account


def _folded(log: Iterable[Event]) -> Account:
    account = Account.blank(ACCOUNT)
    account.apply(
        AccountOpened(
            office_id=OFFICE, number="A-1", customer_name="Ada", currency="USD", customer_kind=CustomerKind.CONSUMER
        )
    )
    account.apply(ContactDetailsChanged(contact=contact()))
    for event in log:
        account.apply(event)
    return account


_KEY, _CONTEXT = AESGCM(bytes(32)), bytes(16)


def _stored(events: Iterable[Event]) -> Iterator[tuple[type[Event], bytes, bytes]]:
    """As rows have them: what is personal is encrypted, and each has who did it and why."""
    meta = Meta(actor="service:delivery", command_id=identifier("command"), correlation_id=identifier("command"))
    for event in events:
        data = encrypt(orjson.loads(event.model_dump_json()), personal_paths(type(event)), _KEY, _CONTEXT)
        yield type(event), orjson.dumps(data), meta.model_dump_json().encode()


def _read(log: Iterable[tuple[type[Event], bytes, bytes]]) -> Iterator[Event]:
    """As the store reads its rows, but for the database, which takes longer than that."""
    for kind, state, meta in log:
        Meta.model_validate_json(meta)
        yield kind.model_validate_json(orjson.dumps(decrypt(orjson.loads(state), _KEY, _CONTEXT)))


def _messages(count: int) -> Iterator[Event]:
    """Each queued, claimed and sent: what most of an account's events are."""
    for nth in range(count):
        message_id, at = identifier("message", nth), _NOW - timedelta(hours=10 * (count - nth))
        yield MessageQueued(
            message_id=message_id, campaign_id=CAMPAIGN, plan_version=1, step_id="a", step_title="A",
            channel=Channel.SMS, point_id="phone-1", language="en", items=(), amount=Money(100, "USD"), queued_at=at,
            queued_on=at.date(),
        )  # fmt: skip
        yield MessageDispatched(message_id=message_id)
        yield MessageSent(
            message_id=message_id, step_id="a", step_title="A", channel=Channel.SMS, subject=None, body="text",
            body_sha256="0" * 64, carrier_reference=None, sent_at=at, sent_on=at.date(),
        )  # fmt: skip


@contextmanager
def _deaf_history() -> Iterator[None]:
    """Contacts are not kept."""
    keep, entry = ContactHistory.keep, messages._entry
    ContactHistory.keep = lambda *_: None  # type: ignore[method-assign]
    setattr(messages, "_entry", lambda *_: None)  # noqa: B010
    try:
        yield
    finally:
        ContactHistory.keep = keep  # type: ignore[method-assign]
        setattr(messages, "_entry", entry)  # noqa: B010


def long_history() -> list[Entry]:
    """A contact every 72 minutes, about three debts, the newest first."""
    return [
        Entry(_NOW - timedelta(minutes=72 * nth + 1), channel=_MEDIA[nth % 4], debts=(f"D{nth % 3}",))
        for nth in range(_CONTACTS)
    ]


def _seconds(debtor: Debtor, history: list[Entry]) -> float:
    return _time_of(lambda: judge(debtor, Role.THIRD_PARTY, history, Asked(_NOW, Medium.CALL, ("D1",))))


def _time_of(what: Callable[[], object]) -> float:
    """Seconds of processor time: nothing is waited for."""
    started = time.thread_time()
    what()
    return time.thread_time() - started
