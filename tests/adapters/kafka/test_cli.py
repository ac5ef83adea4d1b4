"""`arrears publish`, `arrears tail` and `arrears topics`, as processes and in this one."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.kafka.cloudevents import LARGEST
from adapters.kafka.quarantine import Reason, digest_of, keep, refused
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from adapters.readers import partitions
from aggregates.kernel.command import identifier
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import envelopes, records, some_accounts
from tests.adapters.kafka.written import Written
from tests.adapters.readers.builders import an_item, billed, staged
from tests.adapters.readers.log import MASTER_KEY, Log, rows
from tests.waiting import HANG, wait_until

ARREARS = Path(sys.executable).with_name("arrears")


@pytest.fixture
def topic(kafka: TestKafka) -> str:
    return kafka.topic(partitions=3)


@pytest.fixture
def env(kafka: TestKafka, topic: str, database: Database) -> dict[str, str]:
    return {
        **os.environ,
        **kafka.env,
        "ARREARS_EVENTS_TOPIC": topic,
        "ARREARS_DATABASE_URL": database.dsn,
        "ARREARS_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
    }


def arrears(env: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    done = subprocess.run([ARREARS, *arguments], env=env, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_publish_once_drains_and_ends(kafka: TestKafka, topic: str, env: dict[str, str], log: Log):
    head = some_accounts(log, 5)
    assert json.loads(arrears(env, "publish", "--once", "--json")) == {"position": head, "published": head}
    assert arrears(env, "publish", "--once").startswith("0 events published")
    assert len(envelopes(kafka.bootstrap_servers, topic)) == head


def test_replay_shows_from_the_database_what_tail_shows_from_the_topic(
    kafka: TestKafka, topic: str, env: dict[str, str], log: Log
):
    head = some_accounts(log, 5)
    arrears(env, "publish", "--once")
    without_kafka = {name: value for name, value in env.items() if not name.startswith(("KAFKA_", "ARREARS_MASTER"))}
    replayed = arrears(without_kafka, "replay", "--from", "3", "--to", str(head - 2), "--json")
    tailed = arrears(env, "tail", "--from", "3", "--once", "--json")
    assert by_position(replayed) == {
        position: event for position, event in by_position(tailed).items() if position <= head - 2
    }
    assert list(by_position(replayed)) == list(range(3, head - 1))
    opened = arrears(without_kafka, "replay", "--from", "1", "--type", "account.opened")
    assert opened.count("\n") == 5
    assert "Secret Person" not in opened + replayed


def by_position(said: str) -> dict[int, dict[str, object]]:
    """Events by position, without where they stand on the topic."""
    events = [json.loads(line) for line in said.splitlines()]
    return {event["position"]: event | {"partition": None, "offset": None} for event in events}


def test_publish_ends_politely_when_told(env: dict[str, str], log: Log, database: Database):
    head = some_accounts(log, 5)
    process = subprocess.Popen([ARREARS, "publish"], env=env, stderr=subprocess.PIPE, text=True)
    try:

        def is_published() -> bool:
            assert process.poll() is None
            at = rows(database, "SELECT position FROM read_model.checkpoints WHERE reader LIKE 'publisher:%%'")
            return at == [(head,)]

        wait_until(is_published, "all is published")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=HANG)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Publishing." in said
    assert "Traceback" not in said


def test_tail_shows_what_is_on_the_topic(env: dict[str, str], log: Log):
    head = some_accounts(log, 5)
    arrears(env, "publish", "--once")
    lines = [json.loads(line) for line in arrears(env, "tail", "--from", "beginning", "--once", "--json").splitlines()]
    assert sorted(line["position"] for line in lines) == list(range(1, head + 1))
    assert {line["name"] for line in lines} == {"account.opened", "account.invoice-billed"}

    account = lines[0]["account_id"]
    of_one = arrears(env, "tail", "--account", account, "--from", "beginning", "--once").splitlines()
    assert len(of_one) == 4
    assert all(account in line for line in of_one)

    billed = arrears(env, "tail", "--type", "account.invoice-billed", "--from", "beginning", "--once")
    assert len(billed.splitlines()) == 15

    later = arrears(env, "tail", "--from", "position 15", "--once", "--json").splitlines()
    assert sorted(json.loads(line)["position"] for line in later) == list(range(15, head + 1))

    assert arrears(env, "tail", "--from", "end", "--once") == ""


def test_tail_follows(kafka: TestKafka, topic: str, env: dict[str, str], log: Log):
    some_accounts(log, 3)
    arrears(env, "publish", "--once")
    with Tail(kafka.env, topic=topic) as tail:
        tail.from_end()
        batches = tail.events()
        head = some_accounts(log, 1, start=7)
        arrears(env, "publish", "--once")
        seen: list[int] = []
        while len(seen) < 4:
            seen += [envelope.position for envelope in next(batches)]
    assert sorted(seen) == list(range(head - 3, head + 1))


def test_wrong_options_are_said(env: dict[str, str]):
    assert "expected beginning, end, or a position" in arrears(env, "tail", "--from", "yesterday", code=2)
    without = {name: value for name, value in env.items() if name != "KAFKA_BOOTSTRAP_SERVERS"}
    assert "KAFKA_BOOTSTRAP_SERVERS" in arrears(without, "tail", code=1)
    assert "arrears topics apply" in arrears({**env, "ARREARS_EVENTS_TOPIC": "nowhere"}, "publish", "--once", code=1)


def test_topics_are_applied_once(env: dict[str, str], tmp_path: Path, topic: str):
    file = tmp_path / "topics.toml"
    file.write_text(
        f'[topics."{topic}.more"]\npartitions = 2\ncopies = 3\n'
        f'[topics."{topic}.more".config]\n"min.insync.replicas" = "2"\n',
        encoding="utf-8",
    )
    apply = ("topics", "apply", "--file", str(file))
    assert "wants 3 copies" in arrears(env, *apply, code=1)
    assert "Nothing was changed." in arrears(env, *apply, "--copies", "1", "--dry-run")
    assert "create with partitions: 2" in arrears(env, *apply, "--copies", "1")
    assert arrears(env, *apply, "--copies", "1") == "Every topic is as it should be.\n"


def test_a_parked_event_is_given_up_and_what_waited_behind_it_is_published(
    kafka: TestKafka, topic: str, env: dict[str, str], log: Log
):
    account = identifier("account", 1)
    too_large = log.append(account, staged(None, code="x" * LARGEST))
    waiting = log.append(account, billed(an_item("I-2")))
    log._sealer.close()  # the commands seal from here on
    arrears(env, "publish", "--once")
    assert envelopes(kafka.bootstrap_servers, topic) == []
    listed = json.loads(arrears(env, "deadletters", "list", "--reader", f"publisher:{topic}", "--json"))
    assert [(each["position"], each["error_class"]) for each in listed] == [(too_large, "TooLarge"), (waiting, None)]

    arrears(env, "deadletters", "retry", f"publisher:{topic}", str(too_large), code=1)
    arrears(env, "deadletters", "discard", f"publisher:{topic}", str(too_large), "--reason", "nobody needs it")
    assert [(e.position, e.late) for e in envelopes(kafka.bootstrap_servers, topic)] == [(waiting, True)]
    arrears(env, "publish", "--once")
    assert envelopes(kafka.bootstrap_servers, topic)[-1].name == "reader.event-discarded"


# --- what is amiss on topics ---------------------------------------------------------------------------


def test_messages_that_no_reader_took_are_listed_the_latest_first(env: dict[str, str], log: Log, database: Database):
    assert arrears(env, "topics", "quarantined") == "No message was put aside.\n"
    message = Written(1, 0, b"key", b"secret", [])
    for offset in range(3):
        message = Written(1, offset, b"key", b"secret", [("name", b"value")])
        with database.connect("arrears_app", autocommit=True) as connection:
            keep(connection, "a.topic", "policies", [refused(message, Reason.NOT_IN_LOG, 61)])
    found = json.loads(arrears(env, "topics", "quarantined", "--json"))
    assert [each["offset"] for each in found] == [2, 1, 0]
    assert found[0]["found_at"] > found[1]["found_at"]
    assert {name: found[0][name] for name in ("topic", "partition", "reason", "reader", "position")} == {
        "topic": "a.topic",
        "partition": 1,
        "reason": "not-in-log",
        "reader": "policies",
        "position": 61,
    }
    assert found[0]["digest"] == digest_of(message).hex()
    table = arrears(env, "topics", "quarantined", "--topic", "a.topic", "--partition", "1")
    assert "not-in-log" in table
    assert "secret" not in table
    assert arrears(env, "topics", "quarantined", "--topic", "another") == "No message was put aside.\n"


def test_a_reader_is_told_to_pass_over_a_message_and_the_log_says_who_and_why(
    kafka: TestKafka, topic: str, env: dict[str, str], log: Log, database: Database
):
    some_accounts(log, 3)
    arrears(env, "publish", "--once")
    first = records(kafka.bootstrap_servers, topic)[0]
    place = (str(first.partition), str(first.offset))
    assert "policies is no reader" in arrears(env, "topics", "skip", "policies", *place, "--reason", "Why", code=1)
    rows(database, "INSERT INTO read_model.checkpoints (reader, position) VALUES ('policies', 0) RETURNING 1")
    with database.connect("arrears_app", autocommit=True) as connection:
        partitions.enter(connection, "policies", [first.partition])
    assert "say why" in arrears(env, "topics", "skip", "policies", *place, code=2)
    assert "no message at offset 99" in arrears(
        env, "topics", "skip", "policies", place[0], "99", "--reason", "Why", code=1
    )
    for _ in range(2):
        assert "passes over" in arrears(env, "topics", "skip", "policies", *place, "--reason", "It is odd")
    with database.connect("arrears_app") as connection:
        skipped = partitions.skipped(connection, "policies")
    assert skipped == {(first.partition, first.offset, digest_of(first))}
    events = rows(database, "SELECT state FROM arrears.events WHERE name = 'reader.message-skipped'")
    (said,) = [json.loads(bytes(state)) for (state,) in events]
    assert said == {
        "reader": "policies",
        "topic": topic,
        "partition": first.partition,
        "offset": first.offset,
        "digest": digest_of(first).hex(),
    }


def test_topics_are_checked_and_a_kafka_that_asks_nobody_is_a_warning(topic: str, env: dict[str, str], tmp_path: Path):
    file = tmp_path / "topics.toml"

    def check(partitions: int, code: int) -> subprocess.CompletedProcess[str]:
        file.write_text(
            f'[topics."{topic}"]\npartitions = {partitions}\ncopies = 1\nwriters = ["nora"]\n', encoding="utf-8"
        )
        done = subprocess.run(
            [ARREARS, "topics", "check", "--file", str(file)],
            env=env, capture_output=True, text=True, timeout=HANG, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    done = check(3, 0)
    assert done.stdout == "Every topic is as it should be.\n"
    assert "Warning: Kafka has no authorizer" in done.stderr
    assert f"{topic}: partitions: 3 → 5" in check(5, 1).stderr
