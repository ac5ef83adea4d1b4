"""The local outbox: a folder that holds what would be sent, one file a message. For trials and for tests."""

import json
import os
from pathlib import Path
from uuid import UUID

from adapters.delivery.rendering import Letter
from aggregates.values.contact import Channel


class Outbox:
    """Writes each message to `FOLDER/<message id>.json`, whole or not at all; so it always knows what it took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def send(self, message_id: UUID, letter: Letter) -> str:
        path = self._path(message_id)
        draft = path.with_suffix(".part")
        content = {
            "message_id": str(message_id),
            "channel": letter.channel,
            "to": letter.to,
            "subject": letter.subject,
            "body": letter.body,
        }
        with draft.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path.name

    def took(self, message_id: UUID) -> Letter | bool | None:
        path = self._path(message_id)
        if not path.exists():
            return False
        content = json.loads(path.read_text(encoding="utf-8"))
        return Letter(Channel(content["channel"]), content["to"], content["subject"], content["body"])

    def _path(self, message_id: UUID) -> Path:
        return self._folder / f"{message_id}.json"
