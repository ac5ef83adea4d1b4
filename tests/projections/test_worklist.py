"""What has to be done about accounts: what opens and ends it, who sees it when, in which order, and why."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from aggregates.account.activities import (
    ActivityKind,
    CompleteFollowUp,
    CorrectActivity,
    Direction,
    EndCall,
    RecordActivity,
)
from aggregates.account.calls import StartCall
from aggregates.account.complaints import AnswerComplaint, RecordComplaint
from aggregates.account.disputes import DisputedInvoice, OpenDispute, ResolveDispute
from aggregates.account.inbound import Incoming, MarkMessageRead, ReceiveMessage
from aggregates.account.messages import DispatchMessage, MessageOutcome, ReportSent, ReportUncertain, ResolveMessage
from aggregates.account.payment_claims import ClaimPayment, DecidePaymentClaim, PaymentClaimDecision
from aggregates.account.worklist import ReassignWorklistItem, SnoozeWorklistItem
from aggregates.account.writing import SendMessage
from aggregates.values.contact import Channel
from aggregates.workday import CloseWorkday
from projections.questions import ReportRefused
from projections.questions.worklist import (
    WorklistItem,
    closed_days,
    count_of_agent,
    done_by,
    last_closed_day,
    undocumented,
    worklist,
)
from projections.worklist import WorklistProjection
from projections.worklist.kinds import KINDS
from tests.builders import ACCOUNT, APR, MAR, OFFICE, a_promise, an_invoice, usd
from tests.given import Given, World, given_auto_collection, live
from tests.projections.conftest import ReadModels

CONTACTS = ("call", "call-started", "sms", "email", "letter")


def a_task(day: date, assignee: str | None = "kim", **more: Any) -> RecordActivity:
    return RecordActivity.model_validate(
        {
            "account_id": ACCOUNT,
            "kind": "task",
            "direction": "internal",
            "follow_up_on": day,
            "assignee": assignee,
            **more,
        }
    )


def a_world(*history: Given) -> World:
    """An account that owes 100 dollars since March 2."""
    return given_auto_collection(an_invoice(due_on=MAR(2)), MAR(9), *history).world


class Asked:
    """The worklist of a world."""

    def __init__(self, models: ReadModels, world: World, **built: Any) -> None:
        self.models, self.world = models, world
        models.build(world.log, **built)

    def at(self, day: date, hour: int = 12, **asked: Any) -> list[WorklistItem]:
        """Two to a page, as at a wall-clock time of the office."""
        asked["now"] = self.world.at(day, hour)
        page = worklist(self.models.connection, limit=2, **asked)
        found = [*page.rows]
        while page.next_cursor is not None:
            page = worklist(self.models.connection, limit=2, cursor=page.next_cursor, **asked)
            found += page.rows
        return found

    def kinds(self, day: date, **asked: Any) -> list[str]:
        return [each.kind for each in self.at(day, **asked)]


def of(world: World, *, complaint: bool = False, claim: bool = False, dispute: bool = False) -> dict[str, Any]:
    """Which account, and which case that is open on it."""
    said: dict[str, Any] = {"account_id": ACCOUNT}
    if complaint:
        [said["complaint_id"]] = world.account.complaints.open
    if claim:
        [said["claim_id"]] = world.account.payment_claims.open
    if dispute:
        [said["dispute_id"]] = world.account.disputes.open
    return said


# --- what opens and ends it --------------------------------------------------------------------------


def end_call(world: World) -> EndCall:
    [call_id] = world.account.calls.open
    return EndCall(account_id=ACCOUNT, call_id=call_id, disposition="no-answer")


def document(world: World) -> CorrectActivity:
    [activity_id] = world.account.activities.undocumented
    return CorrectActivity(account_id=ACCOUNT, activity_id=activity_id, disposition="delivered")


def follow_up(world: World) -> CompleteFollowUp:
    [activity_id] = world.account.activities.follow_ups
    return CompleteFollowUp(account_id=ACCOUNT, activity_id=activity_id)


def corrected(world: World) -> CorrectActivity:
    [activity_id] = world.account.activities.follow_ups
    return CorrectActivity(account_id=ACCOUNT, activity_id=activity_id)


def an_uncertain_message(world: World) -> None:
    world.do(SendMessage(account_id=ACCOUNT, channel=Channel.PORTAL, text="Please call us."))
    [message_id] = world.account.messages.under_way
    world.do(DispatchMessage(account_id=ACCOUNT, message_id=message_id))
    world.do(ReportUncertain(account_id=ACCOUNT, message_id=message_id))


def resolved(world: World) -> ResolveMessage:
    [message_id] = world.account.messages.under_way
    return ResolveMessage(account_id=ACCOUNT, message_id=message_id, outcome=MessageOutcome.SENT)


def sent_after_all(world: World) -> ReportSent:
    [message_id] = world.account.messages.under_way
    return ReportSent(account_id=ACCOUNT, message_id=message_id, body="", body_sha256="0" * 64, sent_at=world.now)


def a_reply(world: World) -> None:
    world.do(ReceiveMessage(account_id=ACCOUNT, channel=Incoming.SMS, sender="+12125550100", text="I paid on Friday."))


def read(world: World) -> MarkMessageRead:
    [inbound_id] = world.account.inbound.to_read
    return MarkMessageRead(account_id=ACCOUNT, inbound_id=inbound_id)


LIVES: list[tuple[str, str | None, Iterable[Given], Callable[[World], Any]]] = [
    ("undocumented", "tester", [StartCall(account_id=ACCOUNT)], end_call),
    ("undocumented", "tester", [RecordActivity(account_id=ACCOUNT, kind=ActivityKind.LETTER)], document),
    ("follow-up", "kim", [a_task(MAR(9))], follow_up),
    ("follow-up", None, [a_task(MAR(9), None)], corrected),
    ("broken-promise", "kim", [a_promise(usd(40), due_on=MAR(10), assignee="kim"), live(MAR(20))], follow_up),
    (
        "complaint",
        "kim",
        [RecordComplaint(account_id=ACCOUNT, subject="rude", answer_by=MAR(12), assignee="kim")],
        lambda world: AnswerComplaint(**of(world, complaint=True)),
    ),
    (
        "dispute",
        "kim",
        [OpenDispute(account_id=ACCOUNT, reason_code="price", answer_by=MAR(12), assignee="kim")],
        lambda world: ResolveDispute(**of(world, dispute=True), resolution="unfounded"),
    ),
    (
        "payment-claim",
        "kim",
        [ClaimPayment(account_id=ACCOUNT, assignee="kim")],
        lambda world: DecidePaymentClaim(**of(world, claim=True), decision=PaymentClaimDecision.ACCEPTED),
    ),
    ("payment-claim", "kim", [ClaimPayment(account_id=ACCOUNT, assignee="kim"), live(APR(1))], follow_up),
    ("reply", None, [a_reply], read),
    ("uncertain-message", None, [an_uncertain_message], resolved),
    ("uncertain-message", None, [an_uncertain_message], sent_after_all),
]


@pytest.mark.parametrize("batch", [1, 1_000])
def test_each_kind_is_opened_by_what_happens_and_goes_with_what_ends_it(read_models: ReadModels, batch: int):
    for kind, assignee, history, ends in LIVES:
        world = a_world(*history)
        [item] = Asked(read_models, world, batch=batch).at(world.today)
        assert (item.kind, item.assignee) == (kind, assignee)
        assert (item.number, item.office, item.customer_name) == ("A-1", "main", "Ada Lovelace")
        world.do(ends(world), actor="person:lee")
        assert Asked(read_models, world, batch=batch).at(world.today) == []
    assert {kind for kind, *_ in LIVES} == {kind.name for kind in KINDS if kind.ends}


def test_a_task_of_a_case_is_not_shown_beside_it_and_by_itself_once_that_is_over(read_models: ReadModels):
    complaint = RecordComplaint(account_id=ACCOUNT, subject="rude", answer_by=MAR(12), assignee="kim")
    world = a_world(complaint, live(MAR(14)))
    [case] = Asked(read_models, world).at(MAR(14))
    assert (case.kind, case.due_on) == ("complaint", MAR(12))
    world.do(AnswerComplaint(**of(world, complaint=True)))
    [task] = Asked(read_models, world).at(MAR(14))
    assert (task.kind, task.item_id in world.account.activities.follow_ups) == ("complaint", True)
    world.do(follow_up(world))
    assert Asked(read_models, world).at(MAR(14)) == []


# --- who sees it when --------------------------------------------------------------------------------


def test_an_agent_sees_what_is_theirs_and_what_is_nobody_s(read_models: ReadModels):
    world = a_world(a_task(MAR(9), "kim"), a_task(MAR(9), "person:lee"), a_task(MAR(9), None))
    asked = Asked(read_models, world)
    assert [each.assignee for each in asked.at(MAR(9), agent="kim")] == ["kim", None]
    assert {each.assignee for each in asked.at(MAR(9), agent="person:lee")} == {"lee", None}
    assert len(asked.at(MAR(9))) == 3
    assert asked.at(MAR(9), office="other") == asked.at(MAR(9), kind="complaint") == []
    assert count_of_agent(read_models.connection, now=world.now, agent="kim", office="main") == 1
    with pytest.raises(ReportRefused, match=r"^kind: expected one of undocumented, complaint, reply, "):
        asked.at(MAR(9), kind="nothing")


def test_a_follow_up_is_shown_from_its_local_day_and_a_case_a_week_before_its_deadline(read_models: ReadModels):
    complaint = RecordComplaint(account_id=ACCOUNT, subject="rude", answer_by=MAR(24))
    asked = Asked(read_models, a_world(a_task(MAR(12)), complaint))
    assert asked.at(MAR(11), 23) == []  # Thursday already, in UTC
    assert [each.kind for each in asked.at(MAR(12), 0)] == ["follow-up"]
    assert sorted(asked.kinds(MAR(17))) == ["complaint", "follow-up"]


def test_a_follow_up_at_a_moment_is_of_its_local_day(read_models: ReadModels):
    late = datetime(2026, 3, 13, 2, 30, tzinfo=UTC)  # the evening before, in New York
    task = RecordActivity(account_id=ACCOUNT, kind=ActivityKind.TASK, direction=Direction.INTERNAL, follow_up_at=late)
    [item] = Asked(read_models, a_world(task)).at(MAR(12))
    assert (item.due_on, item.due_at) == (MAR(12), late)


def test_what_is_put_off_comes_back_at_its_moment_but_a_deadline_does_not_wait(read_models: ReadModels):
    complaint = RecordComplaint(account_id=ACCOUNT, subject="rude", answer_by=MAR(12))
    world = a_world(a_task(MAR(9)), complaint)
    until = world.at(MAR(13), 9)
    for item_id in (*world.account.activities.follow_ups, *world.account.complaints.open):
        world.do(SnoozeWorklistItem(account_id=ACCOUNT, item_id=item_id, until=until))
    asked = Asked(read_models, world)
    assert asked.at(MAR(11), 23) == []
    assert asked.kinds(MAR(12)) == ["complaint"]
    [_, back] = asked.at(MAR(13), 9)
    assert (back.kind, back.snoozed_until) == ("follow-up", until)


def test_what_is_given_to_somebody_else_is_on_their_list(read_models: ReadModels):
    world = a_world(a_task(MAR(9), "kim"), an_uncertain_message)
    for item_id in (*world.account.activities.follow_ups, *world.account.messages.under_way):
        world.do(ReassignWorklistItem(account_id=ACCOUNT, item_id=item_id, assignee="lee"))
    asked = Asked(read_models, world)
    assert asked.at(MAR(9), agent="kim") == []
    assert sorted(asked.kinds(MAR(9), agent="lee")) == ["follow-up", "uncertain-message"]


# --- in which order, and why -------------------------------------------------------------------------


def test_the_score_says_its_parts(read_models: ReadModels):
    promise = a_promise(usd(40), due_on=MAR(10), assignee="kim")
    world = a_world(promise, live(MAR(14)), StartCall(account_id=ACCOUNT), a_task(MAR(14), None))
    asked = Asked(read_models, world)
    said = [(each.score, [(part.points, part.because) for part in each.why]) for each in asked.at(MAR(17))]
    assert said == [
        (91, [(60, "Say how the contact ended"), (16, "since 3 days"), (15, "100.00 USD past due on the account")]),
        (66, [(40, "Ask about the broken promise"), (16, "due 3 days ago"), (10, "40.00 USD")]),
        (51, [(20, "Follow up"), (16, "due 3 days ago"), (15, "100.00 USD past due on the account")]),
    ]
    assert [part.points for part in asked.at(APR(30))[1].why] == [40, 40, 10]


def test_a_case_before_its_deadline_weighs_more_by_the_day_and_a_part_is_what_is_at_stake(read_models: ReadModels):
    part = DisputedInvoice(number="INV-1", amount=usd(30))
    dispute = OpenDispute(account_id=ACCOUNT, invoices=(part,), reason_code="price", answer_by=MAR(16))
    asked = Asked(read_models, a_world(dispute))
    found = [asked.at(day)[0].why for day in (MAR(9), MAR(15), MAR(16))]
    assert [[(each.points, each.because) for each in why[1:]] for why in found] == [
        [(3, "due in 7 days"), (10, "30.00 USD")],
        [(9, "due in 1 day"), (10, "30.00 USD")],
        [(10, "due today"), (10, "30.00 USD")],
    ]


# --- closing the day ---------------------------------------------------------------------------------


def test_what_an_agent_has_not_documented_is_found_until_it_is(read_models: ReadModels):
    world = a_world(StartCall(account_id=ACCOUNT))
    Asked(read_models, world)
    [contact] = undocumented(read_models.connection, agent="tester", office="main")
    assert (contact.kind, contact.agent, contact.number) == ("call", "person:tester", "A-1")
    with pytest.raises(ReportRefused, match=r"^agent: expected one of person:tester, "):
        undocumented(read_models.connection, agent="kim")
    world.do(end_call(world))
    Asked(read_models, world)
    assert undocumented(read_models.connection) == []
    asked = {"agent": "tester", "office": "main", "contacts": ["call"]}
    assert done_by(read_models.connection, day=MAR(9), **asked) == (1, 0)  # type: ignore[arg-type]
    assert done_by(read_models.connection, day=MAR(10), **asked) == (0, 0)  # type: ignore[arg-type]


def test_days_that_were_closed_are_listed_with_their_last_closing(read_models: ReadModels):
    world = a_world()
    for contacts in (1, 2):
        close = CloseWorkday(office_id=OFFICE, agent="kim", day=MAR(9), contacts=contacts, follow_ups=0, left=4)
        world.do(close, actor="person:kim")
    Asked(read_models, world)
    [day] = closed_days(read_models.connection, agent="kim", office="main").rows
    assert (day.day, day.contacts, day.remaining, day.closed_by) == (MAR(9), 2, 4, "person:kim")
    assert closed_days(read_models.connection, agent="tester").rows == ()
    with pytest.raises(ReportRefused, match=r"^agent: expected one of person:tester"):
        closed_days(read_models.connection, agent="lee")
    assert last_closed_day(read_models.connection, agent="kim") == day
    assert last_closed_day(read_models.connection, agent="lee") is None


# --- how it is kept ----------------------------------------------------------------------------------


def test_a_repeat_of_events_changes_nothing(read_models: ReadModels):
    world = a_world(a_task(MAR(9)), StartCall(account_id=ACCOUNT), a_promise(usd(40), due_on=MAR(10)), live(MAR(20)))
    world.do(end_call(world))
    Asked(read_models, world)
    tables = ("worklist", "closed_days")
    before = [read_models.rows(table) for table in tables]
    for batch in (world.log, *([recorded] for recorded in world.log)):
        read_models.write(WorklistProjection(), batch)
    assert [read_models.rows(table) for table in tables] == before


_MANY = """
    INSERT INTO {schema}.worklist
        (item_id, kind, account_id, since, assignee, shows_on, due_on, is_task, last_position)
    SELECT gen_random_uuid(), 'follow-up', gen_random_uuid(), now(), 'agent-' || i % 50, '2026-03-09', '2026-03-09',
           true, i
    FROM generate_series(1, 20000) AS i
"""


def test_the_list_of_an_agent_follows_an_index(read_models: ReadModels):
    from projections.questions import worklist as module

    Asked(read_models, a_world(a_task(MAR(9), "agent-1")))
    schema = "read_worklist_1"
    read_models.connection.execute(_MANY.format(schema=schema).encode())
    read_models.connection.execute(f"ANALYZE {schema}.worklist".encode())
    asked = {**module._asked(datetime(2026, 3, 9, 17, tzinfo=UTC), "agent-1", None), "kind": None, "account_id": None}
    query = f"EXPLAIN {module._shown(module._OF_AGENT)} SELECT * FROM found"
    plan = "\n".join(row[0] for row in read_models.connection.execute(query.encode(), asked))
    assert "worklist_assignee" in plan
    assert "Seq Scan on worklist work" not in plan
