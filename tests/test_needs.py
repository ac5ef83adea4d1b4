"""What a test needs is declared, prepared where it is asked for, and nothing else is started."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.needs import NEEDS

DEV = Path(__file__).parents[1] / "dev"

TESTS = """
    import subprocess, sys
    import pytest

    @pytest.fixture
    def kafka(): return 1

    @pytest.fixture
    def topic(kafka): return 2

    def test_by_a_fixture_of_a_fixture(topic): pass

    @pytest.mark.usefixtures("kafka")
    def test_by_a_fixture_that_it_does_not_name(): pass

    @pytest.mark.browser
    def test_by_a_mark(): pass

    @pytest.mark.postgres
    def test_of_two(topic): pass

    def test_without(): pass
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """What pytest says of the tests made there, with tests/needs.py as here."""
    return pytester.runpytest("-v", "-p", "tests.needs", *arguments)


def passed(pytester: pytest.Pytester, *arguments: str) -> set[str]:
    return set(re.findall(r"::(\w+) PASSED", run(pytester, *arguments).stdout.str()))


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("unit", {"test_without"}),
        (
            "kafka",
            {"test_by_a_fixture_of_a_fixture", "test_by_a_fixture_that_it_does_not_name", "test_of_two"},
        ),
        ("kafka and postgres", {"test_of_two"}),
        ("browser", {"test_by_a_mark"}),
        ("promtool or not (unit or kafka or browser or postgres)", set()),
    ],
)
def test_a_test_carries_the_marks_of_what_it_needs(pytester: pytest.Pytester, expression: str, names: set[str]):
    pytester.makepyfile(TESTS)
    assert passed(pytester, "-m", expression) == names


def test_only_what_the_selected_tests_need_is_prepared(pytester: pytest.Pytester):
    pytester.makepyfile(TESTS)
    program = harmless(pytester.path, "program")
    program.write_text('#!/bin/sh\necho "$@" >>asked\n', encoding="utf-8")
    asked = pytester.path / "asked"
    passed(pytester, "-m", "unit", "--prepare", str(program))
    assert not asked.exists()
    passed(pytester, "-k", "of_two", "--prepare", str(program))
    assert asked.read_text() == "prepare kafka\n"  # PostgreSQL comes with the packages
    passed(pytester, "--prepare", str(program))
    assert asked.read_text() == "prepare kafka\nprepare browser kafka\n"


def test_it_is_prepared_by_dev():
    functions = set(re.findall(r"^need_(\w+)\(\)", DEV.read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for name, need in NEEDS.items() if need.is_prepared} <= functions
    refused = subprocess.run([DEV, "prepare", "nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "./dev: there is no 'nonsense' to prepare" in refused.stderr


def test_what_a_fresh_machine_lacks_is_installed_by_dev_alone():
    """`./dev test` prepares everything that tests need, and a build machine calls that and nothing else."""
    (prepared,) = re.findall(r"^prepare_all\(\) \{ prepare (.+); \}$", DEV.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(prepared.split()) == {name for name, need in NEEDS.items() if need.is_prepared}
    build = (DEV.parent / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in build if not re.match(r"#|set |cd |export |exec </dev/null$|echo |$", line)] == [
        "./dev test"
    ]
    assert "$ ./dev test " in (DEV.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("need", "installed"),
    [
        ("browser", "chromium"),
        ("kafka", "openjdk-17-jre-headless maven kcat"),
        ("console", "curl jq"),
    ],
)
def test_what_is_missing_is_installed(tmp_path: Path, need: str, installed: str):
    hidden = {*NEEDS[need].programs, "mvn", "apt-get", "apt-cache", "id"}
    for folder in ("/bin", "/usr/bin"):
        for program in Path(folder).iterdir():
            if program.name not in hidden and not (tmp_path / program.name).exists():
                (tmp_path / program.name).symlink_to(program)
    for name, does in (("apt-get", f'echo "$@" >>{tmp_path}/asked'), ("apt-cache", "true"), ("id", "echo 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/")}
    subprocess.run([DEV, "prepare", need], env=env, capture_output=True, check=True)
    assert (tmp_path / "asked").read_text() == f"install -y -qq --no-install-recommends {installed}\n"


STARTS = """
    import os, subprocess, sys
    import pytest

    PROGRAM = {program!r}

    def here(): subprocess.run([PROGRAM], check=True)

    def spawned(): os.waitpid(os.posix_spawn(PROGRAM, [PROGRAM], os.environ), 0)

    def in_a_process(): subprocess.run(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.argv[1]], check=True)", PROGRAM], check=True
    )

    @pytest.fixture
    def started(): {way}()

    def test_in_the_call(): {way}()

    def test_in_a_fixture(started): pass

    @pytest.mark.{name}
    def test_declared(started): {way}()
"""


@pytest.mark.parametrize("way", ["here", "spawned", "in_a_process"])
def test_what_is_not_declared_is_not_started(pytester: pytest.Pytester, way: str):
    pytester.makepyfile(STARTS.format(program=str(harmless(pytester.path, "initdb")), name="postgres", way=way))
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*UndeclaredNeed: this test starts initdb, which it does not declare*"])


ENDS = """
    import os, subprocess
    import pytest

    def test_that_sets_its_whole_environment(monkeypatch):
        for name, text in dict(os.environ).items():
            monkeypatch.setenv(name, text)

    @pytest.fixture
    def started():
        yield
        subprocess.run([{program!r}], check=True)

    @pytest.mark.postgres
    def test_declared(started): pass
"""


def test_what_one_test_may_not_start_another_may(pytester: pytest.Pytester):
    pytester.makepyfile(ENDS.format(program=str(harmless(pytester.path, "initdb"))))
    run(pytester).assert_outcomes(passed=2)


@pytest.mark.parametrize("program", [program for need in NEEDS.values() for program in need.programs])
def test_every_program_of_a_need_is_watched(tmp_path: Path, program: str):
    with pytest.raises(RuntimeError, match=f"this test starts {program}, which it does not declare"):
        subprocess.run([harmless(tmp_path, program)], check=True)


def harmless(folder: Path, program: str) -> Path:
    """A program of this name that does nothing."""
    made = folder / program
    made.write_text("#!/bin/sh\n", encoding="utf-8")
    made.chmod(0o755)
    return made
