"""Letters into a folder of this machine, or one that is mounted."""

import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from adapters.clock import Clock
from adapters.delivery.carrier import CarrierMisconfigured, CarrierUnavailable
from adapters.delivery.carriers.letters import FOLDER, Letters


class LettersFolder(Letters):
    """Each letter is `FOLDER/<message id>.pdf`; what is being written begins with a dot."""

    name = "letters-folder"
    answers_within = timedelta(seconds=50)

    def __init__(self, folder: Path, texts: Path, clock: Clock) -> None:
        """Raises CarrierMisconfigured where there is no such folder. One that is not mounted must not be made."""
        if not folder.is_dir():
            raise CarrierMisconfigured(f"{FOLDER}: there is no folder {folder}.")
        super().__init__(texts, clock)
        self._folder = folder
        self.leads_to = str(folder)

    def check(self) -> None:
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise CarrierUnavailable(f"{self._folder} cannot be written to")

    def put(self, name: str, pdf: bytes) -> None:
        draft = self._folder / f".{uuid4().hex}.part"
        try:
            try:
                with draft.open("wb") as file:
                    file.write(pdf)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self._folder / name)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise CarrierUnavailable(f"{self._folder} cannot be written to: {error.strerror}") from None

    def has(self, name: str) -> bool | None:
        return (self._folder / name).exists() if self._folder.is_dir() else None
