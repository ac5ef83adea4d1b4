"""Files that a message takes with it: read from the store of attachments when it is handed over, and not before."""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from adapters.attachments.store import AttachmentProblem, AttachmentStore, StoreAway
from adapters.delivery.carrier import CarrierRefused, CarrierUnavailable
from adapters.delivery.rendering import Attached
from aggregates.values.attachments import AttachedFile


class AttachedFiles:
    """Gives a message's files to whoever renders it."""

    def __init__(self, store: AttachmentStore) -> None:
        self._store = store

    def __call__(self, account_id: UUID, files: Iterable[AttachedFile]) -> tuple[Attached, ...]:
        """Nothing is read yet. `read` raises CarrierRefused where nobody can read a file any more, and
        CarrierUnavailable where the store is away: either way the message certainly did not leave."""
        return tuple(
            Attached(each.name, each.media_type, each.sha256, partial(self._read, account_id, each)) for each in files
        )

    def _read(self, account_id: UUID, file: AttachedFile) -> bytes:
        try:
            return self._store.read(account_id, file.sha256)
        except AttachmentProblem as error:
            raise CarrierRefused("attachment-gone", f"attachment {file.id}: {error}") from None
        except StoreAway as error:
            raise CarrierUnavailable(str(error)) from None
