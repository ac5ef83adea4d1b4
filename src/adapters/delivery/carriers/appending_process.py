"""A process that puts PDF files one behind the other: `python -m adapters.delivery.carriers.appending_process`.

It is given files on its standard input and gives one back on its standard output. What it may use is limited by the
operating system: hostile files are read here, and nowhere else. Frames are eight bytes of length, the most significant
first, and the bytes. Of each file only the pages are taken.
"""

import resource
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import IO

from pypdf import PdfReader, PdfWriter


class NotPrinted(Exception):
    """A file is encrypted, has no page, or there are too many."""


def put_together(parts: Sequence[bytes], most_pages: int) -> bytes:
    """One PDF with the pages of all. Raises NotPrinted, and whatever a file that is broken leads to."""
    writer, left = PdfWriter(), most_pages
    for each in parts:
        reader = PdfReader(BytesIO(each), strict=False)
        if reader.is_encrypted:
            raise NotPrinted
        left -= len(reader.pages)
        if left < 0 or not len(reader.pages):
            raise NotPrinted
        for page in reader.pages:
            for what in ("/Annots", "/AA"):  # nothing to be clicked, run or filled in is printed
                page.pop(what, None)
            writer.add_page(page)
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


def _read(source: IO[bytes]) -> list[bytes]:
    parts = []
    while head := source.read(8):
        parts.append(source.read(int.from_bytes(head, "big")))
    return parts


def main() -> None:
    """Arguments: the memory that it may use in bytes, the seconds of work, and how many pages there may be."""
    memory, seconds, most_pages = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":  # elsewhere the system does not hold itself to it
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    sys.stdout.buffer.write(put_together(_read(sys.stdin.buffer), most_pages))


if __name__ == "__main__":
    main()
