"""What is away is waited for, with pauses that grow; what is wrong is said at once."""

import threading
from collections.abc import Callable

import pytest
import structlog

from adapters.kafka.jars import KafkaAway, KafkaUnavailable
from adapters.postgres.database import Database
from adapters.postgres.errors import ConnectionFailed, ConnectionLost, DatabaseProblem, SchemaNotCurrent, ServerAway
from adapters.readers.backoff import Backoff
from adapters.stop import Stopped
from api.processes import supervise
from api.processes.supervise import when_there

NOBODY = "postgresql://127.0.0.1:1/nowhere"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited; it waits no moment."""
    asked: list[float] = []

    def pause(_: threading.Event, seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(supervise, "pause", pause)
    return asked


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def do() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return do


def test_what_is_away_is_waited_for_said_when_it_changes_and_when_it_is_over(pauses: list[float]):
    told: list[str | None] = []
    away, lost = ServerAway("nobody is there"), ConnectionLost("it went")
    with structlog.testing.capture_logs() as said:
        done = when_there(failing(away, away, lost, KafkaAway("no broker")), threading.Event(), told.append)
    assert done == "done"
    assert told == ["nobody is there", "nobody is there", "it went", "no broker", None]
    assert [each.get("said") for each in said] == ["nobody is there", "it went", "no broker", None]
    expected = Backoff()
    assert pauses == [expected.failed() for _ in range(4)]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("the password is wrong"),
        SchemaNotCurrent("it was not migrated"),
        DatabaseProblem("something else"),
        KafkaUnavailable("the login is refused"),
        ValueError("a defect"),
    ],
)
def test_what_is_wrong_is_not_waited_for(pauses: list[float], error: Exception):
    with pytest.raises(type(error)):
        when_there(failing(error), threading.Event(), lambda _: None)
    assert pauses == []


def test_whoever_is_told_to_end_waits_no_longer():
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        when_there(failing(ServerAway("nobody is there")), stop, lambda _: None)


def test_a_server_that_nobody_answers_for_is_away():
    with pytest.raises(ServerAway, match="cannot be reached"):
        Database(NOBODY).connect()


@pytest.mark.postgres
def test_a_server_that_refuses_us_is_not_away(database: Database):
    with pytest.raises(ConnectionFailed) as refused:
        Database(f"{database.dsn} dbname=nowhere").connect()
    assert not isinstance(refused.value, ServerAway)
