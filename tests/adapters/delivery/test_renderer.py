"""Processes that fill in texts: limited, replaced when they end, and none of them takes anybody else with it."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.delivery.placeholders import example_values
from adapters.delivery.renderer import Draft, Limits, NotRendered, Renderer, RendererUnavailable
from tests.adapters.delivery.hostile import HOSTILE, TOO_LONG

MOST = 100_000

WORK = "{% for i in invoices %}" + "{% if not loop.length %}x{% endif %}" * 160 + "{% endfor %}"
"""As much work as a text can be for each invoice, of which nothing is seen."""

Make = Callable[..., Renderer]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Renderer] = []

    def new(limits: Limits | None = None, **more: int) -> Renderer:
        made.append(Renderer(limits or Limits(), **more))
        return made[-1]

    yield new
    for renderer in made:
        renderer.close()


def draft(*texts: str, invoices: int = 1, most: int = MOST) -> Draft:
    """About an account with so many invoices."""
    values = example_values()
    return Draft(texts, {**values, "invoices": values["invoices"][:1] * invoices}, most)


GOOD = draft("Dear {{ customer_name }}", "{{ account_number }}")
GOOD_TEXTS = ("Dear Ironbridge Machine Works Inc.", "104168")


def children() -> set[int]:
    """Ids of the processes that fill in texts for this one, and have not ended."""
    mine = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = {int(each) for file in mine for each in file.read_text().split()}
    return {each for each in found if b"rendering_process" in Path(f"/proc/{each}/cmdline").read_bytes()}


def seconds_of_work(process: int) -> float:
    """What the operating system has counted for the process."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# --- texts -------------------------------------------------------------------------------------------


def test_drafts_are_answered_in_their_order(make: Make):
    asked = [draft(f"{number} {{{{ office }}}}") for number in range(50)]
    assert make().render(asked) == [(f"{number} Main office",) for number in range(50)]


def test_text_of_every_script_comes_back_as_it_was(make: Make):
    name = "Zoë \N{SNOWMAN} 株式会社 \U0001f600 \udc80 \u2028 \x07"
    [texts] = make().render([Draft(("{{ customer_name }}",), {"customer_name": name}, MOST)])
    assert texts == (name,)


def test_a_hostile_text_fails_and_those_beside_it_are_written(make: Make):
    hostile = [draft(text) for text in (*HOSTILE.values(), *TOO_LONG.values())]
    renderer = make()
    answers = renderer.render([each for bad in hostile for each in (bad, GOOD)])
    assert [each.code for each in answers[::2] if isinstance(each, NotRendered)] == ["bad-template"] * len(hostile)
    assert answers[1::2] == [GOOD_TEXTS] * len(hostile)


def test_one_bad_text_of_a_message_fails_the_message(make: Make):
    [answer] = make().render([draft("Dear {{ customer_name }}", "{{ 1/0 }}")])
    assert isinstance(answer, NotRendered)


# --- limits ------------------------------------------------------------------------------------------


def test_a_text_that_works_too_long_is_ended_and_the_next_one_is_written(make: Make):
    renderer = make(Limits(cpu_seconds=1))
    answers = renderer.render([GOOD, draft(WORK, invoices=100_000), GOOD])
    assert answers[::2] == [GOOD_TEXTS, GOOD_TEXTS]
    assert answers[1] == NotRendered("rendering-stopped", "it takes more than 1 seconds of work")


def test_a_text_that_takes_too_much_memory_fails_and_the_next_one_is_written(make: Make):
    renderer = make(Limits(memory=128 * 1024 * 1024, cpu_seconds=60))
    assert renderer.render([draft("{{ office }}", invoices=10_000)]) == [("Main office",)]
    too_much, after = renderer.render([draft("{{ office }}", invoices=600_000), GOOD])
    assert isinstance(too_much, NotRendered)
    assert too_much.code == "rendering-stopped"
    assert after == GOOD_TEXTS


def test_a_text_that_becomes_too_long_fails(make: Make):
    answers = make().render([draft("{{ customer_name }}", most=10), GOOD])
    assert answers == [NotRendered("text-too-long", "more than 10 characters"), GOOD_TEXTS]


def test_the_time_that_a_process_has_is_for_each_text_anew(make: Make):
    """A process that is kept would otherwise be ended after some thousand innocent texts."""
    renderer = make(Limits(cpu_seconds=1))
    before = children()
    renderer.render([GOOD])
    [process] = children() - before
    while seconds_of_work(process) < 2:
        assert renderer.render([draft(WORK, invoices=150)] * 5) == [("",)] * 5
    assert children() - before == {process}


# --- processes that end ------------------------------------------------------------------------------


def test_a_process_is_started_when_it_is_needed_and_kept(make: Make):
    before = children()
    renderer = make()
    assert children() == before
    renderer.render([GOOD])
    started = children() - before
    renderer.render([GOOD])
    assert children() - before == started
    assert len(started) == 1
    renderer.close()
    assert children() == before


def test_a_process_that_somebody_ended_fails_nobodys_text(make: Make):
    before = children()
    renderer = make()
    renderer.render([GOOD])
    [process] = children() - before
    os.kill(process, signal.SIGKILL)
    assert renderer.render([GOOD, GOOD]) == [GOOD_TEXTS, GOOD_TEXTS]


def test_a_process_that_stands_still_is_ended(make: Make):
    before = children()
    renderer = make(Limits(wall_seconds=5))
    renderer.render([GOOD])
    [process] = children() - before
    os.kill(process, signal.SIGSTOP)
    assert renderer.render([GOOD]) == [NotRendered("rendering-stopped", "it was not made within 5 seconds")]
    assert process not in children()


def test_where_no_process_can_be_started_no_text_is_to_blame(make: Make, monkeypatch: pytest.MonkeyPatch):
    renderer = make()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(RendererUnavailable, match="can be started"):
        renderer.render([GOOD])
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(RendererUnavailable, match="does not start"):
        renderer.render([GOOD])
    monkeypatch.undo()
    assert renderer.render([GOOD]) == [GOOD_TEXTS]


def test_threads_share_the_processes_and_each_gets_its_own_texts(make: Make):
    before = children()
    renderer, answers = make(most_processes=2), {}

    def ask(number: int) -> None:
        answers[number] = renderer.render([draft(f"{number} {{{{ office }}}}")] * 20)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [(f"{number} Main office",)] * 20 for number in range(8)}
    assert 1 <= len(children() - before) <= 2


def test_nothing_of_a_text_is_logged(make: Make):
    with capture_logs() as logs:
        make(Limits(cpu_seconds=1)).render([draft("secret" + WORK, invoices=100_000)])
    assert logs
    assert "secret" not in str(logs)


def test_a_process_knows_no_key(make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ARREARS_MASTER_KEY", "secret")
    before = children()
    make().render([GOOD])
    [process] = children() - before
    assert b"secret" not in Path(f"/proc/{process}/environ").read_bytes()


STARTS_ONE = """
from pathlib import Path
from adapters.delivery.renderer import Draft, Renderer
renderer = Renderer()
renderer.render([Draft(("x",), {}, 10)])
print(*[each.read_text() for each in Path("/proc/self/task").glob("*/children")], flush=True)
input()
"""


def test_a_process_ends_with_whoever_started_it_however_that_ends():
    starter = subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with starter:
        assert starter.stdout is not None
        watched = os.pidfd_open(int(starter.stdout.readline()))
        starter.kill()
    ended = select.poll()
    ended.register(watched, select.POLLIN)
    assert ended.poll(60_000)
    os.close(watched)
