"""Attachments: which files are taken and how they may be called, what they are about, and what messages take along."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from aggregates.account.attachments import (
    AddAttachment,
    AttachmentAdded,
    AttachmentRemoved,
    RemoveAttachment,
)
from aggregates.account.disputes import OpenDispute
from aggregates.account.legal import LegalKind, OpenLegalCase
from aggregates.account.messages import MessageWritten
from aggregates.account.payment_claims import ClaimPayment
from aggregates.account.writing import SendMessage
from aggregates.values.attachments import FILE_TYPES, LONGEST_NAME, MOST_BYTES_OF_MESSAGE, PDF, safe_name
from aggregates.values.contact import Channel
from tests.builders import ACCOUNT, MAR, an_invoice
from tests.given import Given, Scenario, given, like

OWES: tuple[Given, ...] = (an_invoice("A", due_on=MAR(2)), MAR(9))


def a_file(name: str = "proof.pdf", **more: object) -> AddAttachment:
    said = {"file_name": name, "media_type": PDF, "size": 1_000, "sha256": "a" * 64, **more}
    return AddAttachment.model_validate({"account_id": ACCOUNT, **said})


def only_file(scenario: Scenario) -> UUID:
    [attachment_id] = scenario.account.attachments.kept
    return attachment_id


def test_a_file_is_added_and_removed_once():
    scenario = given(*OWES).when(a_file())
    scenario.then(like(AttachmentAdded, file_name="proof.pdf", size=1_000, added_on=MAR(9), about=None))
    removal = RemoveAttachment(account_id=ACCOUNT, attachment_id=only_file(scenario))
    scenario.when(removal).then(like(AttachmentRemoved, removed_on=MAR(9)))
    scenario.when(removal).then_nothing_happened()
    scenario.when(RemoveAttachment(account_id=ACCOUNT, attachment_id=uuid4())).then_refused("unknown-attachment")


@pytest.mark.parametrize(
    ("kind", "opens", "refusal"),
    [
        ("claim", ClaimPayment(account_id=ACCOUNT), "unknown-payment-claim"),
        ("dispute", OpenDispute(account_id=ACCOUNT, reason_code="quality"), "unknown-dispute"),
        ("legal", OpenLegalCase(account_id=ACCOUNT, kind=LegalKind.SUIT), "unknown-legal-case"),
    ],
)
def test_a_file_may_belong_to_a_case_that_is_open(kind: str, opens: Given, refusal: str):
    scenario = given(*OWES, opens)
    account = scenario.account
    cases: Mapping[str, Mapping[UUID, object]] = {
        "claim": account.payment_claims.open,
        "dispute": account.disputes.open,
        "legal": account.legal_cases.open,
    }
    [case_id] = cases[kind]
    scenario.when(a_file(about={"kind": kind, "id": uuid4()})).then_refused(refusal)
    scenario.when(a_file(about={"kind": kind, "id": case_id}))
    assert scenario.account.attachments.kept[only_file(scenario)].about is not None


# --- messages ---


def written(channel: Channel, *files: UUID) -> SendMessage:
    return SendMessage(account_id=ACCOUNT, channel=channel, text="Dear customer.", attachment_ids=files)


def test_an_email_takes_any_file_and_keeps_what_it_was():
    scenario = given(*OWES, a_file("photo.png", media_type="image/png"))
    file = only_file(scenario)
    scenario.when(written(Channel.EMAIL, file))
    [message] = [each for each in scenario.new if isinstance(each, MessageWritten)]
    assert [(each.id, each.name) for each in message.attachments or ()] == [(file, "photo.png")]
    scenario.when(RemoveAttachment(account_id=ACCOUNT, attachment_id=file))
    [under_way] = scenario.account.messages.under_way.values()
    assert [each.name for each in under_way.attachments] == ["photo.png"]


def test_without_files_a_message_is_the_same_bytes_as_before():
    scenario = given(*OWES).when(SendMessage(account_id=ACCOUNT, channel=Channel.EMAIL, text="Dear customer."))
    [message] = [each for each in scenario.new if isinstance(each, MessageWritten)]
    assert "attachments" not in message.model_dump(mode="json")


@pytest.mark.parametrize("channel", sorted(set(Channel) - {Channel.EMAIL}))
def test_what_a_channel_does_not_carry_is_refused(channel: Channel):
    scenario = given(*OWES, a_file("photo.png", media_type="image/png"))
    scenario.when(written(channel, only_file(scenario))).then_refused("attachments-not-carried")


def test_more_than_mail_servers_take_is_refused():
    large = MOST_BYTES_OF_MESSAGE // 2 + 1
    scenario = given(*OWES, a_file(size=large), a_file("second.pdf", size=large))
    first, second = scenario.account.attachments.kept
    scenario.when(written(Channel.EMAIL, first, second)).then_refused("too-many-attachments")
    scenario.when(written(Channel.EMAIL, first, first)).then(like(MessageWritten))


def test_a_file_of_nobody_is_not_sent():
    given(*OWES).when(written(Channel.EMAIL, uuid4())).then_refused("unknown-attachment")


def test_bytes_are_needed_until_some_days_after_the_removal_and_for_ever_if_sent():
    scenario = given(*OWES, a_file(sha256="a" * 64), a_file(sha256="b" * 64), a_file(sha256="c" * 64))
    kept, sent, removed = scenario.account.attachments.kept
    scenario.when(written(Channel.EMAIL, sent))
    for each in (sent, removed):
        scenario.when(RemoveAttachment(account_id=ACCOUNT, attachment_id=each))
    attachments = scenario.account.attachments
    assert kept in attachments.kept
    assert attachments.needed(MAR(9)) == {"a" * 64, "b" * 64, "c" * 64}
    assert attachments.needed(MAR(10)) == {"a" * 64, "b" * 64}


# --- names ---


@pytest.mark.parametrize(
    "name", ["proof.pdf", "Rechnung März 2026.PDF", "証明書.pdf", "a.b.c.docx", "x" * 100 + ".txt"]
)
def test_an_ordinary_name_is_taken_as_it_is(name: str):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".pdf",
        "noending",
        "../../etc/passwd.pdf",
        "C:\\temp\\x.pdf",
        "invoice\u202efdp.exe.pdf",
        "line\nend.pdf",
        "nul\x00.pdf",
        "zero\u200bwidth.pdf",
        "con.pdf",
        "LPT1.final.pdf",
        " leading.pdf",
        "trailing.pdf ",
        "x" * LONGEST_NAME + ".pdf",
        "half\ud800.pdf",
        'quote".pdf',
        "pipe|.pdf",
    ],
)
def test_a_hostile_name_is_refused(name: str):
    with pytest.raises(ValueError, match="expected a file name"):
        safe_name(name)


@drawn(st.one_of(st.text(), st.text().map(lambda stem: f"{stem}.pdf")))
def test_what_is_taken_stays_a_name_of_one_file(name: str):
    """In whatever folder it is put, it is a file there, and shows nothing that is not in it."""
    try:
        safe = safe_name(name)
    except ValueError:
        return
    assert Path("folder", safe).parts == ("folder", safe)
    assert not {"/", "\\", "\0"} & {*safe}
    assert safe_name(safe) == safe
    assert safe.isprintable() or any(letter.isspace() for letter in safe)
    assert len(safe.encode()) <= 255


def test_endings_are_of_one_type_each():
    endings = [ending for each in FILE_TYPES.values() for ending in each.endings]
    assert len(endings) == len(set(endings))
