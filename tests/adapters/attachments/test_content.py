"""What a file is, is said by its content, whatever its name says; and nothing is unpacked to find out."""

import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.attachments.content import NotTaken, type_of
from aggregates.values.attachments import ENDINGS


def archive(*members: str, of: bytes = b"x") -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for each in members:
            file.writestr(each, of)
    return made.getvalue()


def open_document(*more: str) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        for each in ("content.xml", *more):
            file.writestr(each, "x")
    return made.getvalue()


PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)
SAMPLES = {
    "a.pdf": PDF,
    "a.png": PNG,
    "a.JPG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(30) + b"\xff\xd9",
    "a.gif": b"GIF89a\x01\x00\x01\x00\x00",
    "a.tiff": b"II*\x00" + bytes(40),
    "a.webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "a.heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "a.txt": "Grüße,\nAda\n".encode(),
    "a.csv": b"number,amount\nI-1,12.50\n",
    "a.docx": archive("[Content_Types].xml", "word/document.xml"),
    "a.xlsx": archive("[Content_Types].xml", "xl/workbook.xml"),
    "a.odt": open_document(),
}
HOSTILE = {
    "a program": b"MZ" + bytes(100),
    "a script": b"<html><script>alert(1)</script></html>",
    "a picture with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "an archive": archive("a.txt"),
    "a bomb": archive("bomb.txt", of=bytes(10_000_000)),
    "macros": archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
    "a spreadsheet with macros": archive("[Content_Types].xml", "xl/workbook.xml", "xl/macrosheets/sheet1.xml"),
    "a text with macros": open_document("Basic/Standard/Module1.xml"),
    "an archive that is cut off": archive("[Content_Types].xml", "word/document.xml")[:40],
    "nothing": b"",
    "zeros": bytes(1_000),
}


def test_every_ending_has_a_sample():
    assert {ENDINGS[name.rpartition(".")[2].lower()] for name in SAMPLES} == set(ENDINGS.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_that_is_what_its_name_says_is_taken(name: str):
    assert type_of(name, SAMPLES[name]) is ENDINGS[name.rpartition(".")[2].lower()]


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_is_taken_under_no_name(content: bytes):
    for ending in ENDINGS:
        with pytest.raises(NotTaken):
            type_of(f"a.{ending}", content)


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.exe", "a.zip", "a.pdf.js", "a.docm"])
def test_a_type_that_is_not_in_the_table_is_not_taken(name: str):
    for content in SAMPLES.values():
        with pytest.raises(NotTaken, match="ends in one of"):
            type_of(name, content)


def test_a_name_does_not_make_a_picture_of_a_document():
    for name, content in SAMPLES.items():
        for ending, kind in ENDINGS.items():
            text = {"text/plain", "text/csv"}
            own = ENDINGS[name.rpartition(".")[2].lower()]
            if kind is not own and not {kind.media_type, own.media_type} <= text:
                with pytest.raises(NotTaken):
                    type_of(f"a.{ending}", content)


@given(st.binary(max_size=2_000), st.sampled_from(sorted(ENDINGS)))
def test_any_bytes_are_taken_or_refused(content: bytes, ending: str):
    for beginning in (b"", b"PK\x03\x04", b"%PDF-", b"\x89PNG\r\n\x1a\n", b"RIFF"):
        try:
            type_of(f"a.{ending}", beginning + content)
        except NotTaken:
            continue
