"""More is asked than can be done: each kind of work has its places, the rest is refused, and health is answered."""

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.http import report
from api.http.admission import LIMITS, Admission, Kind, Limits, kind_of
from api.http.connections import BOUNDS, Bounds
from api.http.health import Kept
from api.http.server import server_of
from api.http.web import collections_page
from api.processes.step_by_step import StepByStep
from projections import questions
from tests.api.http.client import Client, assert_problem

LONG = 60.0
"""Longer than any test waits: reached only where something is broken."""

ONE_PLACE = Limits(at_once=1, waiting=1, longest=LONG)


@dataclass
class Gate:
    """Where requests wait until the test lets them go on."""

    arrived: threading.Semaphore
    open: threading.Event
    begun: int = 0

    def pass_through(self) -> None:
        self.begun += 1
        self.arrived.release()
        assert self.open.wait(LONG)

    def wait_for(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.arrived.acquire(timeout=LONG)


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The question `/v1/report/summary` takes as long as the test wants."""
    gate = Gate(threading.Semaphore(0), threading.Event())

    def slow(*arguments: Any, **more: Any) -> Any:
        gate.pass_through()
        return questions.summary(*arguments, **more)

    monkeypatch.setattr(report, "summary", slow)
    yield gate
    gate.open.set()


@pytest.fixture
def serve(service: StepByStep, account: str) -> Iterator[Callable[..., str]]:
    """Serves with other limits and bounds; the address."""
    assert account
    service.drain()
    with ExitStack() as stack:

        def start(bounds: Bounds = BOUNDS, **limits: Limits) -> str:
            named = {Kind(name): each for name, each in limits.items()}
            return stack.enter_context(_served(service, bounds, {**LIMITS, **named}))

        yield start


@contextmanager
def _served(service: StepByStep, bounds: Bounds, limits: dict[Kind, Limits]) -> Iterator[str]:
    server = server_of(service, "127.0.0.1", 0, None, limits=limits, bounds=bounds)
    thread = threading.Thread(target=server.run)
    thread.start()
    _until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _in_thread(ask: Callable[[], Any]) -> "Asked":
    asked = Asked()

    def run() -> None:
        asked.answer = ask()

    asked.thread = threading.Thread(target=run, daemon=True)
    asked.thread.start()
    return asked


class Asked:
    """A request under way in another thread."""

    thread: threading.Thread
    answer: Any = None

    def result(self) -> Any:
        self.thread.join(LONG)
        return self.answer


def _ask(address: str, path: str = "/v1/report/summary") -> "Asked":
    return _in_thread(lambda: httpx.get(f"{address}{path}", timeout=LONG))


def _figure(address: str, name: str, **labels: str) -> float:
    text = httpx.get(f"{address}/metrics", timeout=LONG).text
    found = (s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name)
    return sum(sample.value for sample in found if labels.items() <= sample.labels.items())


def _waiting(address: str) -> float:
    return _figure(address, "arrears_http_waiting_requests", work="reports")


# --- places and queues ---


def test_every_kind_of_work_has_limits():
    assert LIMITS.keys() == set(Kind)
    threads = 40  # of anyio, which all kinds share: none may be kept from its places by another
    assert sum(each.at_once for each in LIMITS.values()) < threads


def test_the_page_lists_the_limits_as_they_are():
    page = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) \| (\d+) \| ([\d.]+) s \|$", page, re.MULTILINE)
    assert {Kind(kind): Limits(int(at_once), int(waiting), float(s)) for kind, at_once, waiting, s in listed} == LIMITS
    assert f"{BOUNDS.head:.0f} seconds for its head and {BOUNDS.body:.0f} for its body" in page
    assert f"{BOUNDS.open} connections may be open" in page


@pytest.mark.parametrize(
    ("method", "path", "headers", "kind"),
    [
        ("GET", "/health/live", {}, None),
        ("GET", "/health/ready", {}, None),
        ("GET", "/v1/report/aging", {}, Kind.REPORTS),
        ("GET", "/v1/kpi", {}, Kind.REPORTS),
        ("GET", "/v1/accounts/x/audit", {}, Kind.QUESTIONS),
        ("POST", "/v1/commands", {}, Kind.COMMANDS),
        ("PUT", "/v1/accounts/x/flags/vip", {"prefer": "respond-async"}, Kind.COMMANDS),
        ("POST", "/v1/commands", {"prefer": "wait=5"}, Kind.SHOWN),
        ("GET", "/", {}, Kind.PAGES),
        ("GET", "/accounts/x", {}, Kind.PAGES),
        ("GET", "/static/arrears.css", {}, Kind.FILES),
        ("GET", "/metrics", {}, Kind.FIGURES),
    ],
)
def test_requests_are_sorted_by_what_they_cost(method: str, path: str, headers: dict[str, str], kind: Kind | None):
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert kind_of({"type": "http", "method": method, "path": path, "headers": given}) == kind


def test_who_finds_the_queue_full_is_refused_and_the_others_are_answered(serve: Callable[..., str], summary: Gate):
    address = serve(reports=ONE_PLACE)
    refused_before = _figure(address, "arrears_http_requests_total", work="reports", outcome="refused")
    first = _ask(address)
    summary.wait_for()
    second = _ask(address)
    _until(lambda: _waiting(address) == 1)
    refused = httpx.get(f"{address}/v1/report/summary")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert_problem(refused)
    assert refused.json()["type"] == "urn:arrears:problem:overloaded"
    assert _figure(address, "arrears_http_running_requests", work="reports") == 1
    summary.open.set()
    assert [each.result().status_code for each in (first, second)] == [200, 200]
    refused_now = _figure(address, "arrears_http_requests_total", work="reports", outcome="refused")
    assert refused_now - refused_before == 1
    assert _figure(address, "arrears_http_running_requests", work="reports") == 0


def test_a_free_place_is_given_however_long_the_process_stood_still(serve: Callable[..., str]):
    address = serve(reports=Limits(at_once=1, waiting=0, longest=0.0))  # as if all of the time had gone by meanwhile
    assert [_ask(address).result().status_code for _ in range(3)] == [200, 200, 200]


def test_who_waits_too_long_is_refused(serve: Callable[..., str], summary: Gate):
    address = serve(reports=Limits(at_once=1, waiting=100, longest=0.05))
    first = _ask(address)
    summary.wait_for()
    assert [httpx.get(f"{address}/v1/report/summary").status_code for _ in range(3)] == [503] * 3
    summary.open.set()
    assert first.result().status_code == 200
    assert httpx.get(f"{address}/v1/report/summary").status_code == 200


def test_a_person_is_refused_on_a_page(serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch):
    gate = Gate(threading.Semaphore(0), threading.Event())

    def slow(*arguments: Any, **more: Any) -> Any:
        gate.pass_through()
        return questions.summary(*arguments, **more)

    monkeypatch.setattr(collections_page, "summary", slow)
    address = serve(pages=Limits(at_once=1, waiting=0, longest=LONG))
    first = _ask(address, "/")
    gate.wait_for()
    refused = httpx.get(address, headers={"Accept": "text/html"})
    gate.open.set()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "nothing was done, try again" in refused.text
    assert first.result().status_code == 200


def test_one_kind_of_work_does_not_hold_up_another(serve: Callable[..., str], summary: Gate):
    address = serve(reports=ONE_PLACE)
    asked = [_ask(address) for _ in range(2)]
    summary.wait_for()
    assert httpx.get(address, headers={"Accept": "text/html"}).status_code == 200
    assert httpx.get(f"{address}/static/arrears.css").status_code == 200
    assert httpx.put(f"{address}/v1/accounts/x/flags/vip", timeout=LONG).status_code == 422
    for path in ("live", "ready"):
        assert httpx.get(f"{address}/health/{path}").status_code == 200
    summary.open.set()
    assert {each.result().status_code for each in asked} == {200}


# --- who leaves ---


def test_who_left_while_waiting_costs_nothing(serve: Callable[..., str], summary: Gate):
    address = serve(reports=Limits(at_once=1, waiting=1_000, longest=LONG))
    dropped_before = _figure(address, "arrears_http_requests_total", work="reports", outcome="dropped")
    first = _ask(address)
    summary.wait_for()
    leaving = [_connected(address) for _ in range(200)]
    for each in leaving:
        each.sendall(b"GET /v1/report/summary HTTP/1.1\r\nHost: localhost\r\n\r\n")
    _until(lambda: _waiting(address) == 200)
    assert httpx.get(f"{address}/health/live").status_code == 200
    for each in leaving:
        each.close()
    _until(lambda: _waiting(address) == 0)
    summary.open.set()
    assert first.result().status_code == 200
    assert summary.begun == 1
    dropped_now = _figure(address, "arrears_http_requests_total", work="reports", outcome="dropped")
    assert dropped_now - dropped_before == 200


def test_the_statement_of_who_left_is_cancelled(
    serve: Callable[..., str], service: StepByStep, monkeypatch: pytest.MonkeyPatch
):
    def endless(connection: Any, **_: Any) -> None:
        connection.execute("SELECT pg_sleep(600) /* nobody waits */")

    monkeypatch.setattr(report, "summary", endless)
    address = serve()
    asking = _connected(address)
    asking.sendall(b"GET /v1/report/summary HTTP/1.1\r\nHost: localhost\r\n\r\n")
    _until(lambda: _sleeping(service) == 1)
    asking.close()
    _until(lambda: _sleeping(service) == 0)
    monkeypatch.undo()
    assert httpx.get(f"{address}/v1/report/summary").status_code == 200


def _sleeping(service: StepByStep) -> int:
    with service.database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%nobody waits%' AND state = 'active'"
            " AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_command_that_began_is_carried_out_though_its_caller_left(
    serve: Callable[..., str], service: StepByStep, account: str, client: Client, monkeypatch: pytest.MonkeyPatch
):
    gate, handle = Gate(threading.Semaphore(0), threading.Event()), service.arrears.handle

    def slow(commands: Any) -> Any:
        gate.pass_through()
        return handle(commands)

    monkeypatch.setattr(service.arrears, "handle", slow)
    address = serve()
    asking = _connected(address)
    asking.sendall(f"PUT {account}/flags/vip HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    gate.wait_for()
    asking.close()
    gate.open.set()
    _until(lambda: client.get(account).json()["flags"] == ["vip"])


def test_who_does_not_take_an_answer_holds_no_place():
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("worked out")(scope, receive, send)

    async def ask() -> None:
        admission = Admission(answer, limits={Kind.QUESTIONS: ONE_PLACE})
        taken, begun = asyncio.Event(), asyncio.Event()

        async def take_slowly(message: Message) -> None:
            if message["type"] == "http.response.body":
                begun.set()
                await taken.wait()

        async def take(message: Message) -> None:
            assert message.get("status", 200) == 200

        slow = asyncio.create_task(admission(_question(), _said_all(), take_slowly))
        await begun.wait()
        await asyncio.wait_for(admission(_question(), _said_all(), take), LONG)
        taken.set()
        await slow

    asyncio.run(ask())


def _question() -> Scope:
    return {"type": "http", "method": "GET", "path": "/v1/offices", "headers": [], "state": {}}


def _said_all() -> Receive:
    """Of a client that has no more to say and stays."""
    said: list[Message] = [{"type": "http.request"}]

    async def receive() -> Message:
        if not said:
            await asyncio.Event().wait()
        return said.pop()

    return receive


# --- connections ---


def _connected(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=LONG)


def _takes_nobody(address: str) -> bool:
    try:
        _connected(address).close()
    except ConnectionRefusedError:
        return True
    return False


def _answer(connection: socket.socket) -> str:
    """Everything that is said until the connection is closed."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            said += part
    return said.decode()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /health/live HTTP/1.1\r\nHost: local",
        b'POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"name"',
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_who_does_not_finish_a_request_is_not_waited_for(serve: Callable[..., str], said: bytes):
    address = serve(Bounds(head=0.1, body=0.1))
    with _connected(address) as connection:
        connection.sendall(said)
        answer = _answer(connection)
    assert answer.startswith("HTTP/1.1 408 ")
    assert "urn:arrears:problem:request-timeout" in answer


def test_who_was_answered_and_goes_on_with_a_body_is_not_waited_for(serve: Callable[..., str]):
    """Nothing reads the body of a request that was refused at the gate."""
    address = serve(Bounds(body=0.1))
    with _connected(address) as connection:
        connection.sendall(b"POST /v1/commands HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 100\r\n\r\nx")
        assert _answer(connection).startswith("HTTP/1.1 421 ")


def test_a_byte_now_and_then_does_not_keep_a_connection_open(serve: Callable[..., str]):
    address = serve(Bounds(head=0.2))
    began = time.monotonic()
    with _connected(address) as connection, contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\n")
        while time.monotonic() < began + LONG:
            connection.sendall(b"X-More: 1\r\n")
            connection.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    break
                connection.settimeout(LONG)
                _answer(connection)
                break
    assert time.monotonic() < began + LONG


def test_a_request_in_parts_is_answered(serve: Callable[..., str]):
    address = serve(Bounds(head=LONG, body=LONG))
    with _connected(address) as connection:
        for part in (b"GET /health/live HT", b"TP/1.1\r\nHost: localhost\r\n", b"Connection: close\r\n\r\n"):
            connection.sendall(part)
        assert _answer(connection).startswith("HTTP/1.1 200 ")


def test_who_does_not_take_an_answer_is_not_waited_for(serve: Callable[..., str]):
    address = serve(Bounds(answer=0.2))
    before = _figure(address, "arrears_http_closed_connections_total", reason="slow-reader")
    with _connected(address) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1_000)
        _until(lambda: _figure(address, "arrears_http_closed_connections_total", reason="slow-reader") > before)


def test_the_longest_idle_connection_makes_room(serve: Callable[..., str]):
    address = serve(Bounds(open=5, head=LONG))
    with ExitStack() as stack:
        idle = [stack.enter_context(_connected(address)) for _ in range(5)]
        _until(lambda: _figure(address, "arrears_http_connections") >= 5)
        assert httpx.get(f"{address}/health/live").status_code == 200
        assert _answer(idle[0]) == ""


def test_health_is_answered_where_every_connection_is_busy(serve: Callable[..., str], summary: Gate):
    address = serve(Bounds(open=2, spare=1), reports=Limits(at_once=2, waiting=10, longest=LONG))
    asked = [_ask(address) for _ in range(2)]
    summary.wait_for(len(asked))
    assert httpx.get(f"{address}/health/live").status_code == 200
    refused = httpx.get(f"{address}/v1/offices")
    assert (refused.status_code, refused.headers["connection"]) == (503, "close")
    assert_problem(refused)
    summary.open.set()
    assert [each.result().status_code for each in asked] == [200, 200]


def test_what_is_no_http_is_said_in_the_one_error_shape(serve: Callable[..., str]):
    address = serve()
    with _connected(address) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = _answer(connection)
    assert answer.startswith("HTTP/1.1 400 ")
    assert "application/problem+json" in answer


# --- the end ---


def test_what_is_under_way_is_finished_before_the_server_ends(service: StepByStep, office: str, summary: Gate):
    assert office
    service.drain()
    server = server_of(service, "127.0.0.1", 0, None)
    thread = threading.Thread(target=server.run)
    thread.start()
    _until(lambda: server.started)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    asked = _ask(address)
    summary.wait_for()
    server.should_exit = True
    _until(lambda: _takes_nobody(address))
    summary.open.set()
    assert asked.result().status_code == 200
    thread.join(LONG)
    assert not thread.is_alive()


# --- readiness ---


def test_readiness_is_looked_at_once_for_all_who_ask_and_kept_for_a_moment():
    now, looked = [0.0], []

    def check() -> str | None:
        looked.append(now[0])
        return "not built" if len(looked) == 1 else None

    async def ask() -> None:
        kept = Kept(check, clock=lambda: now[0])
        assert set(await asyncio.gather(*(kept.problem() for _ in range(50)))) == {"not built"}
        assert await kept.problem() == "not built"
        now[0] = 2.0
        assert await kept.problem() is None

    asyncio.run(ask())
    assert looked == [0.0, 2.0]
