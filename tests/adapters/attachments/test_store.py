"""The store of attachments: nobody reads it without the account's key, and nobody finds a file by its content."""

import hashlib
import os
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from adapters.attachments.setup import AttachmentsMisconfigured, most_bytes, store_of
from adapters.attachments.store import (
    AttachmentDamaged,
    AttachmentErased,
    AttachmentMissing,
    AttachmentStore,
    StoreAway,
)
from adapters.eventstore.keys import KeyRing
from aggregates.values.attachments import MOST_BYTES
from tests.adapters.attachments.s3_server import ACCESS_KEY, BUCKET, S3Server

ADA, BOB = uuid4(), uuid4()
CONTENT = b"A very personal proof of payment." * 100


class Keys:
    """Keys of accounts without a database."""

    def __init__(self) -> None:
        self.of: dict[UUID, AESGCM | None] = {each: AESGCM(os.urandom(32)) for each in (ADA, BOB)}

    def get(self, account_id: UUID) -> AESGCM | None:
        return self.of.get(account_id)

    def derived(self, purpose: bytes) -> bytes:
        return hashlib.sha256(b"master" + purpose).digest()


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ObjectStore, Path | None]:
    return (LocalStore(tmp_path), tmp_path) if request.param == "folder" else (MemoryStore(), None)


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def store(objects: tuple[ObjectStore, Path | None], keys: Keys) -> AttachmentStore:
    kept, folder = objects
    return AttachmentStore(lambda: kept, cast(KeyRing, keys), leads_to="here", folder=folder)


def test_what_was_put_is_read(store: AttachmentStore):
    sha256 = store.put(ADA, CONTENT)
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert store.put(ADA, CONTENT) == sha256
    assert store.read(ADA, sha256) == CONTENT
    assert [each.account_id for each in store.all()] == [ADA]


def test_an_erased_persons_files_are_read_by_nobody(store: AttachmentStore, keys: Keys):
    sha256 = store.put(ADA, CONTENT)
    keys.of[ADA] = None
    with pytest.raises(AttachmentErased):
        store.read(ADA, sha256)
    with pytest.raises(AttachmentErased):
        store.put(ADA, CONTENT)


def test_one_account_does_not_read_anothers(store: AttachmentStore):
    with pytest.raises(AttachmentMissing):
        store.read(BOB, store.put(ADA, CONTENT))


def test_nobody_sees_that_two_accounts_have_the_same_file(store: AttachmentStore):
    sha256 = store.put(ADA, CONTENT)
    assert store.path_of(ADA, sha256).partition("/")[2] != store.path_of(BOB, sha256).partition("/")[2]


def test_what_is_removed_is_gone_and_may_be_removed_again(store: AttachmentStore):
    sha256 = store.put(ADA, CONTENT)
    for _ in range(2):
        store.remove(store.path_of(ADA, sha256))
    with pytest.raises(AttachmentMissing):
        store.read(ADA, sha256)


def test_the_folder_shows_neither_content_nor_its_digest(tmp_path: Path, keys: Keys):
    store = AttachmentStore(lambda: LocalStore(tmp_path), cast(KeyRing, keys), leads_to="here", folder=tmp_path)
    sha256 = store.put(ADA, CONTENT)
    [file] = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert b"personal" not in file.read_bytes()
    assert sha256 not in str(file)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(AttachmentDamaged):
        store.read(ADA, sha256)
    moved = tmp_path / store.path_of(BOB, sha256)
    moved.parent.mkdir()
    file.rename(moved)
    with pytest.raises(AttachmentDamaged):
        store.read(BOB, sha256)


def test_a_store_that_does_not_answer_is_nobodys_fault(keys: Keys):
    bucket = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:1",
        region="us-east-1",
        access_key_id="a",
        secret_access_key="b",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    store = AttachmentStore(lambda: bucket, cast(KeyRing, keys), leads_to="s3://bucket")
    with pytest.raises(StoreAway, match="s3://bucket"):
        store.put(ADA, CONTENT)


def test_a_bucket_keeps_what_a_folder_does(keys: Keys, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("a secret\n")
    with S3Server() as server:
        env = {
            "ARREARS_ATTACHMENTS_URL": f"s3://{BUCKET}/arrears",
            "ARREARS_ATTACHMENTS_S3_ENDPOINT": server.endpoint,
            "ARREARS_ATTACHMENTS_S3_REGION": "eu-central-1",
            "ARREARS_ATTACHMENTS_S3_ACCESS_KEY_ID": ACCESS_KEY,
            "ARREARS_ATTACHMENTS_S3_SECRET_ACCESS_KEY_FILE": str(secret),
        }
        store = store_of(env, None, cast(KeyRing, keys))
        sha256 = store.put(ADA, CONTENT)
        [(key, kept)] = server.objects.items()
        assert key == f"arrears/{store.path_of(ADA, sha256)}"
        assert b"personal" not in kept
        assert store.read(ADA, sha256) == CONTENT
        assert [each.path for each in store.all()] == [store.path_of(ADA, sha256)]
        with pytest.raises(AttachmentMissing):
            store.read(ADA, "0" * 64)
        store.remove(store.path_of(ADA, sha256))
        assert server.objects == {}
        refused = store_of({**env, "ARREARS_ATTACHMENTS_S3_ACCESS_KEY_ID": "another"}, None, cast(KeyRing, keys))
        with pytest.raises(StoreAway):
            refused.put(ADA, CONTENT)


# --- settings ---


def test_without_settings_it_is_a_folder_beside_the_data(tmp_path: Path, keys: Keys):
    store = store_of({}, tmp_path, cast(KeyRing, keys))
    sha256 = store.put(ADA, CONTENT)
    assert (tmp_path / "attachments" / store.path_of(ADA, sha256)).exists()
    assert (tmp_path / "attachments").stat().st_mode & 0o077 == 0


def test_without_a_data_folder_and_settings_nothing_is_kept_where_the_process_happens_to_be(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    store = store_of({}, None, cast(KeyRing, keys))
    with pytest.raises(StoreAway, match="ARREARS_ATTACHMENTS_URL"):
        store.put(ADA, CONTENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"ARREARS_ATTACHMENTS_URL": "attachments"}, "ARREARS_ATTACHMENTS_URL"),
        ({"ARREARS_ATTACHMENTS_URL": "https://example.com/x"}, "ARREARS_ATTACHMENTS_URL"),
        ({"ARREARS_ATTACHMENTS_URL": "s3://"}, "ARREARS_ATTACHMENTS_URL"),
        ({"ARREARS_ATTACHMENTS_S3_REGION": "eu-central-1"}, "ARREARS_ATTACHMENTS_URL"),
        (
            {"ARREARS_ATTACHMENTS_URL": "s3://bucket", "ARREARS_ATTACHMENTS_S3_ACCESS_KEY_ID": "a"},
            "ARREARS_ATTACHMENTS_S3_SECRET_ACCESS_KEY_FILE",
        ),
        (
            {
                "ARREARS_ATTACHMENTS_URL": "s3://bucket",
                "ARREARS_ATTACHMENTS_S3_SECRET_ACCESS_KEY_FILE": "/nowhere/secret",
            },
            "ARREARS_ATTACHMENTS_S3_SECRET_ACCESS_KEY_FILE",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(env: dict[str, str], named: str, tmp_path: Path, keys: Keys):
    with pytest.raises(AttachmentsMisconfigured, match=named):
        store_of(env, tmp_path, cast(KeyRing, keys))


def test_the_largest_file_is_said_in_megabytes():
    assert most_bytes({}) == MOST_BYTES
    assert most_bytes({"ARREARS_ATTACHMENTS_MAX_MB": "25"}) == 25_000_000
    for said in ("0", "51", "ten", "-1"):
        with pytest.raises(AttachmentsMisconfigured, match="ARREARS_ATTACHMENTS_MAX_MB"):
            most_bytes({"ARREARS_ATTACHMENTS_MAX_MB": said})
