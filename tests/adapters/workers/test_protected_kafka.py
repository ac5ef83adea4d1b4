"""A Kafka with TLS, logins and rights: everything goes through, and what is wrong is said in a sentence."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.errors import TopicAuthorizationFailedError

from adapters.kafka import tail as tail_module
from adapters.kafka import topics as topics_module
from adapters.kafka.connection import client_options
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.publisher import NotPublished, Publisher
from adapters.kafka.subscriber import Subscriber
from adapters.kafka.tail import Tail
from adapters.kafka.topics import Topic, Topics, TopicsProblem
from adapters.workers.clock import ClockWork
from api.processes.publishing import check_same_log
from tests.adapters.kafka.certificates import Authority
from tests.adapters.kafka.protected import (
    ADMINISTRATOR,
    CLOCK,
    PASSWORD,
    PUBLISHER,
    USER,
    ProtectedKafka,
    documented_rights,
    protected_kafka,
)
from tests.adapters.readers.log import rows
from tests.adapters.workers.conftest import NewPlant, account
from tests.waiting import HANG, wait_until

ARREARS = Path(sys.executable).with_name("arrears")
EVERYBODY = range(1, 7)
WAYS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "certificate")


@pytest.fixture(scope="module")
def kafka() -> Iterator[ProtectedKafka]:
    with protected_kafka() as made:
        yield made


def by(kafka: ProtectedKafka, way: str, user: str = USER) -> dict[str, str]:
    return kafka.by_certificate(user) if way == "certificate" else kafka.by(way, user)


# --- it goes through -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_events_are_published_reacted_to_and_projected_ticks_are_worked_and_others_subscribe(
    kafka: ProtectedKafka, new_plant: NewPlant, way: str
):
    """With the rights that docs/cluster.md names, and no others."""
    plant = new_plant(partitions=2)
    topics = {name: text for name, text in plant.env.items() if name.startswith("ARREARS")}
    plant.env = {**topics, **by(kafka, way)}
    plant.publisher_env = {**topics, **by(kafka, way, PUBLISHER)}
    check_same_log(plant.database, plant.publisher_env)
    clockwork = ClockWork(plant.database, plant.clock, env={**topics, **by(kafka, way, CLOCK)})
    plant.open_accounts(*EVERYBODY)
    with plant.projecting("agenda", "collections_report"), plant.faust() as worker:
        plant.bill(*[(number, "1") for number in EVERYBODY])
        wait_until(lambda: plant.notes == ["1"] * len(EVERYBODY), "policies have reacted")
        head = plant.publish()
        wait_until(lambda: {each.checkpoint for each in plant.projections.status()} == {head}, "tables show it")
        assert clockwork.tick()
        wait_until(lambda: set(worker.ticked) == {0, 1}, "ticks are worked")
    clockwork.close()
    shown = rows(plant.database, "SELECT account_id FROM read_model.collections_report")
    assert {each for (each,) in shown} == {account(number) for number in EVERYBODY}

    head = plant.publish()
    group = f"arrears.test.{plant.env['ARREARS_EVENTS_TOPIC']}"
    seen: list[int] = []
    with Subscriber(group, env=plant.env) as events:
        for event in events:
            seen.append(event.position)
            if len(seen) == head:
                events.stop()
    assert sorted(seen) == list(range(1, head + 1))


def test_topics_are_made_and_changed(kafka: ProtectedKafka):
    wanted = Topic("test.made", partitions=2, copies=1, config={"retention.ms": "-1"})
    with Topics(kafka.by("PLAIN", ADMINISTRATOR)) as topics:
        for change in topics.plan([wanted]):
            topics.apply(change)
        for change in topics.plan([Topic("test.made", partitions=3, copies=1, config={"retention.ms": "1000"})]):
            topics.apply(change)
        assert topics.partitions("test.made") == 3
        assert topics.config("test.made")["retention.ms"] == "1000"


def test_the_rights_of_the_docs_are_about_our_topics_and_groups_alone():
    patterns = [each.resource_pattern for each in documented_rights(topics="collections.")]
    found = {(each.resource_type.name, each.resource_name) for each in patterns}
    assert found == {("TOPIC", "collections."), ("GROUP", "arrears."), ("CLUSTER", "kafka-cluster")}


def test_those_who_read_cannot_write_and_who_writes_is_looked_at(kafka: ProtectedKafka):
    """With the rights of docs/cluster.md both topics of tests have one prefix, so both writers may write to either."""
    topic = Topic(kafka.topic(partitions=1), 1, 1, writers=frozenset({PUBLISHER, CLOCK}))
    for user, may in ((USER, False), (PUBLISHER, True), (CLOCK, True)):
        producer = KafkaProducer(**client_options(kafka.by("SCRAM-SHA-512", user)), enable_idempotence=False)
        with nullcontext() if may else pytest.raises(TopicAuthorizationFailedError):
            producer.send(topic.name, b"a message", partition=0).get(HANG)
        producer.close()
    with Topics(kafka.by("PLAIN", ADMINISTRATOR)) as topics:
        assert topics.asks_for_rights()
        assert topics.faults(topic) == []
        narrower = replace(topic, writers=frozenset({PUBLISHER}))
        (fault,) = topics.faults(narrower)
        assert fault == f"{CLOCK} may write to it, and nobody should but {PUBLISHER}"
        (missing,) = topics.faults(replace(topic, writers=frozenset({PUBLISHER, CLOCK, "somebody"})))
        assert missing == "somebody may not write to it, and should"
        with pytest.raises(TopicsProblem):
            topics.apply(*topics.plan([replace(topic, readers=frozenset({"somebody"}))], rights=True))
    with Topics(kafka.env) as topics, pytest.raises(TopicsProblem, match="Describe on the cluster"):
        topics.faults(topic)


def test_rights_that_a_file_asks_for_are_granted_once(kafka: ProtectedKafka):
    topic = Topic(kafka.topic(partitions=1), 1, 1, writers=frozenset({"nora"}), readers=frozenset({"rita"}))
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}  # a super user
    with Topics(env) as topics:
        for change in topics.plan([topic], rights=True):
            topics.apply(change)
        wait_until(lambda: topics.plan([topic], rights=True) == [], "Kafka knows the rights")
        assert topics.plan([topic]) == []
        assert "nora may not" not in str(topics.faults(topic))


# --- it does not, and why ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nobody_tries_for_long(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Where nothing can come of it."""
    if "_said" in request.node.name:
        for module in (tail_module, topics_module):
            monkeypatch.setattr(module, "ANSWER_MS", 300)


def said_by(env: dict[str, str]) -> str:
    """What each client says; they say the same."""
    said = set()
    for make in (Topics, Tail, lambda env: Subscriber("arrears.nobody", env=env, bootstrap_timeout_ms=300)):
        with pytest.raises(KafkaUnavailable) as refused:
            make(env)
        said.add(str(refused.value))
    (only,) = said
    assert PASSWORD not in only
    return only


def test_a_wrong_password_is_said(kafka: ProtectedKafka, tmp_path: Path):
    wrong = tmp_path / "password"
    wrong.write_text("something else", encoding="utf-8")
    for way in ("PLAIN", "SCRAM-SHA-512"):
        said = said_by({**kafka.by(way), "KAFKA_SASL_PASSWORD_FILE": str(wrong)})
        assert f"refuses the login of {USER} ({way})" in said
        assert "KAFKA_SASL_PASSWORD_FILE" in said


def test_a_token_that_is_not_taken_is_said(kafka: ProtectedKafka, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("a.b.c", encoding="utf-8")
    said = said_by({**kafka.by("OAUTHBEARER"), "KAFKA_SASL_OAUTH_TOKEN_FILE": str(token)})
    assert "refuses our login (OAUTHBEARER)" in said
    assert "KAFKA_SASL_OAUTH_TOKEN_FILE" in said


def test_an_unknown_authority_is_said(kafka: ProtectedKafka, tmp_path: Path):
    said = said_by({**kafka.env, "KAFKA_SSL_CAFILE": str(Authority(tmp_path, "other").file)})
    assert "its certificate is of nobody that we trust" in said
    assert "KAFKA_SSL_CAFILE" in said


def test_a_certificate_that_has_expired_is_said(kafka: ProtectedKafka):
    assert "its certificate, or that of who signed it, has expired" in said_by(kafka.at("EXPIRED", "SSL"))


def test_a_certificate_of_another_host_is_said(kafka: ProtectedKafka):
    said = said_by(kafka.at("ELSEWHERE", "SSL"))
    assert "its certificate is not for 127.0.0.1" in said
    assert "KAFKA_BOOTSTRAP_SERVERS" in said


def test_a_certificate_of_ours_that_is_missing_or_not_taken_is_said(kafka: ProtectedKafka, tmp_path: Path):
    assert "does not take our certificate" in said_by(kafka.at("MUTUAL", "SSL"))
    other = Authority(tmp_path, "other").sign(USER)
    said = said_by({**kafka.at("MUTUAL", "SSL"), "KAFKA_SSL_CERTFILE": str(other.both)})
    assert "does not take our certificate" in said
    assert "KAFKA_SSL_CERTFILE" in said


def test_tls_on_one_side_only_is_said(kafka: ProtectedKafka):
    plain = {"KAFKA_BOOTSTRAP_SERVERS": kafka.servers["SECURE"]}
    assert "speaks TLS, and KAFKA_SECURITY_PROTOCOL is PLAINTEXT" in said_by(plain)
    assert "speaks no TLS" in said_by({**kafka.env, "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers})


def test_a_login_on_one_side_only_is_said(kafka: ProtectedKafka):
    """Logging in at a listener that asks nobody, and the other way round."""
    asks_nobody = {**kafka.env, **kafka.by_certificate(), "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
    assert "takes no logins" in said_by(asks_nobody)
    assert "It may want a login: look at KAFKA_SECURITY_PROTOCOL" in said_by(kafka.at("SECURE", "SSL"))


def test_what_we_have_no_right_to_is_said(kafka: ProtectedKafka):
    with Topics(kafka.env) as topics, pytest.raises(KafkaUnavailable, match="does not let us see the topic hidden"):
        topics.partitions("hidden")


def test_a_password_that_is_changed_while_it_runs_is_read_when_the_client_is_made_anew(
    kafka: ProtectedKafka, tmp_path: Path
):
    file = tmp_path / "password"
    file.write_text("something else", encoding="utf-8")
    publisher = Publisher({**kafka.env, "KAFKA_SASL_PASSWORD_FILE": str(file)}, topic=kafka.topic())
    with pytest.raises(NotPublished, match=f"refuses the login of {USER}"):
        publisher.send([])
    file.write_text(PASSWORD, encoding="utf-8")
    publisher.send([])
    publisher.close()


@pytest.mark.parametrize("command", [("tail", "--once"), ("topics", "apply", "--dry-run")])
def test_the_command_line_says_it_and_tells_no_secret(kafka: ProtectedKafka, tmp_path: Path, command: tuple[str, ...]):
    wrong = tmp_path / "password"
    wrong.write_text("a wrong secret", encoding="utf-8")
    env = {**os.environ, **kafka.env, "KAFKA_SASL_PASSWORD_FILE": str(wrong), "ARREARS_LOG_LEVEL": "debug"}
    done = subprocess.run([ARREARS, *command], env=env, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 1
    assert f"refuses the login of {USER}" in done.stderr
    assert "Traceback" not in done.stderr
    assert "a wrong secret" not in done.stderr + done.stdout
