"""The compose file: valid, whole, and with no secret in it."""

import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from adapters.eventstore.keys import master_key
from tests.deploy.files import DEPLOY, JOBS, ROLES, WITH_KEY, compose, of_arrears, run, script

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
        if re.search(r"PASSWORD|TOKEN|MASTER_KEY$", name):
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
    before = made.read_text(encoding="utf-8")
    said = run(made.parent / "make-env")

    assert "not changed" in said
    assert made.read_text(encoding="utf-8") == before


def test_secrets_are_kept_out_of_the_repository():
    assert "/.env" in (FOLDER / ".gitignore").read_text(encoding="utf-8").splitlines()
