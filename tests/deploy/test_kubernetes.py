"""The manifests: valid for the oldest and the newest Kubernetes, and every pod as locked up as any other."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.clock import SystemClock
from adapters.delivery.carriers.setup import carriers_of
from adapters.inbound.mailboxes import mailboxes_of
from adapters.kafka.connection import client_options
from aggregates.values.contact import Channel
from tests.adapters.kafka.certificates import Authority
from tests.deploy.files import (
    DIVIDED,
    JOBS,
    KUBERNETES,
    ROLES,
    WITH_KAFKA,
    WITH_KEY,
    container,
    manifests,
    of_kind,
    pod,
    read_yaml,
    run,
    script,
    workloads,
)

PARTITIONS = 12
EVEN = {1, 2, 3, 4, 6, 12}

WITH_A_USER = ("publish", "clock", "topics")
"""Whoever may write to a topic, or make one, logs in to Kafka as a user of its own."""


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_every_manifest_is_one(version: str):
    files = sorted(each for each in KUBERNETES.rglob("*.yaml") if each.name != "kustomization.yaml")
    said = run(script("kubernetes-validate"), "--strict", "--kubernetes-version", version, *files)

    assert "WARN" not in said  # a kind that it does not know is only warned of
    assert len(said.splitlines()) == len(manifests()) + len(read_yaml(KUBERNETES / "secret.example.yaml"))


@pytest.mark.parametrize("folder", ["common", "jobs", "roles"])
def test_kustomizations_name_every_file(folder: str):
    (found,) = read_yaml(KUBERNETES / folder / "kustomization.yaml")
    files = {each.name for each in (KUBERNETES / folder).glob("*.yaml")} - {"kustomization.yaml"}

    assert found["kind"] == ("Component" if folder == "common" else "Kustomization")
    assert sorted(found["resources"]) == sorted(files)
    assert found.get("components", []) == ([] if folder == "common" else ["../common"])


def test_the_image_has_its_version_in_one_place():
    (common,) = read_yaml(KUBERNETES / "common" / "kustomization.yaml")
    (image,) = common["images"]

    assert {container(each)["image"] for each in workloads().values()} == {image["name"]}
    assert re.fullmatch(r"\d+\.\d+\.\d+", image["newTag"])


def test_every_role_and_job_runs():
    assert {name: container(each)["args"][0] for name, each in workloads().items()} == {
        name: name for name in ROLES | JOBS
    }


def test_divided_roles_have_names_that_stay():
    for name, workload in workloads().items():
        if name in JOBS:
            continue
        assert workload["kind"] == ("StatefulSet" if name in DIVIDED else "Deployment"), name
        named = [each for each in container(workload)["env"] if each["name"] == "ARREARS_WORKER_ID"]
        expected = {"name": "ARREARS_WORKER_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        assert named == ([expected] if name in DIVIDED else []), name


def test_there_are_as_many_of_each_as_are_of_use():
    for name in ROLES:
        replicas = workloads()[name]["spec"]["replicas"]
        assert replicas in EVEN if name in DIVIDED else replicas == 2, name
        assert replicas >= 2, name


@pytest.mark.parametrize("name", sorted(ROLES | JOBS))
def test_a_pod_may_do_nothing_that_it_need_not(name: str):
    spec = pod(workloads()[name])

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False  # they would set variables that begin with ARREARS_
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(workloads()[name])["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", sorted(ROLES | JOBS))
def test_a_pod_says_what_it_needs_and_gets_no_more(name: str):
    resources = container(workloads()[name])["resources"]

    assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_is_probed(name: str):
    found = container(workloads()[name])
    paths = {each: found[f"{each}Probe"]["httpGet"] for each in ("startup", "liveness", "readiness")}

    assert paths == {
        "startup": {"path": "/live", "port": "health"},
        "liveness": {"path": "/live", "port": "health"},
        "readiness": {"path": "/ready", "port": "health"},
    }
    assert {"name": "health", "containerPort": 8081} in found["ports"]
    assert of_kind("ConfigMap")["arrears-config"]["data"]["ARREARS_HEALTH_PORT"] == "8081"


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_has_the_time_that_it_takes_to_end(name: str):
    before = container(workloads()[name]).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)

    assert pod(workloads()[name])["terminationGracePeriodSeconds"] >= 30 + before + 10


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_is_selected_by_its_own_labels(name: str):
    workload = workloads()[name]
    labels = {"app.kubernetes.io/name": "arrears", "app.kubernetes.io/component": name}
    budget = of_kind("PodDisruptionBudget")[f"arrears-{name}"]

    assert workload["spec"]["template"]["metadata"]["labels"] == labels
    assert workload["spec"]["selector"] == {"matchLabels": labels}
    assert budget["spec"]["selector"] == {"matchLabels": labels}
    assert budget["spec"]["maxUnavailable"] == 1
    assert {each["topologyKey"] for each in pod(workload)["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert all(each["labelSelector"] == {"matchLabels": labels} for each in pod(workload)["topologySpreadConstraints"])


def test_services_lead_to_what_is_there():
    services = of_kind("Service")

    assert set(services) == {f"arrears-{name}" for name in {"api", *DIVIDED}}
    for full, service in services.items():
        workload = workloads()[full.removeprefix("arrears-")]
        assert service["spec"]["selector"] == workload["spec"]["selector"]["matchLabels"]
        open_ports = {each["name"] for each in container(workload)["ports"]}
        assert {each["targetPort"] for each in service["spec"]["ports"]} <= open_ports
        if workload["kind"] == "StatefulSet":
            assert workload["spec"]["serviceName"] == full
            assert service["spec"]["clusterIP"] == "None"


def test_volumes_that_are_mounted_are_there():
    claims = of_kind("PersistentVolumeClaim")
    for name, workload in workloads().items():
        volumes = {each["name"]: each for each in pod(workload)["volumes"]}
        mounted = {each["name"]: each["mountPath"] for each in container(workload)["volumeMounts"]}
        assert set(mounted) == set(volumes), name
        assert mounted["work"] == "/var/lib/arrears"
        assert mounted["tmp"] == "/tmp"
        used = {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v}
        assert used == {"deliver": set(claims), "api": {"arrears-attachments"}}.get(name, set()), name


def test_who_takes_files_in_and_who_sends_them_share_a_folder():
    assert of_kind("PersistentVolumeClaim")["arrears-attachments"]["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("api", "deliver"):
        mounted = {each["name"]: each["mountPath"] for each in container(workloads()[name])["volumeMounts"]}
        assert mounted["attachments"] == of_kind("ConfigMap")["arrears-config"]["data"]["ARREARS_ATTACHMENTS_URL"]


def test_whoever_delivers_shares_the_outbox():
    assert of_kind("PersistentVolumeClaim")["arrears-outbox"]["spec"]["accessModes"] == ["ReadWriteMany"]


# --- secrets -----------------------------------------------------------------------------------------------


def example() -> dict[str, dict[str, str]]:
    return {each["metadata"]["name"]: each["stringData"] for each in read_yaml(KUBERNETES / "secret.example.yaml")}


def test_secrets_that_are_asked_for_are_in_the_example():
    asked: dict[str, set[str]] = {}
    for workload in workloads().values():
        for variable in container(workload).get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference is not None:
                asked.setdefault(reference["name"], set()).add(reference["key"])
    expected = {name: set(keys) for name, keys in example().items()}

    assert set(expected.pop("arrears-master-key")) == {"master.key"}
    expected.pop("arrears-carriers")  # files that only a carrier needs
    expected.pop("arrears-mailbox")
    for secret in ("arrears-kafka", *(f"arrears-kafka-{name}" for name in WITH_A_USER)):
        assert set(expected.pop(secret)) == {Path(file).name for file in kafka_files()}
    assert asked == expected


def test_only_the_sealer_logs_in_as_one_that_may_seal_and_only_migrate_as_the_owner():
    for name, workload in workloads().items():
        urls = [
            each["valueFrom"]["secretKeyRef"]["key"]
            for each in container(workload).get("env", [])
            if each["name"] == "ARREARS_DATABASE_URL"
        ]
        assert urls == {"migrate": ["owner-url"], "seal": ["sealing-url"], "topics": []}.get(name, ["service-url"])


def test_the_master_key_goes_to_whom_it_concerns():
    for name, workload in workloads().items():
        variables = {each["name"]: each.get("value") for each in container(workload).get("env", [])}
        mounts = {each["name"]: each["mountPath"] for each in container(workload)["volumeMounts"]}
        if name not in WITH_KEY:
            assert "master-key" not in mounts, name
        else:
            assert variables["ARREARS_MASTER_KEY_FILE"] == f"{mounts['master-key']}/master.key", name


def kafka_files() -> set[str]:
    """Files that the settings for Kafka name."""
    return {value for value in of_kind("ConfigMap")["arrears-kafka"]["data"].values() if value.startswith("/")}


def test_whoever_talks_to_kafka_and_nobody_else_has_its_settings_and_its_secrets_as_files():
    for name, workload in workloads().items():
        settings = {each["configMapRef"]["name"] for each in container(workload).get("envFrom", [])}
        mounts = {each["name"]: each for each in container(workload)["volumeMounts"]}
        assert ("arrears-kafka" in settings) == ("kafka" in mounts) == (name in WITH_KAFKA), name
        if name in WITH_KAFKA:
            volume = next(each for each in pod(workload)["volumes"] if each["name"] == "kafka")
            assert mounts["kafka"]["readOnly"] is True
            secret = f"arrears-kafka-{name}" if name in WITH_A_USER else "arrears-kafka"
            assert volume["secret"] == {"secretName": secret, "defaultMode": 0o440}
            users = [each["value"] for each in container(workload).get("env", []) if each["name"].endswith("USERNAME")]
            assert users == ([f"arrears-{name}"] if name in WITH_A_USER else [])
            assert {str(Path(file).parent) for file in kafka_files()} == {mounts["kafka"]["mountPath"]}


def test_the_settings_for_kafka_fit_together(tmp_path: Path):
    Authority(tmp_path, "ca").file.rename(tmp_path / "ca.crt")
    (tmp_path / "password").write_text("a password", encoding="utf-8")
    said = of_kind("ConfigMap")["arrears-kafka"]["data"]
    options = client_options({name: text.replace("/etc/arrears-kafka", str(tmp_path)) for name, text in said.items()})
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_plain_password"] == "a password"


def test_whoever_delivers_and_nobody_else_has_the_secrets_of_carriers():
    for name, workload in workloads().items():
        settings = {each["configMapRef"]["name"] for each in container(workload).get("envFrom", [])}
        mounts = {each["name"]: each for each in container(workload)["volumeMounts"]}
        assert ("arrears-carriers" in settings) == ("carriers" in mounts) == (name == "deliver"), name
    (volume,) = (each for each in pod(workloads()["deliver"])["volumes"] if each["name"] == "carriers")
    assert volume["secret"] == {"secretName": "arrears-carriers", "defaultMode": 0o440, "optional": True}


def test_whoever_receives_and_nobody_else_has_the_secrets_of_the_mailbox():
    for name, workload in workloads().items():
        settings = {each["configMapRef"]["name"] for each in container(workload).get("envFrom", [])}
        mounts = {each["name"]: each for each in container(workload)["volumeMounts"]}
        assert ("arrears-mailbox" in settings) == ("mailbox" in mounts) == (name == "receive"), name
    (volume,) = (each for each in pod(workloads()["receive"])["volumes"] if each["name"] == "mailbox")
    assert volume["secret"] == {"secretName": "arrears-mailbox", "defaultMode": 0o440, "optional": True}
    assert mailboxes_of(of_kind("ConfigMap")["arrears-mailbox"]["data"]) == []


def test_as_it_stands_no_carrier_is_set_up():
    said = of_kind("ConfigMap")["arrears-carriers"]["data"]
    assert said
    assert {channel: carrier.name for channel, carrier in carriers_of(said, None, SystemClock())} == dict.fromkeys(
        Channel, "outbox"
    )


def test_the_example_holds_no_secret_and_is_applied_by_nobody():
    for secret in example().values():
        for key, value in secret.items():
            assert "CHANGE-ME" in value, key
    assert not of_kind("Secret")
    for file in KUBERNETES.rglob("kustomization.yaml"):
        assert "secret" not in yaml.safe_dump(yaml.safe_load(file.read_text(encoding="utf-8")))


# --- who may talk to whom ----------------------------------------------------------------------------------


def policies() -> dict[str, dict[str, Any]]:
    return of_kind("NetworkPolicy")


def test_nobody_talks_to_a_pod_but_who_has_to():
    assert policies()["arrears"]["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "arrears"}
    assert set(policies()["arrears"]["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    for policy in policies().values():
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"]
            assert rule["ports"]


def selects(policy: dict[str, Any], component: str) -> bool:
    """Whether a policy is about the pods of a role or job."""
    selector = policy["spec"]["podSelector"]
    labels = {"app.kubernetes.io/name": "arrears", "app.kubernetes.io/component": component}
    is_of = {"In": lambda has, of: has in of, "NotIn": lambda has, of: has not in of}
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        is_of[each["operator"]](labels[each["key"]], each["values"]) for each in selector.get("matchExpressions", [])
    )


def test_a_pod_talks_to_nobody_but_whom_it_has_to():
    """By destination and by port; and everywhere a name has to be found."""
    reached: dict[str, set[tuple[str, int]]] = {name: set() for name in ROLES | JOBS}
    for policy in policies().values():
        for rule in policy["spec"].get("egress", []):
            assert rule["to"]
            assert all(each["namespaceSelector"]["matchLabels"] for each in rule["to"])
            places = {each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for each in rule["to"]}
            for name in reached:
                if selects(policy, name):
                    reached[name] |= {(place, port["port"]) for place in places for port in rule["ports"]}
    (servers,) = {of_kind("ConfigMap")["arrears-kafka"]["data"]["KAFKA_BOOTSTRAP_SERVERS"]}
    for name, found in reached.items():
        expected = {("kube-system", 53), ("monitoring", 4318)}
        if name != "topics":
            expected.add(("postgres", 5432))
        if name in WITH_KAFKA:
            expected.add(("kafka", int(servers.rpartition(":")[2])))
        assert found == expected, name


def test_the_namespace_refuses_pods_with_more_rights():
    labels = of_kind("Namespace")["arrears"]["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
