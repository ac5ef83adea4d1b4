"""The image: what goes in is what the lock names, and what comes out can do no more than it must."""

import io
import re
from pathlib import PurePosixPath
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from tests.deploy.files import DEPLOY, ROOT

CONTAINERFILE = DEPLOY / "container" / "Containerfile"

Step = tuple[str, str]


def stages() -> list[list[Step]]:
    """Instructions and their values, by stage; the first list is what stands before any stage."""
    parser: Any = DockerfileParser(fileobj=io.BytesIO(CONTAINERFILE.read_bytes()))
    found: list[list[Step]] = [[]]
    for each in parser.structure:
        if each["instruction"] == "FROM":
            found.append([])
        if each["instruction"] != "COMMENT":
            found[-1].append((each["instruction"], each["value"]))
    return found


def values(instruction: str, steps: list[Step]) -> list[str]:
    return [value for name, value in steps if name == instruction]


def test_it_is_built_in_one_stage_and_shipped_from_another_of_the_same_base():
    before, build, shipped = stages()

    assert values("ARG", before) == ["PYTHON=python:3.13-slim"]
    assert values("FROM", build) == ["${PYTHON} AS build"]
    assert values("FROM", shipped) == ["${PYTHON}"]


def test_whatever_is_installed_is_checked_against_a_hash():
    _, build, _ = stages()
    installs = [part for run in values("RUN", build) for part in run.split("&&") if re.search(r"\bpip install\b", part)]

    assert len(installs) == 3
    for each in installs:
        ours = "--no-deps" in each and "dist/*.whl" in each
        assert ours or ("--require-hashes" in each and "--only-binary :all:" in each), each
    (made,) = [part for run in values("RUN", build) for part in run.split("&&") if "uv build" in part]
    assert "--require-hashes" in made
    assert "--build-constraints requirements-dev.lock" in made


def test_the_installer_itself_is_pinned_and_hashed():
    text = (DEPLOY / "container" / "uv.lock.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^(\S+) \\$", text, re.MULTILINE)

    assert len(pinned) == 1
    assert re.fullmatch(r"uv==[\d.]+", pinned[0])
    assert "--hash=sha256:" in text


def test_what_builds_the_wheel_is_in_the_lock():
    constraints = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")

    assert re.search(r"^hatchling==", constraints, re.MULTILINE)


def test_what_is_shipped_installs_nothing_and_compiles_nothing():
    *_, shipped = stages()

    for run in values("RUN", shipped):
        assert not re.search(r"pip install|apt|uv |gcc|make\b|curl|wget", run), run
    assert [each for each in values("COPY", shipped) if each.startswith("--from")] == [
        "--from=build /opt/arrears /opt/arrears"
    ]
    assert values("ADD", shipped) == []


def test_it_runs_as_a_number_that_is_not_root():
    *_, shipped = stages()

    assert values("USER", shipped) == ["10001:10001"]


def test_orchestrators_probe_and_the_image_does_not():
    *_, shipped = stages()

    assert values("HEALTHCHECK", shipped) == ["NONE"]
    assert values("STOPSIGNAL", shipped) == ["SIGTERM"]
    assert values("ENTRYPOINT", shipped) == ['["arrears"]']


def test_no_secret_is_in_it():
    for steps in stages():
        for value in values("ENV", steps) + values("ARG", steps):
            assert not re.search(r"PASSWORD|TOKEN|KEY|SECRET", value), value


def copied_from_the_checkout() -> list[str]:
    return [
        source
        for steps in stages()
        for value in values("COPY", steps)
        if not value.startswith("--from")
        for source in value.split()[:-1]
    ]


@pytest.mark.parametrize("source", copied_from_the_checkout())
def test_what_is_copied_is_there_and_reaches_the_builder(source: str):
    allowed = {
        line.removeprefix("!/")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }

    assert (ROOT / source).exists()
    assert source in allowed


def test_nothing_else_reaches_the_builder():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line and not line.startswith("#")]

    assert said[0] == "*"
    assert {line.removeprefix("!/") for line in said if line.startswith("!")} == set(copied_from_the_checkout())


def test_topics_are_where_the_jobs_look_for_them():
    *_, shipped = stages()
    (copied,) = [value.split()[-1] for value in values("COPY", shipped) if "topics.toml" in value]

    assert PurePosixPath(copied).is_absolute()
    assert copied in (DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8")
    assert copied in (DEPLOY / "kubernetes" / "jobs" / "topics.yaml").read_text(encoding="utf-8")
