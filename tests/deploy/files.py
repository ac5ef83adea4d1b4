"""What deploy/ holds, read, and the programs that judge it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from api.processes.parts import PARTS
from api.processes.parts.part import HowMany, Need
from tests.waiting import HANG

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"

JOBS = {"migrate", "topics"}
ROLES = {part.name for part in PARTS}
"""Every part has a container and a manifest of its name."""
DIVIDED = {part.name for part in PARTS if part.how_many is HowMany.SHARE}
"""Roles whose processes share the partitions."""
WITH_KEY = {part.name for part in PARTS if Need.KEY in part.needs}
WITH_KAFKA = {"topics", *(part.name for part in PARTS if Need.KAFKA in part.needs)}
"""Whoever talks to Kafka."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def compose() -> dict[str, Any]:
    return read_yaml(DEPLOY / "compose" / "compose.yaml")[0]


def of_arrears() -> dict[str, dict[str, Any]]:
    """The services of the compose file that run our image."""
    services: dict[str, dict[str, Any]] = compose()["services"]
    return {name: each for name, each in services.items() if each["image"].startswith("arrears:")}


@cache
def manifests() -> list[dict[str, Any]]:
    """Everything that the kustomizations apply, as it is written."""
    files = [each for folder in ("common", "jobs", "roles") for each in sorted((KUBERNETES / folder).glob("*.yaml"))]
    return [each for file in files if file.name != "kustomization.yaml" for each in read_yaml(file)]


def of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    """Manifests of these kinds, by name."""
    return {each["metadata"]["name"]: each for each in manifests() if each["kind"] in kinds}


def workloads() -> dict[str, dict[str, Any]]:
    """What makes pods, by role or job."""
    found = of_kind("Deployment", "StatefulSet", "Job")
    return {name.removeprefix("arrears-"): each for name, each in found.items()}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(workload)["containers"]
    found: dict[str, Any] = only
    return found


@cache
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "arrears.json").read_text(encoding="utf-8"))
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboard, with where it stands; what Grafana fills in is filled in."""
    board = dashboard()
    asked = [
        (f"{panel['title']} {target['refId']}", target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]
    asked += [(note["name"], note["expr"]) for note in board["annotations"]["list"]]
    for where, expression in asked:
        yield where, expression.replace("$__rate_interval", "1m").replace("$reader", ".*")


@cache
def rules() -> list[dict[str, Any]]:
    """Every alert."""
    (found,) = read_yaml(DEPLOY / "prometheus" / "rules" / "arrears.yml")
    return [rule for group in found["groups"] for rule in group["rules"]]


def read_yaml(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.load_all(file.read_text(encoding="utf-8"), _LOADER) if each]


# --- programs ----------------------------------------------------------------------------------------------


def run(*command: str | Path, **options: Any) -> str:
    """What it says, on both channels. Fails the test where it ends with an error."""
    done = subprocess.run(
        [str(each) for each in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout
    said: str = done.stdout
    return said


def script(name: str) -> Path:
    """A program that was installed beside this Python."""
    return Path(sys.executable).parent / name
