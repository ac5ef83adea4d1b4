"""A topic that is not the one that was published to gets the log from its beginning, and nobody takes it for that."""

from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer
from structlog.testing import capture_logs

from adapters.kafka.identity import TopicIdentity, TopicReplaced, TopicUnfit
from adapters.kafka.published import Published, published_topic
from adapters.kafka.publisher import Publisher, reader_name
from adapters.kafka.sealed_rows import SealedRows
from adapters.kafka.topics import Topics
from adapters.postgres.database import Database
from adapters.readers.runner import Runner
from api.processes import publishing as publishing_module
from api.processes.publishing import check_same_log, publishing
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.test_publisher import running
from tests.adapters.kafka.wire import assert_is_the_log, envelopes, some_accounts
from tests.adapters.readers.log import Log, rows
from tests.waiting import HANG, wait_until


@pytest.fixture
def topic(kafka: TestKafka) -> str:
    return kafka.topic(partitions=3)


def publish(database: Database, kafka: TestKafka, topic: str) -> int:
    with publishing(database, kafka.env, topic=topic) as runner:
        return runner.catch_up(timeout=HANG)


def known(database: Database, topic: str) -> Published | None:
    with database.connect("arrears_app") as connection:
        return published_topic(connection, reader_name(topic))


def identity(kafka: TestKafka, topic: str) -> TopicIdentity:
    with Topics(kafka.env) as topics:
        found = topics.identity(topic)
    assert found is not None
    return TopicIdentity(*found)


def assert_has_the_log(kafka: TestKafka, topic: str, log: Log) -> None:
    assert_is_the_log(envelopes(kafka.bootstrap_servers, topic), log.read_all())


def test_the_topics_id_is_kept_with_the_checkpoint(kafka: TestKafka, topic: str, log: Log, database: Database):
    some_accounts(log, 3)
    publish(database, kafka, topic)
    assert known(database, topic) == Published(identity(kafka, topic), (0, 0, 0))


def test_a_topic_that_was_made_anew_gets_the_whole_log(kafka: TestKafka, topic: str, log: Log, database: Database):
    some_accounts(log, 3)
    publish(database, kafka, topic)
    before = identity(kafka, topic)
    kafka.make_anew(topic, partitions=3)
    some_accounts(log, 2, start=3)
    with capture_logs() as said:
        publish(database, kafka, topic)
    assert_has_the_log(kafka, topic, log)
    assert identity(kafka, topic) != before
    assert known(database, topic) == Published(identity(kafka, topic), (0, 0, 0))
    assert [each["published_to"] for each in said if "from the beginning" in each["event"]] == [12]


def test_a_topic_that_was_made_anew_is_noticed_while_nothing_is_published(
    kafka: TestKafka, topic: str, log: Log, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publishing_module, "_LOOK_SECONDS", 0.0)
    head = some_accounts(log, 3)
    with publishing(database, kafka.env, topic=topic) as runner, running(runner):
        wait_until(lambda: position(database, topic) == head, "all is published")
        kafka.make_anew(topic, partitions=3)
        wait_until(lambda: len(envelopes(kafka.bootstrap_servers, topic)) == head, "all is published again")
    assert_has_the_log(kafka, topic, log)


def position(database: Database, topic: str) -> int:
    found = rows(database, "SELECT position FROM read_model.checkpoints WHERE reader = %s", reader_name(topic))
    return int(found[0][0]) if found else 0


def test_a_topic_that_is_replaced_under_a_round_is_not_taken_for_the_old_one(
    kafka: TestKafka, topic: str, log: Log, database: Database
):
    """What was sent lies on the new topic before the log begins there."""
    some_accounts(log, 3)
    publish(database, kafka, topic)
    some_accounts(log, 1, start=3)
    source, publisher = SealedRows(database), Publisher(kafka.env, topic=topic, producer=replacing(kafka, topic))
    runner = Runner(database, source, publisher)
    with pytest.raises(TopicReplaced, match="with 3 partitions"):
        runner.catch_up(timeout=HANG)
    assert position(database, topic) == 12
    runner.release()
    runner.catch_up(timeout=HANG)
    runner.release()
    publisher.close()
    source.close()
    found = known(database, topic)
    assert found is not None
    assert found.topic == identity(kafka, topic)
    assert sum(found.log_begins) == 4
    after = [
        each for each in envelopes(kafka.bootstrap_servers, topic) if each.offset >= found.log_begins[each.partition]
    ]
    assert_is_the_log(after, log.read_all())


def replacing(kafka: TestKafka, topic: str) -> Callable[..., Any]:
    """Makes producers, of which the first has the topic made anew before its first message leaves."""
    left = [topic]

    class Replacing(KafkaProducer):  # type: ignore[misc]
        def send(self, *given: Any, **named: Any) -> Any:
            while left:
                kafka.make_anew(left.pop(), partitions=3)
            return super().send(*given, **named)

    return Replacing


def test_a_topic_that_was_divided_otherwise_gets_the_log_once_more_behind_what_it_has(
    kafka: TestKafka, topic: str, log: Log, database: Database
):
    some_accounts(log, 6)
    publish(database, kafka, topic)
    kafka.divide(topic, partitions=5)
    publish(database, kafka, topic)
    found = known(database, topic)
    assert found is not None
    assert len(found.log_begins) == 5
    assert sum(found.log_begins) == 24
    after = [
        each for each in envelopes(kafka.bootstrap_servers, topic) if each.offset >= found.log_begins[each.partition]
    ]
    assert len(after) == 24
    assert_is_the_log(after, log.read_all())


def test_what_an_earlier_release_published_to_is_gone_on_with(
    kafka: TestKafka, topic: str, log: Log, database: Database
):
    some_accounts(log, 3)
    publish(database, kafka, topic)
    rows(database, "DELETE FROM read_model.published_topics RETURNING reader")
    some_accounts(log, 1, start=3)
    publish(database, kafka, topic)
    assert len(envelopes(kafka.bootstrap_servers, topic)) == 16
    assert known(database, topic) == Published(identity(kafka, topic), (0, 0, 0))


def test_a_topic_that_never_had_anything_is_not_what_an_earlier_release_published_to(
    kafka: TestKafka, topic: str, log: Log, database: Database
):
    some_accounts(log, 3)
    publish(database, kafka, topic)
    rows(database, "DELETE FROM read_model.published_topics RETURNING reader")
    kafka.make_anew(topic, partitions=3)
    check_same_log(database, {**kafka.env, "ARREARS_EVENTS_TOPIC": topic})
    publish(database, kafka, topic)
    assert_has_the_log(kafka, topic, log)


def test_a_topic_whose_events_were_deleted_is_gone_on_with(kafka: TestKafka, topic: str, log: Log, database: Database):
    """It is the same topic: whoever lacks something finds that by the offset."""
    some_accounts(log, 3)
    publish(database, kafka, topic)
    kafka.delete_before(topic, dict.fromkeys(range(3), -1))
    check_same_log(database, {**kafka.env, "ARREARS_EVENTS_TOPIC": topic})
    some_accounts(log, 1, start=3)
    publish(database, kafka, topic)
    assert sorted(each.position for each in envelopes(kafka.bootstrap_servers, topic)) == [13, 14, 15, 16]


def test_a_topic_that_is_gone_is_said(kafka: TestKafka, log: Log, database: Database):
    some_accounts(log, 1)
    with pytest.raises(TopicUnfit, match="arrears topics apply"):
        publish(database, kafka, "test.nowhere")
