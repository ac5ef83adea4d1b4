"""Messages as they stand, and that nothing personal of them is in a table."""

from typing import Any
from uuid import UUID

import pytest

from adapters.rules import RULES
from aggregates.account.messages import (
    DispatchMessage,
    MessageOutcome,
    ReportFailed,
    ReportSent,
    ReportUncertain,
    ResolveMessage,
    WithdrawMessage,
)
from aggregates.account.writing import SendMessage
from aggregates.kernel.memory import MemoryStore
from aggregates.values.contact import Channel
from projections.messages import MessagesProjection
from projections.messages.projection import Standing
from projections.questions.messages import MessageRow, messages
from tests.projections.conftest import ReadModels
from tests.projections.history import History

SECRET = "Grace Hopper"


class Messages:
    """An account, and messages to it."""

    def __init__(self) -> None:
        self.history = History(store=MemoryStore(RULES)).opened()
        self.account = self.history.account(name=SECRET)

    def send(self) -> dict[str, Any]:
        text = f"Dear {SECRET}"
        [queued] = self.history.give(SendMessage(account_id=self.account, channel=Channel.PORTAL, text=text))
        return {"account_id": self.account, "message_id": queued.event.message_id}  # type: ignore[attr-defined]

    def claim(self) -> dict[str, Any]:
        about = self.send()
        self.history.give(DispatchMessage(**about))
        return about


@pytest.fixture
def sent() -> Messages:
    """One of each state, the oldest first."""
    found = Messages()
    give, now = found.history.give, "2026-01-01T12:00:00Z"
    give(ReportSent.model_validate({**found.claim(), "body": SECRET, "body_sha256": "0" * 64, "sent_at": now}))
    give(ReportFailed(**found.claim(), code="refused", detail=f"{SECRET} does not live here"))
    give(WithdrawMessage(**found.send()))
    give(ReportUncertain(**found.claim()))
    for outcome in MessageOutcome:
        about = found.claim()
        give(ReportUncertain(**about))
        give(ResolveMessage(**about, outcome=outcome), reason=f"{SECRET} says so")
    found.claim()
    found.send()
    return found


STANDING = [
    (Standing.QUEUED, None, None),
    (Standing.DISPATCHED, None, None),
    (Standing.FAILED, "not-sent", None),
    (Standing.SENT, None, None),
    (Standing.UNCERTAIN, None, None),
    (Standing.WITHDRAWN, "taken-back", "a person took it back"),
    (Standing.FAILED, "refused", f"{SECRET} does not live here"),
    (Standing.SENT, None, None),
]


def asked(models: ReadModels, **about: Any) -> list[MessageRow]:
    """Two to a page."""
    page = messages(models.connection, models.log, limit=2, **about)
    found = [*page.rows]
    while page.next_cursor is not None:
        page = messages(models.connection, models.log, limit=2, cursor=page.next_cursor, **about)
        found += page.rows
    return found


@pytest.mark.parametrize("batch", [1, 3, 1_000])
def test_each_message_stands_as_its_last_event_says_the_newest_first(
    sent: Messages, read_models: ReadModels, batch: int
):
    read_models.build(sent.history.log, batch=batch)
    found = asked(read_models)
    assert [(each.state, each.code, each.detail) for each in found] == STANDING
    assert {(each.number, each.office, each.queued_by, each.step_id) for each in found} == {
        ("A-1", "main", "person:tester", None)
    }
    for state in Standing:
        assert [each.message_id for each in asked(read_models, state=state)] == [
            each.message_id for each in found if each.state is state
        ]
    assert asked(read_models, account_id=sent.account, office="main") == found
    assert asked(read_models, account_id=UUID(int=0)) == asked(read_models, office="other") == []


def test_no_table_has_what_was_written_or_answered(sent: Messages, read_models: ReadModels):
    read_models.build(sent.history.log)
    assert read_models.column("SELECT m FROM read_model.messages AS m WHERE m::text ~ %s", SECRET) == []


def test_an_event_that_is_told_again_changes_nothing(sent: Messages, read_models: ReadModels):
    read_models.build(sent.history.log)
    once = asked(read_models)
    for recorded in sent.history.log:
        read_models.write(MessagesProjection(), [recorded])
    assert asked(read_models) == once
