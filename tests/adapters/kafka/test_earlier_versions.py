"""An event that got new versions: message-failed, whose carrier's words are personal since version 2 (ADR 0016), and
which may be of no step since version 3 (ADR 0050)."""

from uuid import UUID

import orjson
import pytest
from kafka import KafkaProducer

from adapters.eventstore.holders import write_anew
from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper, UnreadableEvent
from adapters.eventstore.recorder import app_connections
from adapters.eventstore.verify import verify
from adapters.kafka.cloudevents import WITHHELD, Message, from_message, to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.kafka.subscriber import Subscriber
from adapters.postgres.database import Database
from aggregates.account import Account
from aggregates.account.messages import MessageFailed
from aggregates.kernel.command import identifier
from aggregates.kernel.personal import ERASED
from aggregates.values.contact import Channel
from api.contract.events import load_every_event
from api.processes.publishing import publishing
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import completed
from tests.adapters.readers.builders import opened, queued
from tests.adapters.readers.log import MASTER_KEY, Log, rows
from tests.waiting import HANG

load_every_event()

ACCOUNT = identifier("account", 1)
WORDS = "550 5.1.1 <ada@example.org>: no such user here"
QUEUED = queued()
ABOUT = {"message_id": str(QUEUED.message_id), "step_id": QUEUED.step_id, "channel": "email"}
VERSION_1 = {**ABOUT, "why": {"code": "bounced", "detail": WORDS}}
CURRENT = MessageFailed(
    message_id=QUEUED.message_id, step_id=QUEUED.step_id, channel=Channel.EMAIL, code="bounced", detail=WORDS
)


@pytest.fixture
def failed_long_ago(log: Log) -> int:
    """An account whose message failed when version 1 was current; the position."""
    log.append(ACCOUNT, opened(), QUEUED)
    return log.append_earlier(ACCOUNT, "account.message-failed", 1, VERSION_1)


def sealed_row(database: Database, position: int) -> SealedRow:
    source = SealedRows(database)
    try:
        (row,) = source.read(position - 1, 1)
    finally:
        source.close()
    assert isinstance(row, SealedRow)
    return row


def sent_long_ago(now: Message) -> Message:
    """The same event as it was published when version 1 was current: words in the body, and nothing withheld."""
    headers = {
        name: value.replace(b"v3", b"v1") if name in {"ce_type", "ce_dataschema"} else value
        for name, value in now.headers
    }
    headers.pop("ce_withheld")
    return Message(now.position, now.key, list(headers.items()), orjson.dumps(VERSION_1), now.timestamp_ms, now.size)


# --- the log ---


def test_what_was_stored_as_version_1_reads_as_the_current_version(log: Log, failed_long_ago: int):
    assert log.read_all()[-1].event == CURRENT


def test_nothing_of_it_is_rewritten_and_the_log_still_proves_whole(log: Log, database: Database, failed_long_ago: int):
    log.read_all()
    ((version, state),) = rows(database, "SELECT event_version, state FROM arrears.events WHERE position = 3")
    assert (version, orjson.loads(state)) == (1, VERSION_1)
    with database.connect() as connection:
        write_anew(connection)
        assert list(verify(connection)) == []


def test_an_account_s_state_is_the_same_from_either_version(log: Log, failed_long_ago: int):
    lifted, now = Account(id=ACCOUNT), Account(id=ACCOUNT)
    lifted.fold(log.read_all())
    for event in (opened(), QUEUED, CURRENT):
        now.apply(event)
    assert lifted == now
    assert lifted.messages.under_way == {}


def test_what_is_stored_now_is_version_3_with_the_words_encrypted(log: Log, database: Database):
    log.append(ACCOUNT, opened(), QUEUED, CURRENT)
    ((version, state),) = rows(database, "SELECT event_version, state FROM arrears.events WHERE position = 3")
    assert version == 3
    assert orjson.loads(state)["code"] == "bounced"
    assert b"ada@example.org" not in state
    assert log.read_all()[-1].event == CURRENT


def test_what_does_not_fit_version_1_is_said_to_be_unreadable(log: Log):
    with pytest.raises(UnreadableEvent, match=r"account\.message-failed version 1"):
        log._mapper.decode_event("account.message-failed", 1, UUID(int=1), ACCOUNT, orjson.dumps(ABOUT))


# --- a person who is erased ---


def test_the_words_of_version_1_read_erased_with_the_person(log: Log, database: Database, failed_long_ago: int):
    log.append(ACCOUNT, CURRENT)
    log._mapper.keys.destroy(ACCOUNT)
    connections = app_connections(database)
    try:
        other_process = EventMapper(KeyRing(connections, MASTER_KEY))
        for mapper in (log._mapper, other_process):
            stored = mapper.decode_event("account.message-failed", 1, UUID(int=1), ACCOUNT, orjson.dumps(VERSION_1))
            assert stored == CURRENT.model_copy(update={"detail": ERASED})
    finally:
        connections.close()
    assert [r.event.detail for r in log.read_all() if isinstance(r.event, MessageFailed)] == [ERASED, ERASED]


def test_an_account_that_never_had_a_key_is_not_taken_for_erased(log: Log):
    stored = log._mapper.decode_event("account.message-failed", 1, UUID(int=1), ACCOUNT, orjson.dumps(VERSION_1))
    assert stored == CURRENT


# --- the topic ---


def test_what_was_stored_as_version_1_is_published_as_version_3_without_the_words(
    database: Database, failed_long_ago: int
):
    row = sealed_row(database, failed_long_ago)
    assert row.event_version == 1
    message = to_message(row)
    headers = dict(message.headers)
    assert headers["ce_type"] == b"collections.account.message-failed.v3"
    assert headers["ce_dataschema"] == b"urn:arrears:event:account.message-failed:v3"
    assert headers["ce_withheld"] == b"true"
    assert orjson.loads(message.value) == {**ABOUT, "code": "bounced"}


def test_a_message_of_version_1_on_the_topic_reads_as_the_current_type(database: Database, failed_long_ago: int):
    then = sent_long_ago(to_message(sealed_row(database, failed_long_ago)))
    envelope = from_message(then.headers, then.value)
    assert (envelope.name, envelope.event_version) == ("account.message-failed", 1)
    assert envelope.event == CURRENT.model_copy(update={"detail": WITHHELD})
    assert envelope.withheld
    assert envelope.data == VERSION_1


@pytest.mark.parametrize("erased", [False, True])
def test_our_own_consumers_have_the_same_of_either_version(
    log: Log, database: Database, failed_long_ago: int, erased: bool
):
    now = to_message(sealed_row(database, failed_long_ago))
    if erased:
        log._mapper.keys.destroy(ACCOUNT)
    expected = CURRENT.model_copy(update={"detail": ERASED}) if erased else CURRENT
    for message in (now, sent_long_ago(now)):
        with database.connect("arrears_app") as connection:
            connection.execute("SET timezone TO 'UTC'")
            found = completed([message], connection, log._mapper)
        assert found == log.read_all()[-1:]
        assert found[0].event == expected


def test_a_message_of_an_event_that_nobody_knows_yet_is_passed_on_as_it_is(database: Database, failed_long_ago: int):
    now = to_message(sealed_row(database, failed_long_ago))
    headers = [
        (n, b"collections.account.sold.v3" if n == "ce_type" else v) for n, v in now.headers if n != "ce_withheld"
    ]
    assert not from_message(headers, now.value).withheld


def test_a_subscriber_reads_a_topic_of_both_versions_as_the_current_type(
    kafka: TestKafka, log: Log, database: Database, failed_long_ago: int
):
    topic = kafka.topic(partitions=1)
    *before, now = (to_message(sealed_row(database, position)) for position in range(1, failed_long_ago + 1))
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for message in (*before, sent_long_ago(now)):
        producer.send(topic, key=message.key, value=message.value, headers=message.headers).get(30)
    producer.close()
    log.append_earlier(ACCOUNT, "account.message-failed", 1, VERSION_1)
    with publishing(database, kafka.env, topic=topic) as runner:
        runner.catch_up(timeout=HANG)
    taken = []
    with Subscriber(f"both-{topic}", types=["account.message-failed"], topic=topic, env=kafka.env) as events:
        for event in events:
            taken.append(event)
            if len(taken) == 2:
                break
    assert [(each.position, each.event_version) for each in taken] == [(3, 1), (4, 3)]
    assert {each.event.model_dump_json() for each in taken} == {
        CURRENT.model_copy(update={"detail": WITHHELD}).model_dump_json()
    }
