"""What a file is, by its content. Nothing is unpacked: of an archive only the table of what is in it is read."""

import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO

import puremagic

from aggregates.values.attachments import FILE_TYPES, FileType, type_by_name

_SPACE = frozenset("\t\n\r\f")
_MARKUP = ("<!doctype", "<html", "<head", "<body", "<script", "<svg", "<?xml", "<iframe", "%pdf-", "{\\rtf", "%!ps")
_LOOKED_AT = 4_096
"""Characters, and bytes, in which the beginning of a document is looked for."""
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ODT = "application/vnd.oasis.opendocument.text"


class NotTaken(Exception):
    """A file that is not taken; the text says what was expected."""


def type_of(name: str, content: bytes) -> FileType:
    """The type that a file of a safe name has by its content, which has to be the one that its name says.

    Raises NotTaken.
    """
    try:
        said = type_by_name(name)
    except ValueError as error:
        raise NotTaken(f"file: {error}") from None
    if not content:
        raise NotTaken("file: it is empty")
    is_so = _BY_CONTENT.get(said.media_type)
    if not (is_so(content) if is_so is not None else said.media_type in _found(content)):
        raise NotTaken(f"file: its name says {said.title}, and its content is not; expected what the name says")
    return said


def _found(content: bytes) -> frozenset[str]:
    """The media types whose signature it has."""
    try:
        return frozenset(each.mime_type for each in puremagic.magic_string(content))
    except (puremagic.PureError, ValueError):
        return frozenset()


def _is_text(content: bytes) -> bool:
    """UTF-8 of several lines. One that begins as another document is not taken for a text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    beginning = text[:_LOOKED_AT].casefold()
    return not any(each in beginning for each in _MARKUP) and not any(
        unicodedata.category(letter) == "Cc" and letter not in _SPACE for letter in text
    )


def _members(content: bytes) -> frozenset[str]:
    """The names in an archive's table."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError):
        return frozenset()


def _is_office(main: str) -> Callable[[bytes], bool]:
    def is_so(content: bytes) -> bool:
        members = _members(content) if content.startswith(b"PK\x03\x04") else frozenset()
        return {"[Content_Types].xml", main} <= members and not any(
            "vbaproject" in each.casefold() or "macrosheets" in each.casefold() for each in members
        )

    return is_so


def _is_odt(content: bytes) -> bool:
    """OpenDocument says what it is in its first member, which is stored as it is; scripts are in folders of theirs."""
    members = _members(content) if content.startswith(b"PK\x03\x04") else frozenset()
    says = f"mimetype{_ODT}".encode() in content[:200]
    return says and "content.xml" in members and not any(each.startswith(("Basic/", "Scripts/")) for each in members)


_BY_CONTENT: Mapping[str, Callable[[bytes], bool]] = {
    "text/plain": _is_text,
    "text/csv": _is_text,
    _WORD: _is_office("word/document.xml"),
    _EXCEL: _is_office("xl/workbook.xml"),
    _ODT: _is_odt,
}
"""Types that a signature alone does not tell from others."""

if unknown := _BY_CONTENT.keys() - FILE_TYPES.keys():
    raise LookupError(f"no file type is {', '.join(sorted(unknown))}")
