"""Files that messages take with them: as parts of a mail, as pages behind a letter, and not otherwise."""

from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from adapters.attachments.store import AttachmentErased, AttachmentStore, StoreAway
from adapters.clock import ManualClock
from adapters.delivery.attached import AttachedFiles
from adapters.delivery.carrier import CarrierRefused, CarrierUnavailable
from adapters.delivery.carriers.appending_process import NotPrinted, put_together
from adapters.delivery.carriers.letters_folder import LettersFolder
from adapters.delivery.carriers.twilio import Twilio
from adapters.delivery.rendering import Attached, Letter
from adapters.secret_text import Secret
from aggregates.values.attachments import AttachedFile
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers.mail_server import MailServer
from tests.adapters.delivery.carriers.stands import A_LETTER, TODAY, smtp_to

MESSAGE = UUID("6b0e6f0e-5f5a-4c1e-9a53-6f0a6d0f4f10")
MAIL = Letter(Channel.EMAIL, "anna@example.org", "Proof", "Dear Anna,\n.\nsee the files.\n")
PNG = b"\x89PNG\r\n\x1a\n.\r\n..\r\n" + bytes(range(256))


def file(name: str, media_type: str, content: bytes) -> Attached:
    return Attached(name, media_type, "", lambda: content)


def a_pdf(pages: int = 2, *, password: str = "", runs: bool = False) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=200, height=200)
    if runs:
        script = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert(1)")}
        writer.pages[0][NameObject("/AA")] = DictionaryObject({NameObject("/O"): DictionaryObject(script)})
        writer.root_object[NameObject("/OpenAction")] = DictionaryObject(script)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


# --- mail ---


def test_a_mail_carries_files_as_parts_with_their_names():
    files = (file("Beleg März 2026.pdf", "application/pdf", a_pdf()), file("photo.png", "image/png", PNG))
    with MailServer() as server:
        smtp_to(server).send(MESSAGE, replace(MAIL, attachments=files))
        [mail] = server.taken
    assert mail.get_content_type() == "multipart/mixed"
    text, *parts = (cast(EmailMessage, each) for each in mail.iter_parts())
    assert text.get_content().replace("\r\n", "\n") == MAIL.body
    assert [(each.get_filename(), each.get_content_type(), each.get_content()) for each in parts] == [
        (each.name, each.media_type, each.read()) for each in files
    ]
    assert all(each.get_content_disposition() == "attachment" for each in parts)


@pytest.mark.parametrize(
    ("problem", "told"), [(AttachmentErased("erased"), CarrierRefused), (StoreAway("away"), CarrierUnavailable)]
)
def test_a_mail_whose_file_cannot_be_read_has_certainly_not_left(problem: Exception, told: type[Exception]):
    class Store:
        def read(self, account_id: UUID, sha256: str) -> bytes:
            raise problem

    kept = AttachedFile(id=uuid4(), name="x.pdf", media_type="application/pdf", size=1, sha256="a" * 64)
    files = AttachedFiles(cast(AttachmentStore, Store()))(uuid4(), [kept])
    with MailServer() as server:
        with pytest.raises(told):
            smtp_to(server).send(MESSAGE, replace(MAIL, attachments=files))
        assert server.taken == []


# --- letters ---


@pytest.fixture
def letters(tmp_path: Path) -> Callable[[], LettersFolder]:
    (tmp_path / "letters").mkdir()
    return lambda: LettersFolder(tmp_path / "letters", tmp_path / "texts", ManualClock(TODAY))


def test_a_letter_has_the_pages_of_its_files_behind_it_and_nothing_that_runs(
    letters: Callable[[], LettersFolder], tmp_path: Path
):
    files = (file("a.pdf", "application/pdf", a_pdf(2, runs=True)), file("b.pdf", "application/pdf", a_pdf(1)))
    letters().send(MESSAGE, replace(A_LETTER, attachments=files))
    [made] = (tmp_path / "letters").glob("*.pdf")
    assert len(PdfReader(made).pages) == 1 + 2 + 1
    assert A_LETTER.body.split()[0] in PdfReader(made).pages[0].extract_text()
    assert b"JavaScript" not in made.read_bytes()


def test_a_file_that_cannot_be_printed_is_refused_and_no_letter_is_there(
    letters: Callable[[], LettersFolder], tmp_path: Path
):
    broken = file("a.pdf", "application/pdf", b"%PDF-1.7\nnothing of one")
    with pytest.raises(CarrierRefused) as refused:
        letters().send(MESSAGE, replace(A_LETTER, attachments=(broken,)))
    assert refused.value.code == "bad-attachment"
    assert list((tmp_path / "letters").glob("*.pdf")) == []


def test_what_is_encrypted_or_too_long_is_not_put_behind_a_letter():
    for content in (a_pdf(password="x"), a_pdf(4)):
        with pytest.raises(NotPrinted):
            put_together([a_pdf(1), content], 4)
    assert len(PdfReader(BytesIO(put_together([a_pdf(1), a_pdf(3)], 4))).pages) == 4


def test_a_text_message_takes_no_file():
    twilio = Twilio("AC1", Secret("x"), "+12125550100", base="http://127.0.0.1:1")
    letter = Letter(Channel.SMS, "+12125550101", None, "Hello", attachments=(file("a.png", "image/png", PNG),))
    with pytest.raises(CarrierRefused) as refused:
        twilio.send(MESSAGE, letter)
    assert refused.value.code == "attachments-not-carried"
