"""Files that are kept with an account: which types are taken, how they may be called, and how large they may be."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from aggregates.kernel.personal import Personal
from aggregates.kernel.value import Value
from aggregates.values.patterns import pattern

MOST_BYTES = 10_000_000
"""Of a file, unless whoever runs Arrears says otherwise."""
MOST_OF_ACCOUNT = 1_000
"""Attachments that an account ever had, removed ones included."""
MOST_OF_MESSAGE = 10
MOST_BYTES_OF_MESSAGE = 15_000_000
"""Of all files together: as mail they take a third more, and many servers take no mail of more than 25 MB."""
LONGEST_NAME = 150
"""Characters; file systems have room for 255 bytes."""
_MOST_NAME_BYTES = 240


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of file that is taken. Its content has to be of it, and its name has to end so."""

    media_type: str
    title: str
    endings: tuple[str, ...]


PDF = "application/pdf"

FILE_TYPES: Mapping[str, FileType] = {
    each.media_type: each
    for each in (
        FileType(PDF, "PDF", ("pdf",)),
        FileType("image/png", "PNG image", ("png",)),
        FileType("image/jpeg", "JPEG image", ("jpg", "jpeg")),
        FileType("image/gif", "GIF image", ("gif",)),
        FileType("image/tiff", "TIFF image", ("tif", "tiff")),
        FileType("image/webp", "WebP image", ("webp",)),
        FileType("image/heif", "HEIF image", ("heic", "heif")),
        FileType("text/plain", "text", ("txt",)),
        FileType("text/csv", "comma-separated values", ("csv",)),
        FileType("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word", ("docx",)),
        FileType("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel", ("xlsx",)),
        FileType("application/vnd.oasis.opendocument.text", "OpenDocument text", ("odt",)),
    )
}
"""By media type. Nothing that a browser or an office program would run: no HTML, no SVG, no macros, no archives."""

ENDINGS: Mapping[str, FileType] = {ending: each for each in FILE_TYPES.values() for ending in each.endings}
"""By how names end."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control and format characters, such as the ones that turn the direction of writing; halves of pairs; line ends."""
_NOT_IN_NAMES = frozenset('/\\:*?"<>|')
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10))}
)
"""What Windows takes for a device, whatever its ending."""


def safe_name(name: str) -> str:
    """The name in Unicode's composed form, if every system can keep a file of it. Raises ValueError."""
    name = unicodedata.normalize("NFC", name)
    if not name or name != name.strip() or name.startswith("."):
        raise ValueError("expected a file name that begins neither with a dot nor with a space")
    if len(name) > LONGEST_NAME or len(name.encode("utf-8", "surrogatepass")) > _MOST_NAME_BYTES:
        raise ValueError(f"expected a file name of at most {LONGEST_NAME} characters")
    if any(unicodedata.category(letter) in _INVISIBLE for letter in name):
        raise ValueError("expected a file name without control or invisible characters")
    if any(letter in _NOT_IN_NAMES for letter in name):
        raise ValueError('expected a file name without a path, and without any of / \\ : * ? " < > |')
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem.strip(". ") or not ending:
        raise ValueError(f"expected a file name that ends in one of {', '.join(sorted(ENDINGS))}")
    if stem.partition(".")[0].strip().casefold() in _DEVICES:
        raise ValueError("expected a file name that is no device's")
    return name


def type_by_name(name: str) -> FileType:
    """What a safe name says that it is. Raises ValueError for what is not taken."""
    found = ENDINGS.get(name.rpartition(".")[2].casefold())
    if found is None:
        raise ValueError(f"expected a file name that ends in one of {', '.join(sorted(ENDINGS))}")
    return found


FileName = Annotated[Personal, AfterValidator(safe_name)]
Sha256 = Annotated[str, Field(pattern=pattern("^[0-9a-f]{64}$", "a SHA-256 as 64 lower-case hexadecimal digits"))]


class AttachedFile(Value):
    """A file that is kept with an account: the bytes are in the store of attachments, under their digest."""

    id: UUID
    name: Personal
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    """Of the content, as hexadecimal text."""


def bytes_of(files: Iterable[AttachedFile]) -> int:
    return sum(each.size for each in files)
