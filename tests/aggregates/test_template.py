"""Templates of an office: saved, versioned, retired, and messages that are written from them."""

from typing import Any

import pytest
from pydantic import ValidationError

from aggregates.account.contact import ChangeContactDetails
from aggregates.account.messages import MessageWritten
from aggregates.account.writing import SendMessage
from aggregates.campaign import Template
from aggregates.office import OpenOffice, TemplateRegistered, office_id
from aggregates.template import (
    OfficeTemplate,
    RetireTemplate,
    SaveTemplate,
    TemplateRetired,
    TemplateSaved,
    Tone,
    template_id,
)
from aggregates.values.contact import Channel
from tests.builders import ACCOUNT, MAR, OFFICE, an_invoice, contact
from tests.given import Scenario, given, given_only, like

CALL_US = template_id(OFFICE, "call-us")
OWED = Template(subject="Your account", body="{{ customer_name }}, {{ amount_due }} is open.")


def a_template(**more: Any) -> SaveTemplate:
    said = {"office_id": OFFICE, "name": "call-us", "channel": Channel.EMAIL, "texts": {"en": OWED}}
    return SaveTemplate.model_validate({**said, **more})


def written_from(template: Any = CALL_US, **more: Any) -> SendMessage:
    said = {"account_id": ACCOUNT, "channel": Channel.EMAIL, "template_id": template}
    return SendMessage.model_validate({**said, **more})


def test_the_texts_of_a_version_are_of_bounded_size_together():
    languages = [f"{letter}{other}" for letter in "de" for other in "abcdefg"]
    fit = {language: Template(body="ü" * 9_000) for language in languages[:11]}
    assert len(a_template(texts=fit).texts) == 11
    with pytest.raises(ValidationError, match="at most 200,000 bytes in all languages together"):
        a_template(texts={**fit, languages[11]: Template(body="ü" * 9_000)})


def test_the_first_version_is_listed_by_the_office_and_the_next_one_is_that_templates():
    scenario = given().when(a_template())
    scenario.then(like(TemplateSaved, template_version=1, tone=Tone.NEUTRAL), TemplateRegistered)
    assert scenario.world.office.template_ids == [CALL_US]
    scenario.when(a_template()).then_nothing_happened()
    scenario.when(a_template(tone=Tone.FIRM)).then(like(TemplateSaved, template_version=2, tone=Tone.FIRM))
    assert scenario.world.office.template_ids == [CALL_US]


def test_a_retired_one_is_used_again_once_it_is_saved_again():
    scenario = given(an_invoice(due_on=MAR(2)), MAR(5), a_template())
    scenario.when(RetireTemplate(template_id=CALL_US)).then(TemplateRetired)
    scenario.when(RetireTemplate(template_id=CALL_US)).then_nothing_happened()
    scenario.when(written_from()).then_refused("template-retired")
    scenario.when(a_template()).then(like(TemplateSaved, template_version=2))
    scenario.when(written_from()).then(MessageWritten)


@pytest.mark.parametrize(
    "text",
    ["{{ amount }}", "{{ amount_due", "{% for i in invoices %}", "{{ amount_due.__class__ }}", "{% set a = 1 %}"],
)
def test_a_text_that_cannot_be_filled_in_is_refused(text: str):
    for faulty in ({"body": text}, {"subject": text, "body": "x"}):
        given().when(a_template(texts={"en": OWED, "de": faulty})).then_refused("faulty-template")


def test_only_channels_with_a_subject_have_one():
    given().when(a_template(channel=Channel.SMS)).then_refused("faulty-template")
    mute = a_template(texts={"en": {"body": "x"}}, channel=Channel.LETTER)
    given().when(mute).then(TemplateSaved, TemplateRegistered)
    given().when(a_template(channel=Channel.LETTER)).then(TemplateSaved, TemplateRegistered)


@pytest.mark.parametrize(
    "texts", [{}, {"English": {"body": "x"}}, {"en": {"body": ""}}, {"en": {"body": "x" * 20_001}}]
)
def test_texts_have_a_language_and_something_to_say(texts: dict[str, Any]):
    with pytest.raises(ValidationError):
        a_template(texts=texts)


@pytest.mark.parametrize("subject", [None, "", "  "])
def test_one_of_e_mails_has_a_subject_in_every_language(subject: str | None):
    texts = {"en": OWED, "de": {"subject": subject, "body": "x"}}
    given().when(a_template(texts=texts)).then_refused("faulty-template")


def test_no_e_mail_is_written_from_one_without_a_subject_that_was_saved_earlier():
    scenario = given(an_invoice(due_on=MAR(2)), MAR(5), a_template())
    earlier = scenario.world.get(OfficeTemplate, CALL_US)
    earlier.texts = {"en": Template(body="Please call us.")}
    scenario.when(written_from()).then_refused("faulty-template")


def test_an_office_that_is_not_there_has_none():
    given_only().when(a_template()).then_refused("unknown-office")
    given().when(RetireTemplate(template_id=CALL_US)).then_refused("unknown-template")


# --- messages from it ---


def owing(**details: Any) -> Scenario:
    texts = {"en": OWED, "de": {"subject": "Ihr Konto", "body": "Bitte rufen Sie an: {{ amount_due }}"}}
    return given(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(**details)), an_invoice(due_on=MAR(2)), MAR(5),
        a_template(texts=texts),
    )  # fmt: skip


def test_a_message_has_the_text_of_its_version_in_the_customers_language():
    owing(language="de-AT").when(written_from()).then(
        like(
            MessageWritten, template_id=CALL_US, template_version=1, language="de", subject="Ihr Konto",
            body="Bitte rufen Sie an: {{ amount_due }}",
        )
    )  # fmt: skip
    owing(language="fr").when(written_from()).then(like(MessageWritten, language="en", subject="Your account"))


def test_a_version_that_is_saved_later_changes_nothing_about_what_is_on_its_way():
    scenario = owing().having(written_from(), a_template(texts={"en": {"subject": "Other", "body": "Other words"}}))
    [message] = scenario.account.messages.under_way.values()
    assert message.written is not None
    assert message.written.body == OWED.body


def test_it_is_for_its_own_channel_and_its_own_office():
    other = office_id("other")
    scenario = owing().having(OpenOffice(code="other", title="Other"), a_template(office_id=other))
    scenario.when(written_from(channel=Channel.LETTER)).then_refused("other-channel")
    scenario.when(written_from(template_id(other, "call-us"))).then_refused("unknown-template")
    scenario.when(written_from(template_id(OFFICE, "nothing"))).then_refused("unknown-template")


@pytest.mark.parametrize(
    "said",
    [{"text": "and a text"}, {"subject": "and a subject"}, {"template_id": None}],
    ids=["text", "subject", "none"],
)
def test_a_message_has_a_text_or_a_template(said: dict[str, Any]):
    with pytest.raises(ValidationError):
        written_from(**said)
