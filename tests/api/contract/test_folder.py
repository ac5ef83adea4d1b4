"""The committed contract is what the models say, always in the same words; what was released is kept."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api.contract.folder import ContractProblem, build, differences, incompatibilities, wanted

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the contract needs of a checkout, with a history of one commit."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "events.md", folder / "docs")
    shutil.copy(ROOT / "pyproject.toml", folder)
    build(folder, unreleased=True)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "released")
    return folder


@pytest.fixture
def checkout(made_once: Path, tmp_path: Path) -> Path:
    """That, for a test to change."""
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, env=env)


def test_the_committed_files_are_what_the_models_say():
    assert list(differences(ROOT)) == [], "arrears schemas build"


def test_building_again_writes_nothing(checkout: Path):
    assert build(checkout) == []


def test_another_process_with_other_hashes_says_the_same(checkout: Path):
    script = "import sys,pathlib; from api.contract.folder import wanted; "
    script += "sys.stdout.write(''.join(f'{p}\\n{t}' for p, t in wanted(pathlib.Path(sys.argv[1])).items()))"
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    said = subprocess.run(
        [sys.executable, "-c", script, str(checkout)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": other},
    ).stdout
    assert said == "".join(f"{path}\n{text}" for path, text in wanted(checkout).items())


def test_a_missing_and_a_foreign_file_are_told(checkout: Path):
    (checkout / "schemas/events/account.aged.v1.json").unlink()
    (checkout / "schemas/events/account.sold.v1.json").write_text("{}")
    assert [str(each) for each in differences(checkout)] == [
        "schemas/events/account.aged.v1.json: is missing",
        "schemas/events/account.sold.v1.json: is of no event of this release",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "docs/contact-rules.md",
        "docs/events.md",
        "docs/refusals.md",
        "schemas/asyncapi.json",
        "schemas/envelope.json",
        "schemas/openapi.json",
    ],
)
def test_a_generated_file_that_says_something_else_is_told_and_written_anew(checkout: Path, path: str):
    good = (checkout / path).read_text()
    (checkout / path).write_text(good.replace("The", "That").replace("the", "that"))
    assert [str(each) for each in differences(checkout)] == [f"{path}: is not what the models say"]
    assert build(checkout) == [checkout / path]
    assert (checkout / path).read_text() == good


def test_a_new_version_is_added_beside_the_released_one_which_stays(checkout: Path):
    events = checkout / "schemas/events"
    (events / "account.message-failed.v3.json").unlink()
    released = (events / "account.message-failed.v2.json").read_text()
    git(checkout, "add", ".")
    git(checkout, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "version 2 was released")
    assert [path.name for path in build(checkout)] == ["account.message-failed.v3.json"]
    assert incompatibilities(checkout) == []
    assert (events / "account.message-failed.v2.json").read_text() == released


def test_the_released_version_may_not_be_changed_once_there_is_a_new_one(checkout: Path):
    file = checkout / "schemas/events/account.message-failed.v1.json"
    schema = json.loads(file.read_text())
    del schema["properties"]["why"]
    schema["required"].remove("why")
    file.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n")
    assert [(each.file, each.rule) for each in incompatibilities(checkout)] == [
        ("account.message-failed.v1.json", "field-removed")
    ]


def test_a_released_version_that_the_models_break_is_refused(checkout: Path):
    release_with_field(checkout, "ever_after")
    (found,) = incompatibilities(checkout)
    assert (found.rule, found.field) == ("field-removed", "ever_after")
    with pytest.raises(ContractProblem, match=r"account\.aged\.v1\.json: field-removed: ever_after"):
        build(checkout)


def test_what_was_never_released_may_change(checkout: Path):
    release_with_field(checkout, "ever_after")
    assert [path.name for path in build(checkout, unreleased=True)] == ["account.aged.v1.json"]


def test_a_removed_version_is_refused_and_an_older_one_is_kept(checkout: Path):
    old = checkout / "schemas/events/account.aged.v0.json"
    shutil.copy(checkout / "schemas/events/account.aged.v1.json", old)
    (checkout / "schemas/events/account.sold.v1.json").write_text('{"type": "object"}')
    git(checkout, "add", ".")
    git(checkout, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "more")
    assert [(each.file, each.rule) for each in incompatibilities(checkout)] == [
        ("account.sold.v1.json", "version-removed")
    ]
    assert "schemas/events/account.aged.v0.json" in wanted(checkout)


def release_with_field(checkout: Path, name: str) -> None:
    """As if the last release had a field that the models do not have any more."""
    file = checkout / "schemas/events/account.aged.v1.json"
    schema = json.loads(file.read_text())
    schema["properties"][name] = {"type": "string"}
    file.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n")
    git(checkout, "add", ".")
    git(checkout, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "released")


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path):
    with pytest.raises(ContractProblem, match="not a checkout"):
        build(tmp_path)
