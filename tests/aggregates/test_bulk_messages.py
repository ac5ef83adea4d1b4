"""Messages in bulk as decisions: the text and the verdict that were shown, or nothing; and no undo."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.rules import RULES
from aggregates.account.bulk import ApplyBulkAction, BulkActionApplied, BulkOutcome
from aggregates.account.bulk_kinds import MessageParameters, figures_of_message
from aggregates.account.contact import ChangeContactDetails, OptOutOfContact
from aggregates.account.flags import SetFlag
from aggregates.account.messages import MessageWritten
from aggregates.bulk.action import BeginBulkUndo, BulkPreviewed, ConfirmBulk, FinishBulk
from aggregates.bulk.part import FreezeRows, FrozenRow
from aggregates.campaign import Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Recorded
from aggregates.template import OfficeTemplate, RetireTemplate, SaveTemplate, template_id
from aggregates.values.contact import Channel
from policies.table import do_bulk_action
from tests.aggregates.test_bulk import a_preview
from tests.builders import ACCOUNT, MAR, OFFICE, a_payment, an_account, an_invoice, contact, usd
from tests.given import Given, Scenario, given, like

BULK = identifier("bulk", 1)
TEXT = "Dear {{ customer_name }}, please call us."
OWING: tuple[Given, ...] = (an_invoice(due_on=MAR(2)), MAR(5))
PLEASE_CALL = template_id(OFFICE, "please-call")


def said(**more: Any) -> dict[str, Any]:
    given_text = {} if "template" in more else {"text": TEXT}
    return {"channel": "email", **given_text, **more}


def a_template(body: str = "Please call us.", channel: Channel = Channel.EMAIL) -> SaveTemplate:
    text = Template(subject="Please call" if channel is Channel.EMAIL else None, body=body)
    return SaveTemplate(office_id=OFFICE, name="please-call", channel=channel, texts={"en": text})


def shown(scenario: Scenario, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a preview shows of the account now."""
    world, account = scenario.world, scenario.account
    template = world.aggregates.get(PLEASE_CALL)
    context = Context(
        now=world.now,
        today=world.today,
        actor=Actor.service("preview"),
        effective_on=world.today,
        command_id=identifier("preview"),
        seen={OFFICE: world.office, **({} if template is None else {PLEASE_CALL: template})},
        rules=RULES,
    )
    draft = account.writing.draft(MessageParameters.model_validate(parameters).to(account), context)
    return {**figures_of_message(account, draft, context), "problem": None, "too_long": False, **more}


def apply(parameters: dict[str, Any], expected: dict[str, Any]) -> ApplyBulkAction:
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=BULK, kind="message", parameters=parameters, expected=expected, office_id=OFFICE
    )


def came(outcome: BulkOutcome, reason_code: str | None = None, **more: Any) -> Any:
    return like(BulkActionApplied, outcome=outcome, reason_code=reason_code, **more)


def after(*meanwhile: Given, **more: Any) -> Scenario:
    """What comes of a message that was shown before that happened."""
    scenario, parameters = given(*OWING), said(**more)
    expected = shown(scenario, parameters)
    return scenario.having(*meanwhile).when(apply(parameters, expected))


# --- sent as shown -----------------------------------------------------------------------------------


def test_the_message_is_queued_as_by_hand_and_takes_no_place_among_what_can_be_undone():
    sent = after(subject="Your account", ignore_max_per_minute=True)
    sent.then(
        like(
            MessageWritten, channel=Channel.EMAIL, point_id="email-1", subject="Your account", body=TEXT,
            amount=usd(100), ignores_preferences=False, ignores_pace=True,
        ),
        came(BulkOutcome.DONE),
    )  # fmt: skip
    [message] = sent.account.messages.under_way.values()
    [applied] = [each for each in sent.new if isinstance(each, BulkActionApplied)]
    assert applied.did == {"message_id": str(message.id)}
    assert not sent.account.bulk.standing


def test_a_template_is_seen_and_its_version_is_said():
    scenario, parameters = given(*OWING, a_template()), said(template="please-call")
    command = apply(parameters, shown(scenario, parameters))
    scenario.when(command).then(
        like(MessageWritten, template_id=PLEASE_CALL, template_version=1, body="Please call us."),
        came(BulkOutcome.DONE),
    )


def test_preferences_are_ignored_for_a_reason_that_goes_with_each_message():
    contact_by_text = ChangeContactDetails(account_id=ACCOUNT, contact=contact(preferred_channel=Channel.SMS))
    scenario, parameters = given(*OWING, contact_by_text), said()
    refused = shown(scenario, parameters)
    assert refused["refused_by"] == ["preferred-channel"]
    scenario.when(apply(parameters, refused)).then(came(BulkOutcome.REFUSED, "preferred-channel"))
    scenario, parameters = given(*OWING, contact_by_text), said(ignore_preferences=True, reason="The number is dead")
    command = apply(parameters, shown(scenario, parameters))
    assert command.why == "The number is dead"
    scenario.when(command).then(like(MessageWritten, ignores_preferences=True), came(BulkOutcome.DONE))


# --- changed -----------------------------------------------------------------------------------------

CHANGED = "changed-since-preview"


@pytest.mark.parametrize(
    ("meanwhile", "differs"),
    [
        (a_payment(usd(30), on=MAR(5)), "amount_due is 70.00, and was 100.00"),
        (an_account(customer_name="Ada King"), "text is another than it was"),
        (OptOutOfContact(account_id=ACCOUNT, channel=Channel.EMAIL), "refused_by is opted-out"),
        (SetFlag(account_id=ACCOUNT, flag="cease-contact"), "refused_by is cease"),
    ],
)
def test_whose_text_or_verdict_is_another_by_then_gets_nothing(meanwhile: Command, differs: str):
    scenario = after(meanwhile)
    [applied] = scenario.new
    assert isinstance(applied, BulkActionApplied)
    assert (applied.outcome, applied.reason_code) == (BulkOutcome.CHANGED, CHANGED)
    assert str(applied.detail).startswith(differs)


def test_what_the_text_does_not_say_may_change():
    renamed = an_account(customer_name="Ada King")
    after(renamed, text="Please call us.").then(MessageWritten, came(BulkOutcome.DONE))
    after(MAR(6), text="Please call us.").then(MessageWritten, came(BulkOutcome.DONE))
    after(MAR(6), text="{{ days_past_due }} days").then(came(BulkOutcome.CHANGED, CHANGED))


def test_a_template_that_was_changed_sends_nothing_and_one_that_was_retired_is_refused():
    scenario, parameters = given(*OWING, a_template()), said(template="please-call")
    command = apply(parameters, shown(scenario, parameters))
    scenario.having(a_template("Please do call us."))
    scenario.when(command).then(came(BulkOutcome.CHANGED, CHANGED, detail="template is 2, and was 1"))
    scenario.having(RetireTemplate(template_id=PLEASE_CALL))
    assert scenario.world.get(OfficeTemplate, PLEASE_CALL).is_retired
    scenario.when(command).then(came(BulkOutcome.REFUSED, "template-retired"))


# --- refused -----------------------------------------------------------------------------------------


def test_what_a_rule_refused_in_the_preview_is_refused_by_the_account():
    scenario, parameters = given(*OWING, OptOutOfContact(account_id=ACCOUNT, channel=Channel.EMAIL)), said()
    expected = shown(scenario, parameters)
    assert "opted-out" in expected["refused_by"]
    scenario.when(apply(parameters, expected)).then(came(BulkOutcome.REFUSED, "contact-refused"))


@pytest.mark.parametrize(("too_long", "code"), [(True, "sms-too-long"), (False, "faulty-text")])
def test_what_could_not_be_made_of_the_text_in_the_preview_is_not_sent(too_long: bool, code: str):
    scenario, parameters = given(*OWING), said()
    expected = shown(scenario, parameters, problem="150 characters, expected at most 140", too_long=too_long)
    scenario.when(apply(parameters, expected)).then(came(BulkOutcome.REFUSED, code))


# --- the action --------------------------------------------------------------------------------------


def test_it_cannot_be_undone_and_says_so():
    preview = a_preview(kind="message", parameters=said(), total_minor=10_000)
    finish = FinishBulk(bulk_id=BULK, done=1, changed=0, refused=0, skipped=0, failed=0)
    scenario = given(preview, ConfirmBulk(bulk_id=BULK), finish)
    scenario.when(BeginBulkUndo(bulk_id=BULK)).then_refused("bulk-not-undoable")


def test_only_templates_of_the_office_are_previewed():
    given().when(a_preview(kind="message", parameters=said(template="please-call"))).then_refused("unknown-template")
    given(a_template()).when(a_preview(kind="message", parameters=said(template="please-call"))).then(BulkPreviewed)


def test_each_account_is_told_whose_template_it_is():
    row = FrozenRow(account_id=ACCOUNT, expected={}, amount_minor=None)
    preview = a_preview(kind="message", parameters=said(template="please-call"))
    scenario = given(a_template(), FreezeRows(bulk_id=BULK, number=1, rows=(row,)), preview)
    scenario.when(ConfirmBulk(bulk_id=BULK))
    confirmed: Recorded = scenario.world.log[-1]
    [reaction] = do_bulk_action(confirmed)
    command = ApplyBulkAction.model_validate({**reaction.arguments, "account_id": ACCOUNT, "expected": {}})  # type: ignore[union-attr]
    assert [each.id for each in command.links()] == [PLEASE_CALL]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": None}, "text"),
        ({"template": "please-call", "text": "Call"}, "text"),
        ({"text": " "}, "text"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "sms", "subject": "Call"}, "subject"),
        ({"template": "please-call", "text": None, "subject": "Call"}, "subject"),
        ({"ignore_preferences": True}, "reason"),
        ({"reason": "Why not"}, "reason"),
    ],
)
def test_parameters_that_make_no_message_are_named(wrong: dict[str, Any], field: str):
    with pytest.raises(ValidationError) as error:
        MessageParameters.model_validate({"channel": "email", "text": TEXT, **wrong})
    [said] = error.value.errors()
    assert field in (said["loc"] or (said["msg"].removeprefix("Value error, ").partition(":")[0],))
