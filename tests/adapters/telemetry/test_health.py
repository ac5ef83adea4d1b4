"""The health server: over a real socket, what it answers when all is well and when it is not."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from adapters.postgres.database import Database
from adapters.telemetry.checks import database_answers, projections_built, readers_go_on
from adapters.telemetry.health import HealthServer
from adapters.telemetry.heartbeat import Heartbeat
from adapters.telemetry.store_collector import StoreCollector
from tests.waiting import HANG


def ask(server: HealthServer, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, bytes]:
    connection = HTTPConnection(host, server.port, timeout=HANG)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def report(server: HealthServer, path: str) -> tuple[int, Any]:
    status, media_type, body = ask(server, path)
    assert media_type == "application/json"
    return status, json.loads(body)


@pytest.fixture
def plain() -> Iterator[HealthServer]:
    with HealthServer(0) as server:
        yield server


def test_a_process_without_checks_lives_and_is_ready(plain: HealthServer):
    assert report(plain, "/live") == (200, {"status": "live", "checks": {}})
    assert report(plain, "/ready?verbose") == (200, {"status": "ready", "checks": {}})


def test_what_is_wrong_is_said_of_each_check():
    checks = {"database": lambda: None, "kafka": lambda: "no broker answers"}
    with HealthServer(0, checks=checks) as server:
        assert report(server, "/ready") == (
            503,
            {
                "status": "not-ready",
                "checks": {"database": {"ok": True}, "kafka": {"ok": False, "problem": "no broker answers"}},
            },
        )
        assert report(server, "/live")[0] == 200


def test_a_check_that_raises_has_failed_and_its_text_stays_here():
    def broken() -> str | None:
        raise ValueError("secret")

    with HealthServer(0, checks={"odd": broken}) as server:
        status, said = report(server, "/ready")
    assert status == 503
    assert said["checks"]["odd"] == {"ok": False, "problem": "the check failed: ValueError"}


def test_a_loop_that_stopped_beating_is_not_alive():
    seconds = [0.0]
    beating = Heartbeat("beating", within=10, now=lambda: seconds[0])
    stuck = Heartbeat("stuck", within=10, now=lambda: seconds[0])
    with HealthServer(0, heartbeats=[beating, stuck]) as server:
        assert report(server, "/live")[0] == 200
        seconds[0] = 11.0
        beating.beat()
        status, said = report(server, "/live")
    assert status == 503
    assert said["status"] == "stuck"
    assert said["checks"]["beating"] == {"ok": True}
    assert "no sign of life for 11 s" in said["checks"]["stuck"]["problem"]


def test_metrics_are_those_of_the_process_and_of_its_collectors(database: Database):
    with HealthServer(0, collectors=[StoreCollector(database)]) as server:
        status, media_type, text = ask(server, "/metrics")
    assert status == 200
    assert media_type.startswith("text/plain")
    assert b"\narrears_database_up 1.0\n" in text
    assert b"\narrears_ticks_total " in text


def test_an_outage_of_the_database_does_not_hide_the_other_metrics():
    with HealthServer(0, collectors=[StoreCollector(Database("postgresql://127.0.0.1:1/nowhere"))]) as server:
        status, _, text = ask(server, "/metrics")
    assert status == 200
    assert b"\narrears_database_up 0.0\n" in text
    assert b"\narrears_ticks_total " in text


def test_other_paths_and_methods_are_refused(plain: HealthServer):
    assert ask(plain, "/nowhere")[0] == 404
    assert ask(plain, "/live", method="POST")[0] == 501
    status, _, body = ask(plain, "/live", method="HEAD")
    assert (status, body) == (200, b"")


def test_it_answers_this_machine_only_unless_told_another_address():
    with HealthServer(0) as server:
        assert server._server.server_address[0] == "127.0.0.1"
    with HealthServer(0, host="0.0.0.0") as server:
        assert ask(server, "/live")[0] == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_it_takes_an_ipv6_address():
    try:
        server = HealthServer(0, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 address")
    with server:
        assert ask(server, "/live", host="::1")[0] == 200


def test_a_port_that_is_taken_is_said_at_once(plain: HealthServer):
    with pytest.raises(OSError, match="in use"):
        HealthServer(plain.port)


def test_its_end_frees_the_port():
    with HealthServer(0) as server:
        port = server.port
    with HealthServer(port) as again:
        assert ask(again, "/live")[0] == 200


# --- checks --------------------------------------------------------------------------------------------


def test_the_database_check_says_what_is_wrong(database: Database, empty_database: Database):
    assert database_answers(database)() is None
    assert "checkpoints" in (database_answers(empty_database)() or "")
    assert database_answers(Database("postgresql://127.0.0.1:1/nowhere"))() is not None


def test_a_server_that_cannot_begin_a_connection_for_want_of_room_is_a_full_disk(monkeypatch: pytest.MonkeyPatch):
    def refused(*args: object, **more: object) -> None:
        raise psycopg.OperationalError("FATAL:  could not write init file: No space left on device")

    monkeypatch.setattr(psycopg, "connect", refused)
    said = database_answers(Database("postgresql://127.0.0.1:1/nowhere"))()
    assert said == "nothing can be stored: FATAL:  could not write init file: No space left on device"


def test_a_reader_of_the_process_that_stands_still_is_said_and_no_other(database: Database):
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO read_model.projections (name, generation, version, schema, public, state)"
            " VALUES ('ledger', 1, 1, 'one', '{}', 'live'), ('ledger', 2, 1, 'two', '{}', 'building')"
        )
        connection.execute(
            "INSERT INTO read_model.checkpoints (reader, position, trouble) VALUES"
            " ('policies', 1, 'TopicCut: gone'), ('ledger@1', 1, NULL), ('ledger@2', 0, 'it ended')"
        )
    assert readers_go_on(database, ["policies"])() == "policies stands still: TopicCut: gone"
    assert readers_go_on(database, ["ledger", "delivery"])() is None


def test_a_loop_that_is_stuck_is_not_ready():
    seconds = [0.0]
    with HealthServer(0, heartbeats=[Heartbeat("loop", within=10, now=lambda: seconds[0])]) as server:
        assert report(server, "/ready")[0] == 200
        seconds[0] = 11.0
        assert report(server, "/ready")[0] == 503


def test_projections_are_built_once_each_has_a_live_generation():
    def status(*found: tuple[str, str]) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name, state=state) for name, state in found]

    live = [("ledger", "live"), ("agenda", "building"), ("agenda", "live")]
    assert projections_built(lambda: status(*live))() is None
    assert projections_built(lambda: status(("agenda", "building")))() == "not built yet: agenda"
    assert projections_built(list)() == "not built yet: every projection"
