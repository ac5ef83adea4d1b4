"""The compose file: valid, whole, and with no secret in it."""

import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import TopicAuthorizationFailedError

from adapters.clock import SystemClock
from adapters.delivery.carriers.setup import carriers_of
from adapters.eventstore.keys import master_key
from adapters.inbound.mailboxes import mailboxes_of
from adapters.kafka.connection import client_options
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.local import QUICK_START, Listener, LocalKafka
from adapters.kafka.topics import Topics, read_topics
from aggregates.values.contact import Channel
from tests.deploy.files import DEPLOY, JOBS, ROLES, WITH_KEY, compose, of_arrears, read_yaml, run, script
from tests.waiting import HANG, wait_until

FOLDER = DEPLOY / "compose"


def test_it_is_a_compose_file():
    run(script("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml")


def test_every_role_and_job_runs():
    verbs = {name: service["command"][0] for name, service in of_arrears().items()}

    assert verbs == {name: name for name in ROLES | JOBS}


def test_roles_wait_until_the_jobs_are_done():
    for name, service in of_arrears().items():
        waits = {other: said["condition"] for other, said in service["depends_on"].items()}
        if name in ROLES:
            assert waits == dict.fromkeys(JOBS, "service_completed_successfully"), name
        else:
            assert waits == {{"migrate": "postgres", "topics": "kafka"}[name]: "service_healthy"}


def test_everything_that_stays_up_is_started_again_and_looked_after():
    for name, service in compose()["services"].items():
        if name in JOBS:
            assert service["restart"].startswith("on-failure")
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["logging"]["options"]["max-size"], name


def test_roles_can_write_nowhere_but_in_their_own_folder():
    for name, service in of_arrears().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_roles_have_the_time_that_they_take_to_end():
    for name in ROLES:
        assert int(of_arrears()[name]["stop_grace_period"].removesuffix("s")) > 30, name


def test_the_health_port_is_the_one_that_is_asked():
    for name in ROLES:
        service = of_arrears()[name]
        assert service["environment"]["ARREARS_HEALTH_PORT"] == "8081"
        assert "127.0.0.1:8081/ready" in service["healthcheck"]["test"][-1]


def test_containers_that_may_be_scaled_have_no_fixed_worker_name():
    for name, service in of_arrears().items():
        assert "ARREARS_WORKER_ID" not in service["environment"], name
        assert "container_name" not in service


def test_whoever_delivers_shares_the_outbox():
    service = of_arrears()["deliver"]

    assert service["volumes"] == ["outbox:/var/lib/arrears"]
    assert not any(each.startswith("/var/lib/arrears") for each in service["tmpfs"])


def test_who_takes_files_in_and_who_sends_them_share_a_folder():
    api, deliver = (of_arrears()[name] for name in ("api", "deliver"))

    assert api["volumes"] == deliver["volumes"] == ["outbox:/var/lib/arrears"]
    folders = {each["environment"]["ARREARS_ATTACHMENTS_URL"] for each in (api, deliver)}
    assert folders == {"/var/lib/arrears/attachments"}
    assert not any(each.startswith("/var/lib/arrears") for each in api["tmpfs"])


def test_only_the_sealer_logs_in_as_one_that_may_seal_and_only_migrate_as_the_owner():
    logins = {
        name: service["environment"]["ARREARS_DATABASE_URL"].partition("//")[2].partition(":")[0]
        for name, service in of_arrears().items()
        if "ARREARS_DATABASE_URL" in service["environment"]
    }

    assert logins.pop("migrate") == "arrears_owner"
    assert logins.pop("seal") == "arrears_sealing"
    assert set(logins.values()) == {"arrears_service"}
    assert set(logins) == ROLES - {"seal"}


def test_the_master_key_goes_to_whom_it_concerns():
    holders = {name for name, service in of_arrears().items() if "ARREARS_MASTER_KEY" in service["environment"]}

    assert holders == WITH_KEY


def test_ports_are_open_to_this_machine_only():
    opened = [port for service in compose()["services"].values() for port in service.get("ports", [])]

    assert len(opened) == 4
    assert all(port.startswith("127.0.0.1:") for port in opened)


def test_volumes_are_declared_and_files_are_there():
    declared = set(compose()["volumes"])
    used = set()
    for service in compose()["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).exists(), mount
                assert mount.endswith(":ro"), mount
            else:
                used.add(source)

    assert used == declared


def test_images_name_a_version():
    for name, service in compose()["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+[\d.]*", service["image"]), name


def test_kafka_is_the_one_that_the_tests_run():
    pom = (DEPLOY / "kafka" / "pom.xml").read_text(encoding="utf-8")
    (version,) = re.findall(r"<kafka.version>([\d.]+)<", pom)

    assert compose()["services"]["kafka"]["image"] == f"apache/kafka:{version}"


# --- secrets -----------------------------------------------------------------------------------------------


def asked_for() -> set[str]:
    """Variables that have to be set before anything starts."""
    return set(re.findall(r"\$\{(\w+):\?", (FOLDER / "compose.yaml").read_text(encoding="utf-8")))


def written(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def environment_of_everything() -> list[tuple[str, str, str]]:
    return [
        (service_name, name, str(value))
        for service_name, service in compose()["services"].items()
        for name, value in _items(service.get("environment", {}))
    ]


def _items(environment: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(environment.items())


def test_no_secret_and_no_default_for_one_is_in_the_file():
    for service, name, value in environment_of_everything():
        if re.search(r"PASSWORD|TOKEN|MASTER_KEY", name) and not name.endswith("_FILE"):
            assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), (service, name)
        if "postgresql://" in value:
            assert re.fullmatch(r"postgresql://\w+:\$\{\w+:\?[^}]*\}@postgres:5432/arrears", value), (service, name)


def test_the_example_names_every_secret_and_gives_none():
    example = written(FOLDER / ".env.example")

    assert set(example) == asked_for()
    assert set(example.values()) == {""}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    shutil.copy2(FOLDER / "make-env", tmp_path)
    run(tmp_path / "make-env")
    return tmp_path / ".env"


def test_secrets_are_made_that_work(made: Path):
    secrets = written(made)

    assert set(secrets) == asked_for()
    assert len(set(secrets.values())) == len(secrets)
    assert len(master_key({"ARREARS_MASTER_KEY": secrets.pop("ARREARS_MASTER_KEY")})) == 32
    assert all(re.fullmatch(r"[0-9a-f]{48}", each) for each in secrets.values())  # they go into an address as they are
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_secrets_that_are_there_stay(made: Path):
    def files() -> dict[Path, bytes]:
        return {each: each.read_bytes() for each in made.parent.rglob("*") if each.is_file()}

    before = files()
    said = run(made.parent / "make-env")

    assert said.count("not changed") == 2
    assert files() == before
    shutil.rmtree(made.parent / "secrets")  # as an installation has it that was made before there were any
    run(made.parent / "make-env")
    assert files().keys() == before.keys()
    assert made.read_bytes() == before[made]


def test_files_with_secrets_are_made_that_others_on_this_machine_cannot_reach(made: Path):
    folder = made.parent / "secrets"
    named = {name: FOLDER / each["file"] for name, each in compose()["secrets"].items()}

    assert {each.name for each in folder.iterdir()} == set(named)
    assert {each.relative_to(FOLDER).parent for each in named.values()} == {Path("secrets")}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o444}  # containers' users read them


def test_files_with_secrets_go_to_whom_they_concern():
    given = {name: set(service.get("secrets", [])) for name, service in compose()["services"].items()}
    brokers = {"kafka-broker.pem", "kafka-logins.conf"}
    own = {each: f"kafka-password-{each}" for each in ("publish", "clock", "topics")}

    assert {name for name, files in given.items() if files & brokers} == {"kafka"}
    for name, service in of_arrears().items():
        password = own.get(name, "kafka-password")
        assert given[name] == {password, "kafka-ca.crt"}, name
        said = service["environment"]
        if "KAFKA_SASL_USERNAME" in said:
            assert said["KAFKA_SASL_USERNAME"] == (f"arrears-{name}" if name in own else "arrears")
            assert said["KAFKA_SASL_PASSWORD_FILE"] == f"/run/secrets/{password}"


def test_an_installation_of_an_earlier_release_gets_the_logins_that_it_lacks(made: Path):
    """Its password stays, and Kafka knows it still."""
    folder = made.parent / "secrets"
    password = (folder / "kafka-password").read_text(encoding="utf-8")
    for each in ("publish", "clock", "topics"):
        (folder / f"kafka-password-{each}").unlink()
    said = run(made.parent / "make-env")
    assert "has new logins for Kafka" in said
    assert (folder / "kafka-password").read_text(encoding="utf-8") == password
    logins = (folder / "kafka-logins.conf").read_text(encoding="utf-8")
    assert f'user_arrears="{password}"' in logins
    for each in ("publish", "clock", "topics"):
        made_now = (folder / f"kafka-password-{each}").read_text(encoding="utf-8")
        assert f'user_arrears-{each}="{made_now}"' in logins
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o444}


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_with_these_settings_lets_our_processes_in_and_nobody_without_a_login(made: Path, tmp_path: Path):
    """The settings of the compose file, on a broker of this machine."""
    secrets = str(made.parent / "secrets")
    said = {name: str(text).replace("/run/secrets", secrets) for name, text in kafka_environment().items()}
    protocols = dict(each.split(":") for each in said["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    settings = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): text
        for name, text in said.items()
        if name.startswith(("KAFKA_SASL_", "KAFKA_SSL_", "KAFKA_AUTHORIZER_", "KAFKA_SUPER_"))
    }
    listeners = {name: Listener(protocols[name], {}) for name in ("INSIDE", "OUTSIDE")}
    jvm = (*QUICK_START, said["KAFKA_OPTS"])
    wanted = [topic.with_copies(1) for topic in read_topics()]
    with LocalKafka(tmp_path / "kafka", jvm=jvm, settings=settings, listeners=listeners) as kafka:
        for name in listeners:
            env = {
                variable: str(text).replace("/run/secrets", secrets)
                for variable, text in of_arrears()["topics"]["environment"].items()
            } | {"KAFKA_BOOTSTRAP_SERVERS": kafka.servers_at(name)}
            with Topics(env) as topics:
                assert topics.brokers() == 1
                for change in topics.plan(wanted, rights=True):
                    topics.apply(change)
                wait_until(lambda: not any(topics.faults(topic) for topic in wanted), "Kafka knows the rights")
            assert may_write(kafka.servers_at(name), secrets) == {
                ("publish", "collections.events"),
                ("clock", "collections.ticks"),
            }
            without = {"KAFKA_BOOTSTRAP_SERVERS": kafka.servers_at(name)}
            with pytest.raises(KafkaUnavailable, match="speaks TLS"):
                Topics(without)


def may_write(servers: str, secrets: str) -> set[tuple[str, str]]:
    """Which roles Kafka lets write to which topics."""
    found = set()
    for name in ("publish", "clock", "react"):
        env = {
            variable: str(text).replace("/run/secrets", secrets)
            for variable, text in of_arrears()[name]["environment"].items()
            if variable.startswith("KAFKA_")
        }
        producer = KafkaProducer(
            **client_options({**env, "KAFKA_BOOTSTRAP_SERVERS": servers}), enable_idempotence=False
        )
        for topic in ("collections.events", "collections.ticks"):
            with suppress(TopicAuthorizationFailedError):
                producer.send(topic, b"a message", partition=0).get(HANG)
                found.add((name, topic))
        producer.close()
    return found


def kafka_environment() -> dict[str, str]:
    found: dict[str, str] = compose()["services"]["kafka"]["environment"]
    return found


def test_nothing_passes_between_containers_in_the_clear():
    said = kafka_environment()
    protocols = dict(each.split(":") for each in said["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for each in said["KAFKA_LISTENERS"].split(","):
        name, _, address = each.partition("://")
        assert protocols[name] == "SASL_SSL" or address.startswith("localhost:"), each


def test_secrets_are_kept_out_of_the_repository():
    assert "/.env" in (FOLDER / ".gitignore").read_text(encoding="utf-8").splitlines()


# --- carriers ----------------------------------------------------------------------------------------------


def test_the_example_of_carriers_is_one_that_works(tmp_path: Path):
    run(script("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FOLDER / "carriers.example.yaml")
    [said] = read_yaml(FOLDER / "carriers.example.yaml")
    deliver = said["services"]["deliver"]
    assert set(deliver["secrets"]) == set(said["secrets"])
    env = {}
    for name, value in deliver["environment"].items():
        env[name] = value.replace("/run/secrets", str(tmp_path))
        if name.endswith("_FILE"):
            Path(env[name]).write_text("a secret", encoding="utf-8")
    carried = {channel: carrier.name for channel, carrier in carriers_of(env, tmp_path, SystemClock())}
    assert (carried[Channel.EMAIL], carried[Channel.SMS], carried[Channel.LETTER]) == ("smtp", "twilio", "outbox")


def test_the_example_of_a_mailbox_is_one_that_works(tmp_path: Path):
    run(script("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FOLDER / "mailbox.example.yaml")
    [said] = read_yaml(FOLDER / "mailbox.example.yaml")
    receive = said["services"]["receive"]
    assert set(receive["secrets"]) == set(said["secrets"])
    (tmp_path / "imap-password").write_text("a password", encoding="utf-8")
    env = {name: value.replace("/run/secrets", str(tmp_path)) for name, value in receive["environment"].items()}
    assert [each.name for each in mailboxes_of(env)] == ["imap"]
