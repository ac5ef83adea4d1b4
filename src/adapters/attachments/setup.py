"""Where attachments are kept, as the environment says: a folder beside the data, or a bucket."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from obstore.store import LocalStore, ObjectStore, S3Store

from adapters.attachments.store import AttachmentStore, StoreAway
from adapters.eventstore.keys import KeyRing
from adapters.secret_text import SecretProblem, secret_of
from aggregates.values.attachments import MOST_BYTES

URL = "ARREARS_ATTACHMENTS_URL"
MOST_MB = "ARREARS_ATTACHMENTS_MAX_MB"
ENDPOINT = "ARREARS_ATTACHMENTS_S3_ENDPOINT"
REGION = "ARREARS_ATTACHMENTS_S3_REGION"
ACCESS_KEY = "ARREARS_ATTACHMENTS_S3_ACCESS_KEY_ID"
SECRET_KEY = "ARREARS_ATTACHMENTS_S3_SECRET_ACCESS_KEY"  # noqa: S105  the name of a variable
SECRET_KEY_FILE = f"{SECRET_KEY}_FILE"
_OF_S3 = (ENDPOINT, REGION, ACCESS_KEY, SECRET_KEY, SECRET_KEY_FILE)

FOLDER = "attachments"
"""In the data folder."""
_NOWHERE = f"no place: {URL} is not set"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LARGEST_MB = 50
_RETRY: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=20)}


class AttachmentsMisconfigured(Exception):
    """The settings of the store do not fit together; the message names the variable."""


def store_of(env: Mapping[str, str], data_dir: Path | None, keys: KeyRing) -> AttachmentStore:
    """The one that the environment names, else a folder in the data folder. Where there is neither, whatever needs it
    raises StoreAway. Raises AttachmentsMisconfigured, MasterKeyError."""
    url = env.get(URL) or ""
    if url.startswith("s3:"):
        bucket = _bucket(url, env)
        return AttachmentStore(lambda: bucket, keys, leads_to=url)
    if given := next((name for name in _OF_S3 if env.get(name)), None):
        raise AttachmentsMisconfigured(f"{given} is set, and {URL} names no bucket; expected s3://BUCKET/FOLDER.")
    if not url and data_dir is None:
        return AttachmentStore(_nowhere, keys, leads_to=_NOWHERE)
    folder = _folder(url, data_dir)

    def opened() -> ObjectStore:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder)

    return AttachmentStore(opened, keys, leads_to=str(folder), folder=folder)


def say_where(store: AttachmentStore, env: Mapping[str, str], data_dir: Path | None) -> None:
    """Tells the log where files are kept, and where they have no place."""
    _log.info("attachments", leads_to=store.leads_to)
    if data_dir is None and not env.get(URL):
        _log.warning("there is no place for attachments: none is taken, and no message leaves with one", set=URL)


def most_bytes(env: Mapping[str, str]) -> int:
    """Of a file. Raises AttachmentsMisconfigured."""
    said = env.get(MOST_MB)
    if not said:
        return MOST_BYTES
    if not (said.isascii() and said.isdigit() and 1 <= int(said) <= _LARGEST_MB):
        raise AttachmentsMisconfigured(f"{MOST_MB} is not understood; expected a whole number from 1 to {_LARGEST_MB}.")
    return int(said) * 1_000_000


def _nowhere() -> ObjectStore:
    raise StoreAway(f"attachments have no place: there is no data folder, and {URL} names no folder or bucket")


def _folder(url: str, data_dir: Path | None) -> Path:
    if not url and data_dir is not None:
        return (data_dir / FOLDER).absolute()
    parts = urlsplit(url)
    path = Path(unquote(parts.path) if parts.scheme == "file" else url)
    if parts.scheme not in {"", "file"} or parts.netloc or not path.is_absolute():
        raise AttachmentsMisconfigured(
            f"{URL} is not understood; expected the path of a folder, from the root on, or s3://BUCKET/FOLDER."
        )
    return path


def _bucket(url: str, env: Mapping[str, str]) -> ObjectStore:
    parts = urlsplit(url)
    if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise AttachmentsMisconfigured(f"{URL} is not understood; expected s3://BUCKET/FOLDER, without a secret.")
    try:
        secret = secret_of(env, SECRET_KEY, SECRET_KEY_FILE)
    except SecretProblem as problem:
        raise AttachmentsMisconfigured(str(problem)) from None
    if bool(env.get(ACCESS_KEY)) != (secret is not None):
        raise AttachmentsMisconfigured(
            f"{ACCESS_KEY} and {SECRET_KEY_FILE} go together. Without them the machine's role is used."
        )
    said: dict[str, Any] = {
        "endpoint": env.get(ENDPOINT),
        "region": env.get(REGION),
        "access_key_id": env.get(ACCESS_KEY),
        "secret_access_key": None if secret is None else str(secret),
        "prefix": parts.path.strip("/"),
    }
    return S3Store(
        parts.netloc,
        client_options={
            "timeout": "20s",
            "connect_timeout": "10s",
            "allow_http": str(env.get(ENDPOINT)).startswith("http:"),
        },
        retry_config=_RETRY,
        **{name: value for name, value in said.items() if value},
    )
