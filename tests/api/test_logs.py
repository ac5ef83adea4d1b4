"""Logs are JSON where nobody looks, carry the correlation id, and hold no personal data and no secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog
from pydantic import BaseModel, ValidationError

from api import logs


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.delenv(logs.LEVEL_VARIABLE, raising=False)
    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    stream = io.StringIO()
    logs.configure(default="info", stream=stream)
    yield stream
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


def last(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_a_line_says_what_when_and_for_which_request(written: io.StringIO):
    with structlog.contextvars.bound_contextvars(correlation_id="c-1"):
        structlog.get_logger("arrears.test").info("imported", rows=3)
    line = last(written)
    assert (line["event"], line["rows"], line["correlation_id"], line["level"]) == ("imported", 3, "c-1", "info")
    assert line["at"].endswith("Z")


def test_libraries_write_the_same_lines(written: io.StringIO):
    logging.getLogger("psycopg.pool").warning("no connection to %s", "host")
    assert last(written)["event"] == "no connection to host"


def test_a_slow_machine_is_no_warning_of_kafkas_client(written: io.StringIO):
    client = logging.getLogger("kafka.net.selector")
    client.warning("Task %r ran for 0.182s", "Task")
    assert not written.getvalue()
    client.error("Unhandled exception in task %s", "Task")
    assert last(written)["level"] == "error"


@pytest.mark.parametrize("key", ["token", "customer_name", "email", "Authorization", "body", "master_key"])
def test_personal_data_and_secrets_are_left_out_however_deep(written: io.StringIO, key: str):
    structlog.get_logger("t").info("sent", **{key: "Ada"}, account={"at": [{key: "Ada"}]})
    assert "Ada" not in written.getvalue()
    assert last(written)[key] == logs.LEFT_OUT


def test_a_password_in_an_address_is_left_out(written: io.StringIO):
    structlog.get_logger("t").info("connecting", to="postgresql://arrears:s3cret@db.example.com/arrears")
    assert last(written)["to"] == "postgresql://arrears:[left out]@db.example.com/arrears"


class Person(BaseModel):
    age: int


def test_an_exception_keeps_its_frames_and_not_the_data_it_quotes(written: io.StringIO):
    who = "ada lovelace".title()  # a name that stands nowhere in this file, which the frames quote
    try:
        Person.model_validate({"age": who})
    except ValidationError:
        structlog.get_logger("t").exception("unreadable")
    line = last(written)
    assert "Ada" not in written.getvalue()
    assert "ValidationError: age: int_parsing" in line["exception"]
    assert "test_logs.py" in line["exception"]


def test_what_the_database_quotes_of_a_row_is_left_out():
    error = psycopg.errors.UniqueViolation("duplicate key\nDETAIL: Key (name)=(Ada) already exists.")
    assert logs.said(error) == "duplicate key"


def test_the_environment_says_how_much_is_told(written: io.StringIO, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(logs.LEVEL_VARIABLE, "error")
    logs.configure(stream=written)
    structlog.get_logger("t").warning("careful")
    assert written.getvalue() == ""
