"""A run of tests leaves nothing in the temporary directory, and says which test did."""

import os
from pathlib import Path

import pytest

TESTS = """
    import subprocess, sys, tempfile
    from tests.temporary import temporary_folder

    def test_tidy():
        with temporary_folder() as folder:
            (folder / "file").write_text("something")

    def test_forgetful():
        {forgets}

    def test_another(): pass
"""
IN_THIS_PROCESS = "tempfile.mkdtemp(prefix='forgotten-')"
IN_ANOTHER = "subprocess.run([sys.executable, '-c', \"import tempfile; tempfile.mkdtemp(prefix='forgotten-')\"])"


def run(pytester: pytest.Pytester, *, forgets: str) -> pytest.RunResult:
    pytester.makepyfile(TESTS.format(forgets=forgets))
    return pytester.runpytest("-p", "tests.leftovers")


def check_that_it_says_who(result: pytest.RunResult) -> None:
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        ["tests left in the temporary directory:", "forgotten-*, first seen after *::test_forgetful"]
    )


@pytest.mark.parametrize("forgets", [IN_THIS_PROCESS, IN_ANOTHER])
def test_what_a_test_leaves_in_the_temporary_directory_fails_the_run(pytester: pytest.Pytester, forgets: str):
    check_that_it_says_who(run(pytester, forgets=forgets))


def test_what_a_test_leaves_fails_the_run_that_is_shared_among_processes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(TESTS.format(forgets=IN_THIS_PROCESS))
    check_that_it_says_who(pytester.runpytest_subprocess("-p", "xdist", "-p", "tests.leftovers", "--numprocesses=1"))


def test_a_run_that_leaves_nothing_passes(pytester: pytest.Pytester):
    run(pytester, forgets="pass").assert_outcomes(passed=3)
