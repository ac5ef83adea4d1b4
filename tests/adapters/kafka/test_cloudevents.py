"""The wire format: what is in it, what is not, and the way back."""

from datetime import UTC, date, datetime
from uuid import UUID

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from jsonschema_rs import Draft202012Validator

from adapters.eventstore.closed import StillClosed
from adapters.kafka.cloudevents import WITHHELD, NotOurs, from_message, public_body, to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.postgres.database import Database
from aggregates.account.customer import AccountOpened
from aggregates.account.messages import MessageSent
from aggregates.kernel.command import identifier
from aggregates.kernel.event import REGISTRY
from aggregates.kernel.personal import personal_paths
from aggregates.values.contact import ContactDetails, EmailAddress, PhoneNumber, PostalAddress
from api.contract.events import load_every_event, public_data, schema_of
from tests.adapters.kafka.wire import completed
from tests.adapters.readers.builders import a_campaign, an_item, an_office, billed, opened, promised, queued
from tests.adapters.readers.log import Log

ACCOUNT = identifier("account", 1)
SECRETS = ("Ada Lovelace", "12 Analytical Row", "+12125550100", "ada@example.org", "a note")


def ada() -> AccountOpened:
    return opened(
        name=SECRETS[0],
        information={"note": SECRETS[4]},
    )


@pytest.fixture
def stored(log: Log, database: Database):
    """Stores an event and reads its row, still closed."""
    rows = SealedRows(database)

    def store(event, aggregate_id: UUID = ACCOUNT) -> SealedRow:
        position = log.append(aggregate_id, event)
        (row,) = rows.read(position - 1, 1)
        assert isinstance(row, SealedRow)
        return row

    yield store
    rows.close()


def test_a_message_says_in_headers_what_surrounds_the_event(stored):
    row = stored(billed(an_item("I-1")))
    message = to_message(row)
    headers = {name: value.decode() for name, value in message.headers}
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": str(row.event_id),
        "ce_source": "/arrears",
        "ce_type": "collections.account.invoice-billed.v1",
        "ce_subject": str(ACCOUNT),
        "ce_time": "2026-03-02T09:00:01Z",
        "ce_dataschema": "urn:arrears:event:account.invoice-billed:v1",
        "ce_partitionkey": str(ACCOUNT),
        "ce_sequence": "1",
        "ce_position": "1",
        "ce_accountid": str(ACCOUNT),
        "ce_effectiveon": "2026-03-02",
        "ce_actor": "person:ann",
        "ce_commandid": str(identifier(1)),
        "ce_correlationid": str(identifier(1)),
        "ce_leafhash": row.leaf.hex(),
        "content-type": "application/json",
    }
    assert message.key == str(ACCOUNT).encode()


def test_what_is_about_no_account_has_its_aggregate_as_key(stored):
    office = identifier("office", "x")
    message = to_message(stored(an_office(), office))
    assert message.key == str(office).encode()
    assert "ce_accountid" not in dict(message.headers)


def test_an_extension_name_is_one_that_cloudevents_allows(stored):
    row = stored(ada())
    for name, _ in to_message(row, late=True).headers:
        plain = name.removeprefix("ce_")
        assert name == "content-type" or (plain.isalnum() and plain.islower() and len(plain) <= 20)


def test_personal_text_is_neither_in_the_body_nor_in_a_header_not_even_encrypted(stored):
    message = to_message(stored(ada()))
    wire = message.value + b"".join(name.encode() + value for name, value in message.headers)
    assert b"enc:" not in wire
    assert not any(secret.encode() in wire for secret in SECRETS)
    assert dict(message.headers)["ce_withheld"] == b"true"


def test_nested_personal_text_is_taken_out_and_the_rest_stays():
    contact = ContactDetails(
        emails=(EmailAddress(id="email-1", address=SECRETS[3]),),
        phones=(PhoneNumber(id="phone-1", number=SECRETS[2]),),
        addresses=(PostalAddress(id="address-1", lines=(SECRETS[1],), city="London"),),
    )
    event = next(e for e in load_every_event() if "contact" in e.model_fields)
    state = orjson.dumps({"contact": contact.model_dump(mode="json")})
    body, withheld = public_body(event.event_name, event.event_version, state)
    assert withheld
    left = orjson.loads(body)["contact"]
    assert left["emails"][0]["id"] == "email-1"
    assert "address" not in left["emails"][0]
    assert "number" not in left["phones"][0]
    assert left["addresses"][0].keys().isdisjoint({"lines", "city"})


@pytest.mark.parametrize(
    "event", [ada(), billed(an_item()), queued(), an_office(), a_campaign(), promised(ACCOUNT, (3, 100))]
)
def test_the_body_is_what_the_contract_says(stored, event):
    row = stored(event)
    body = orjson.loads(to_message(row).value)
    assert body == public_data(event)
    Draft202012Validator(schema_of(type(event))).validate(body)


def test_a_closed_event_is_not_opened_by_accident(stored):
    with pytest.raises(StillClosed):
        _ = stored(ada()).event


# --- and back ------------------------------------------------------------------------------------------


def test_an_envelope_has_what_the_log_has(stored, log: Log):
    message = to_message(stored(billed(an_item("I-7"))))
    envelope = from_message(message.headers, message.value, partition=3, offset=9)
    assert envelope.recorded() == log.read_all()[-1]
    assert (envelope.partition, envelope.offset, envelope.withheld) == (3, 9, False)


def test_a_typed_event_says_withheld_where_personal_text_was(stored):
    message = to_message(stored(ada()))
    event = from_message(message.headers, message.value).event
    assert isinstance(event, AccountOpened)
    assert event.customer_name == WITHHELD
    assert event.number == "A-1"


def test_our_own_consumers_get_what_was_withheld_from_the_store(stored, log: Log, database: Database):
    messages = [to_message(stored(event)) for event in (ada(), billed(an_item()), queued())]
    with database.connect("arrears_app") as connection:
        connection.execute("SET timezone TO 'UTC'")
        assert completed(messages, connection, log._mapper) == log.read_all()


def test_every_event_can_be_typed_from_what_is_left_of_it():
    """A field that is required and personal is filled in; anything else that is personal has a default."""
    for event_class in load_every_event():
        required = {name for name, field in event_class.model_fields.items() if field.is_required()}
        for path in personal_paths(event_class):
            assert not (path[1:] == ("*",) and path[0] in required), f"{event_class.event_name}: {path}"


def test_what_is_no_event_of_the_log_is_said_to_be_none():
    with pytest.raises(NotOurs):
        from_message([("ce_type", b"somebody.else"), ("ce_specversion", b"1.0")], b"{}")
    with pytest.raises(NotOurs):
        from_message([], b"")


# --- old versions --------------------------------------------------------------------------------------


def test_an_old_version_is_published_as_the_current_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(MessageSent, "event_version", 2)
    lifted = {}

    def lift(data):
        lifted.update(data)
        return {**data, "added": True}

    monkeypatch.setitem(REGISTRY._upcasters, (MessageSent.event_name, 1), lift)
    state = orjson.dumps({"kept": 1, "body": "enc:1:xyz", "once_personal": "enc:1:abc", "lines": ["enc:1:d", "open"]})
    body, withheld = public_body(MessageSent.event_name, 1, state)
    assert orjson.loads(body) == {"kept": 1, "added": True, "lines": ["open"]}
    assert withheld
    assert lifted["kept"] == 1


# --- the cloudevents SDK -------------------------------------------------------------------------------


def test_the_cloudevents_sdk_reads_a_message(stored):
    row = stored(billed(an_item("I-1")))
    message = to_message(row)
    read = from_binary_event(
        KafkaMessage(headers=dict(message.headers), key=message.key, value=message.value), JSONFormat()
    )
    assert read.get_type() == "collections.account.invoice-billed.v1"
    assert read.get_id() == str(row.event_id)
    assert read.get_source() == "/arrears"
    assert read.get_subject() == str(ACCOUNT)
    assert read.get_time() == datetime(2026, 3, 2, 9, 0, 1, tzinfo=UTC)
    assert read.get_dataschema() == "urn:arrears:event:account.invoice-billed:v1"
    assert read.get_datacontenttype() == "application/json"
    assert (read.get_extension("position"), read.get_extension("sequence")) == ("1", "1")
    assert read.get_extension("partitionkey") == str(ACCOUNT)
    assert date.fromisoformat(read.get_extension("effectiveon")) == date(2026, 3, 2)
    assert read.get_data() == orjson.loads(message.value)


@pytest.mark.parametrize("answered", [None, "auto-collection"])
def test_who_reads_the_topic_knows_which_policy_was_answered(stored, answered: str | None):
    row = stored(ada())
    if answered is not None:
        row.meta_json = orjson.dumps({**orjson.loads(row.meta_json), "answered": answered})
    message = to_message(row)
    assert from_message(message.headers, message.value).recorded().meta.answered == answered
