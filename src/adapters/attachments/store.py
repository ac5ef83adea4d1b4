"""The store of attachments: bytes by the digest of their content, encrypted under the account's own key.

An object is `<account id>/<keyed digest>`: whoever sees the store cannot tell by it whether it has a file that they
have too. The same file of an account is kept once. An object is written whole or not at all.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import UUID

import obstore
from cryptography.exceptions import InvalidTag
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from adapters.eventstore.keys import KeyRing
from adapters.postgres.database import Database
from adapters.readers.poison import HelperAway

_NONCE = 12
_DIGESTS = b"arrears attachments"


class AttachmentProblem(Exception):
    """The bytes of an attachment cannot be read, now or ever again."""


class AttachmentErased(AttachmentProblem):
    """The account's key is destroyed: nobody can read them any more."""


class AttachmentMissing(AttachmentProblem):
    """They are not in the store."""


class AttachmentDamaged(AttachmentProblem):
    """What is in the store is not what was put there."""


class StoreAway(HelperAway):
    """The store does not answer, or refuses. That is no attachment's fault: it is tried again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An object of the store."""

    path: str
    account_id: UUID
    size: int
    """Bytes, encrypted."""


_LOCK = "hashtextextended('arrears.attachments', 0)"


@contextmanager
def no_sweep(database: Database) -> Iterator[None]:
    """While bytes are kept of which no fact tells yet, nobody clears such."""
    with database.connect("arrears_app") as connection:
        connection.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})".encode())
        yield


@contextmanager
def sweeping(database: Database) -> Iterator[None]:
    """Waits for whoever is adding an attachment; nobody adds one meanwhile."""
    with database.connect("arrears_app") as connection:
        connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})".encode())
        yield


class AttachmentStore:
    """Used by any thread."""

    def __init__(
        self, objects: Callable[[], ObjectStore], keys: KeyRing, *, leads_to: str, folder: Path | None = None
    ) -> None:
        """`objects` is asked when it is first used. `folder` is where they are, if that is one of this machine.

        Raises MasterKeyError.
        """
        self._open = objects
        self._keys = keys
        self._digest_key = keys.derived(_DIGESTS)
        self._folder = folder
        self.leads_to = leads_to

    @cached_property
    def _objects(self) -> ObjectStore:
        return self._open()

    def put(self, account_id: UUID, content: bytes) -> str:
        """Keeps the content and returns its SHA-256, as hexadecimal text. Raises AttachmentErased, StoreAway."""
        sha256, nonce = hashlib.sha256(content).hexdigest(), os.urandom(_NONCE)
        cipher = self._keys.get(account_id)
        if cipher is None:
            raise AttachmentErased("the person was erased, and nothing is kept of them any more")
        path = self.path_of(account_id, sha256)
        with self._at_work():
            obstore.put(self._objects, path, nonce + cipher.encrypt(nonce, content, path.encode()))
            self._sync(path)
        return sha256

    def read(self, account_id: UUID, sha256: str) -> bytes:
        """The content of this SHA-256. Raises AttachmentProblem, StoreAway."""
        cipher = self._keys.get(account_id)
        if cipher is None:
            raise AttachmentErased("it was erased with the person")
        path = self.path_of(account_id, sha256)
        with self._at_work():
            try:
                sealed = bytes(obstore.get(self._objects, path).bytes())
            except FileNotFoundError:
                raise AttachmentMissing("its bytes are not in the store of attachments") from None
        try:
            content = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], path.encode())
        except (InvalidTag, ValueError):
            raise AttachmentDamaged("its bytes in the store are damaged") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise AttachmentDamaged("its bytes in the store are others")
        return content

    def all(self) -> Iterator[Kept]:
        """Every object that is an account's. Raises StoreAway."""
        with self._at_work():
            for chunk in obstore.list(self._objects):
                for each in chunk:
                    account = str(each["path"]).partition("/")[0]
                    try:
                        yield Kept(str(each["path"]), UUID(account), int(each["size"]))
                    except ValueError:
                        continue  # somebody else's

    def remove(self, path: str) -> None:
        """Raises StoreAway."""
        with self._at_work(), suppress(FileNotFoundError):
            obstore.delete(self._objects, path)

    def path_of(self, account_id: UUID, sha256: str) -> str:
        digest = hmac.digest(self._digest_key, account_id.bytes + bytes.fromhex(sha256), "sha256").hex()
        return f"{account_id}/{digest}"

    def _sync(self, path: str) -> None:
        """An object of a folder is there after a power failure too: the fact that names it is stored next."""
        if self._folder is None:
            return
        file = self._folder / path
        for each in (file, file.parent, self._folder):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """What the store's errors mean. They may name the object, which names the account alone."""
        try:
            yield
        except (BaseError, OSError) as error:
            raise StoreAway(f"the attachments in {self.leads_to} cannot be reached ({type(error).__name__})") from None
