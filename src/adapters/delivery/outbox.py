"""The local outbox: a folder that holds what would be sent, one file a message.

For trials and tests, and for channels that no other carrier is set up for.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

import orjson

from adapters.delivery.carrier import Attempt, Carrier, CarrierUnavailable
from adapters.delivery.rendering import Attached, Letter
from aggregates.values.contact import Channel

_AT_ONCE = 8
"""Files that are written at the same time."""
_TRIAL, _PAGE = "trial", 4_096
"""What is written to see whether anything can be, and its bytes."""


class Outbox(Carrier):
    """Writes each message to `FOLDER/<message id>.json`, whole or not at all; so it always knows what it took.

    A message is taken once: what is there stays as it is, and its file's time says when it was handed over last.
    """

    name = "outbox"
    channels = frozenset(Channel)
    is_idempotent = True
    answers_within = timedelta(seconds=10)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.leads_to = str(folder)

    def lines(self) -> Sequence[Carrier]:
        """The disk takes several files in the time of one."""
        return (self,) * _AT_ONCE

    def check(self) -> None:
        """Writes a page, as a message would be."""
        path = f"{self._folder}/{_TRIAL}.{uuid4().hex}.part"
        try:
            self._put(path, bytes(_PAGE))
            Path(path).unlink()
        except OSError as error:
            raise self._full(error) from None

    def send(self, message_id: UUID, letter: Letter) -> str:
        try:
            return self._write(message_id, letter)
        except OSError as error:
            raise self._full(error) from None

    def _full(self, error: OSError) -> CarrierUnavailable:
        return CarrierUnavailable(f"{self.leads_to} cannot be written to: {error.strerror}")

    def _write(self, message_id: UUID, letter: Letter) -> str:
        # Names are texts here: every message comes this way, and a `Path` for each costs as much as its file.
        name = f"{message_id}.json"
        path = f"{self._folder}/{name}"
        if os.path.exists(path):  # noqa: PTH110
            os.utime(path)
            return name
        draft = f"{path}.{uuid4().hex}.part"
        content = {
            "message_id": str(message_id),
            "channel": letter.channel,
            "to": letter.to,
            "subject": letter.subject,
            "body": letter.body,
            **({"attachments": [_shown(each) for each in letter.attachments]} if letter.attachments else {}),
        }
        self._put(draft, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        os.replace(draft, path)  # noqa: PTH105
        return name

    def _put(self, path: str, content: bytes) -> None:
        """On the disk, whole or not at all."""
        try:
            with self._opened(path) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                Path(path).unlink()
            raise

    def _opened(self, draft: str) -> BinaryIO:
        try:
            return open(draft, "wb")  # noqa: PTH123
        except FileNotFoundError:  # the first one, or somebody emptied it
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return open(draft, "wb")  # noqa: PTH123

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        del attempt  # its file says all
        path = self._folder / f"{message_id}.json"
        if not path.exists():
            return False
        content = orjson.loads(path.read_bytes())
        return Letter(Channel(content["channel"]), content["to"], content["subject"], content["body"])


def _shown(file: Attached) -> dict[str, str | int]:
    """What of a file would be sent: its bytes stay where they are."""
    return {"name": file.name, "media_type": file.media_type, "sha256": file.sha256, "bytes": len(file.read())}
