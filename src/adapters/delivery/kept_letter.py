"""A letter as it was handed to its carrier, kept under the account's own key until the log says that it left."""

import json
import os
from dataclasses import asdict, replace
from datetime import date
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.delivery.rendering import Letter
from aggregates.values.contact import Channel

_NONCE = 12


def sealed(letter: Letter, message_id: UUID, cipher: AESGCM | None) -> bytes | None:
    """Readable with the account's cipher alone, without the files that went with it; None where it has none."""
    if cipher is None:
        return None
    nonce = os.urandom(_NONCE)
    said = json.dumps(asdict(replace(letter, attachments=())), default=date.isoformat)
    return nonce + cipher.encrypt(nonce, said.encode("ascii"), _bound_to(message_id))


def opened(kept: bytes | None, message_id: UUID, cipher: AESGCM | None) -> Letter | None:
    """The letter; None where none was kept, or its key is destroyed."""
    if kept is None or cipher is None:
        return None
    try:
        said = json.loads(cipher.decrypt(kept[:_NONCE], kept[_NONCE:], _bound_to(message_id)))
    except InvalidTag:
        return None
    return Letter(
        **{
            **said,
            "channel": Channel(said["channel"]),
            "day": date.fromisoformat(said["day"]) if said["day"] else None,
            "attachments": (),
        }
    )


def _bound_to(message_id: UUID) -> bytes:
    return b"arrears letter" + message_id.bytes
