"""Each account's own key, wrapped by the master key: destroy one and a person is erased. And the import key."""

import base64
import binascii
import hmac
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.eventstore.connections import Connections

KEY_VARIABLE = "ARREARS_MASTER_KEY"
FILE_VARIABLE = "ARREARS_MASTER_KEY_FILE"
FILE_NAME = "master.key"
"""In the data folder."""

_SIZE = 32
_NONCE = 12
_IMPORT_KEY = b"arrears import key"
"""What the wrapped import key is bound to, as an account's is to its id."""


class MasterKeyError(Exception):
    """The master key is missing, malformed, or not the one that this log was written with."""


class MasterKeyMissing(MasterKeyError):
    """The file that should hold it is not there."""


class MasterKeyNotMade(MasterKeyMissing):
    """It is not there because the log has nothing yet that would need it."""


def key_for_a_while() -> str:
    """A new key, as the environment would give it, for who stores nothing that is wrapped by it."""
    return base64.b64encode(os.urandom(_SIZE)).decode()


def master_key(env: Mapping[str, str] = os.environ, *, data_dir: Path | None = None) -> bytes:
    """The 32 bytes that wrap all account keys: from the environment, or from a file, its own or the data folder's.

    Raises MasterKeyError.
    """
    if text := env.get(KEY_VARIABLE):
        return _decoded(text, KEY_VARIABLE)
    if name := env.get(FILE_VARIABLE):
        return _read(Path(name))
    if data_dir is None:
        raise MasterKeyError(f"no master key: set {KEY_VARIABLE} (base64 of {_SIZE} bytes) or {FILE_VARIABLE}")
    return _read(data_dir / FILE_NAME)


def given_key(env: Mapping[str, str], file: Path | None) -> bytes:
    """The key in a file, else that of the environment; none is made."""
    return _read(file) if file is not None else master_key(env)


def keep_key(data_dir: Path, key: bytes) -> None:
    """Puts a key into a new data folder."""
    _keep(data_dir / FILE_NAME, key)


def fingerprint_of(master: bytes) -> bytes:
    """The check value by which a log knows its master key."""
    return hmac.digest(master, b"arrears master key", "sha256")


def master_key_of(
    connection: psycopg.Connection[Any], env: Mapping[str, str], *, data_dir: Path | None, may_make: bool
) -> bytes:
    """The same for whoever opens this database. One in the data folder is made once, for a log that has nothing yet.

    Raises MasterKeyError: a new key in place of a lost one would open nothing that was written with that.
    """
    try:
        return master_key(env, data_dir=data_dir)
    except MasterKeyMissing as missing:
        if data_dir is None or env.get(FILE_VARIABLE):
            raise
        if _is_in_use(connection):
            raise MasterKeyMissing(
                f"{data_dir / FILE_NAME} is not there, and the log was written with the key that it held; put that "
                f"file back, or give the key with {KEY_VARIABLE} or {FILE_VARIABLE}. No other key opens this log"
            ) from missing
        if not may_make:
            raise MasterKeyNotMade(
                f"{data_dir / FILE_NAME} is not there yet: the first command that writes makes it"
            ) from missing
        return _make(data_dir / FILE_NAME)


def _is_in_use(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM arrears.events) OR EXISTS (SELECT FROM arrears.master_key)"
        " OR EXISTS (SELECT FROM arrears.account_keys) OR EXISTS (SELECT FROM arrears.import_key)"
    ).fetchone()
    return row is not None and bool(row[0])


def _make(path: Path) -> bytes:
    _keep(path, os.urandom(_SIZE))
    return _read(path)


def _keep(path: Path, key: bytes) -> None:
    """Where another process was first, its key is the key."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()


def _read(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError as error:
        raise MasterKeyMissing(f"the master key is not there: {path}") from error
    except OSError as error:
        raise MasterKeyError(f"the master key cannot be read: {path}: {error.strerror}") from error
    return _decoded(text, str(path))


def _decoded(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _SIZE:
        raise MasterKeyError(f"{source} is not the base64 of {_SIZE} bytes")
    return key


class NewKey(NamedTuple):
    """A key that was made and is not stored yet: nobody else opens or closes anything with it before that."""

    cipher: AESGCM
    wrapped: bytes


Erase = Callable[[UUID, psycopg.Connection], None]
"""Takes out what is kept of a person besides the log."""


class KeyRing:
    """Account keys, unwrapped on demand and kept for a minute: a destroyed key is forgotten everywhere soon after."""

    def __init__(
        self, connections: Connections, master: bytes, *, size: int = 50_000, keep_seconds: float = 60.0
    ) -> None:
        self._connections = connections
        self._master_bytes = master
        self._master = AESGCM(master)
        self._size = size
        self._keep_seconds = keep_seconds
        self._keys: OrderedDict[UUID, tuple[AESGCM | None, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._checked = self._is_known = False
        self._also_erase: list[Erase] = []

    def also_erase(self, erase: Erase) -> None:
        """Calls `erase` in the transaction that destroys a key."""
        self._also_erase.append(erase)

    def get(self, account_id: UUID) -> AESGCM | None:
        """The account's cipher, or None where the key is destroyed or was never made."""
        known, cipher = self._cached(account_id)
        return cipher if known else self.fetch([account_id]).get(account_id)

    def fetch(self, account_ids: Iterable[UUID]) -> dict[UUID, AESGCM | None]:
        """The ciphers of many accounts, those not at hand in one query. An account without a key row is left out."""
        found: dict[UUID, AESGCM | None] = {}
        wanted: list[UUID] = []
        for account_id in set(account_ids):
            known, cipher = self._cached(account_id)
            if known:
                found[account_id] = cipher
            else:
                wanted.append(account_id)
        if wanted:
            self.check_master()
            with self._connections.use() as connection:
                rows = connection.execute(
                    "SELECT account_id, wrapped_key FROM arrears.account_keys WHERE account_id = ANY(%b)",
                    [wanted],
                    prepare=True,
                    binary=True,
                ).fetchall()
            found.update(self.admit(rows))
        return found

    def admit(self, rows: Iterable[tuple[UUID, bytes | None]]) -> dict[UUID, AESGCM | None]:
        """Takes key rows that came with another query."""
        admitted = {account_id: self._unwrapped(account_id, wrapped) for account_id, wrapped in rows}
        with self._lock:
            self._keep(admitted)
        return admitted

    def make(self, account_id: UUID) -> NewKey:
        """A new key, to be stored with the account's first personal event; then `keep` it."""
        self._make_master_known()
        key, nonce = os.urandom(_SIZE), os.urandom(_NONCE)
        return NewKey(AESGCM(key), nonce + self._master.encrypt(nonce, key, account_id.bytes))

    def keep(self, stored: Mapping[UUID, NewKey]) -> None:
        """Has keys at hand that were stored by now; of one that was destroyed since, more is known already."""
        with self._lock:
            unknown = {i: new.cipher for i, new in stored.items() if i not in self._keys}
            self._keep(unknown)

    def ensure(self, account_id: UUID) -> None:
        """Stores a key for the account where it has none."""
        if account_id not in self.fetch([account_id]):
            wrapped = self.make(account_id).wrapped
            with self._connections.use() as connection:
                connection.execute(
                    "INSERT INTO arrears.account_keys (account_id, wrapped_key) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                    [account_id, wrapped],
                )

    def import_key(self) -> bytes | None:
        """The 32 bytes that key digests of imported facts; None where none was made yet. Raises MasterKeyError."""
        with self._connections.use() as connection:
            row = connection.execute("SELECT wrapped_key FROM arrears.import_key").fetchone()
        if row is None:
            return None
        self.check_master()
        wrapped = bytes(row[0])
        try:
            return self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _IMPORT_KEY)
        except InvalidTag:
            raise MasterKeyError("the import key was not wrapped by this master key") from None

    def ensure_import_key(self) -> bytes:
        """The import key, made where there is none; of two processes, the first one's. Raises MasterKeyError."""
        while (known := self.import_key()) is None:
            self._make_master_known()
            key, nonce = os.urandom(_SIZE), os.urandom(_NONCE)
            with self._connections.use() as connection:
                connection.execute(
                    "INSERT INTO arrears.import_key (wrapped_key) VALUES (%s) ON CONFLICT DO NOTHING",
                    [nonce + self._master.encrypt(nonce, key, _IMPORT_KEY)],
                )
        return known

    def derived(self, purpose: bytes) -> bytes:
        """32 bytes for a purpose, which follow from the master key. Raises MasterKeyError."""
        self.check_master()
        return hmac.digest(self._master_bytes, purpose, "sha256")

    def destroy(self, account_id: UUID) -> None:
        """Erases the person: what is encrypted under the key can never be read again, and read tables forget them.

        Whoever writes personal text into read tables shares the lock: behind an erasure nothing is written.
        """
        with self._connections.use() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('arrears.erasure', 0))")
            connection.execute(
                """
                INSERT INTO arrears.account_keys (account_id, wrapped_key, destroyed_at)
                VALUES (%s, NULL, clock_timestamp())
                ON CONFLICT (account_id) DO UPDATE
                SET wrapped_key = NULL, destroyed_at = clock_timestamp() WHERE account_keys.destroyed_at IS NULL
                """,
                [account_id],
            )
            for erase in self._also_erase:
                erase(account_id, connection)
        self.admit([(account_id, None)])

    def is_destroyed(self, account_id: UUID) -> bool:
        """Whether the person was erased; an account that never had a key is not."""
        return account_id in self.destroyed_among([account_id])

    def destroyed_among(self, account_ids: Iterable[UUID]) -> set[UUID]:
        """The accounts of people who were erased."""
        return {account_id for account_id, cipher in self.fetch(account_ids).items() if cipher is None}

    def check_master(self) -> None:
        """Raises MasterKeyError unless the master key is the one that this log was written with, if it was with any."""
        if self._checked:
            return
        if not self.fits():
            raise MasterKeyError(
                "this is not the master key that the log was written with; "
                f"give that one ({KEY_VARIABLE}, {FILE_VARIABLE} or DATA/{FILE_NAME})"
            )
        self._checked = True

    def fits(self) -> bool:
        """Whether the log knows the master key by its fingerprint, or, where it has none, some account's key opens."""
        with self._connections.use() as connection:
            known = connection.execute("SELECT fingerprint FROM arrears.master_key").fetchone()
            if known is not None:
                return hmac.compare_digest(bytes(known[0]), fingerprint_of(self._master_bytes))
            some = connection.execute(
                "SELECT account_id, wrapped_key FROM arrears.account_keys WHERE wrapped_key IS NOT NULL LIMIT 1"
            ).fetchone()
        return some is None or self._opened(some[0], bytes(some[1])) is not None

    def _make_master_known(self) -> None:
        """From the first key on that is wrapped, another master key is refused."""
        if self._is_known:
            return
        self.check_master()
        with self._connections.use() as connection:
            connection.execute(
                "INSERT INTO arrears.master_key (fingerprint) VALUES (%s) ON CONFLICT DO NOTHING",
                [fingerprint_of(self._master_bytes)],
            )
        self._checked = False  # another process, with another key, may have been first
        self.check_master()
        self._is_known = True

    def _keep(self, ciphers: Mapping[UUID, AESGCM | None]) -> None:
        """The caller holds the lock."""
        until = time.monotonic() + self._keep_seconds
        for account_id, cipher in ciphers.items():
            self._keys[account_id] = (cipher, until)
            self._keys.move_to_end(account_id)
        while len(self._keys) > self._size:
            self._keys.popitem(last=False)

    def _cached(self, account_id: UUID) -> tuple[bool, AESGCM | None]:
        with self._lock:
            entry = self._keys.get(account_id)
            if entry is None or entry[1] < time.monotonic():
                return False, None
            self._keys.move_to_end(account_id)
            return True, entry[0]

    def _unwrapped(self, account_id: UUID, wrapped: bytes | None) -> AESGCM | None:
        if wrapped is None:
            return None
        self.check_master()
        cipher = self._opened(account_id, bytes(wrapped))
        if cipher is None:
            raise MasterKeyError(f"the key of account {account_id} was not wrapped by this master key")
        return cipher

    def _opened(self, account_id: UUID, wrapped: bytes) -> AESGCM | None:
        try:
            return AESGCM(self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], account_id.bytes))
        except InvalidTag:
            return None
