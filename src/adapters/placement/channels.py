"""How placement files reach an agency: a folder, an SFTP server, or an upload by HTTPS.

Which of them is the office's setting; where it leads and how we log in are variables of the process that sends, so that
nobody who may change settings can have personal data sent elsewhere.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

from adapters.delivery.carrier import CarrierMisconfigured, CarrierUnavailable, CarrierUncertain
from adapters.secret_text import SecretProblem, secret_of
from aggregates.values.agency import AgencyChannel

_CHUNK = 1_000_000
_SFTP_SECONDS = 600.0
_CONNECT_SECONDS, _ANSWER_SECONDS = 15.0, 300.0
_CERTAINLY_NOT = frozenset({400, 401, 403, 404, 405, 413, 415, 422, 429, 503})
"""Answers of a server that did not take the file."""
_HAS_IT = frozenset({409, 412})
"""A file of this name is there already."""


class FileChannel(ABC):
    """Takes each file name once."""

    leads_to: str = ""
    """Without secrets."""
    can_tell: bool = False
    """Whether a file that may have been taken can be handed over again: one that is there stays."""

    @abstractmethod
    def put(self, name: str, file: Path) -> None:
        """Raises CarrierUnavailable where it certainly did not take the file, CarrierUncertain where nobody knows."""

    def has(self, name: str) -> bool | None:
        """Whether a file of this name is there; None where that cannot be seen now, or never."""
        del name
        return None


def channel_for(
    code: str, channel: AgencyChannel, env: Mapping[str, str], outbox: Path, *, is_history: bool = False
) -> FileChannel:
    """Raises CarrierMisconfigured, which names the variable. Where history is lived through, nothing leaves."""
    prefix = prefix_of(code)
    if is_history:
        return InFolder(outbox / "agencies" / code, makes=True)
    try:
        match channel:
            case AgencyChannel.FOLDER:
                said = env.get(f"{prefix}_FOLDER")
                return InFolder(Path(said), makes=False) if said else InFolder(outbox / "agencies" / code, makes=True)
            case AgencyChannel.SFTP:
                return OverSftp(prefix, env)
            case AgencyChannel.HTTPS:
                return ByHttps(prefix, env)
    except SecretProblem as problem:
        raise CarrierMisconfigured(str(problem)) from None


def prefix_of(code: str) -> str:
    """What the variables of an agency begin with: `ARREARS_AGENCY_ACME` of `acme`."""
    return f"ARREARS_AGENCY_{code.upper().replace('-', '_')}"


class InFolder(FileChannel):
    """A folder of this machine, or one that is mounted; what is being written begins with a dot."""

    can_tell = True

    def __init__(self, folder: Path, *, makes: bool) -> None:
        """One that is not mounted must not be made; the local outbox is."""
        self._folder, self._makes = folder, makes
        self.leads_to = str(folder)

    def put(self, name: str, file: Path) -> None:
        draft = self._folder / f".{uuid4().hex}.part"
        try:
            if self._makes:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with draft.open("xb") as copy:
                    for part in parts_of(file):
                        copy.write(part)
                    copy.flush()
                    os.fsync(copy.fileno())
                os.link(draft, self._folder / name)
            except FileExistsError:
                return  # it was taken before
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise CarrierUnavailable(f"{self._folder} cannot be written to: {error.strerror}") from None

    def has(self, name: str) -> bool | None:
        if not self._folder.is_dir():
            return False if self._makes else None
        return (self._folder / name).exists()


class OverSftp(FileChannel):
    """Somebody's SFTP server, whose host key is known beforehand."""

    can_tell = True

    def __init__(self, prefix: str, env: Mapping[str, str]) -> None:
        """Raises CarrierMisconfigured, SecretProblem."""
        from adapters.sftp import SftpFolder, SftpVariables, sftp_host_of  # takes long, and a folder needs none of it

        variables = SftpVariables.of(prefix)
        if not env.get(variables.url):
            raise CarrierMisconfigured(f"{variables.url} is missing: the agency gets its files by sftp.")
        host = sftp_host_of(env, variables)
        self._folder = SftpFolder(host, variables, send_seconds=_SFTP_SECONDS)
        self.leads_to = host.shown

    def put(self, name: str, file: Path) -> None:
        self._folder.put(name, parts_of(file))

    def has(self, name: str) -> bool | None:
        return self._folder.has(name)


class ByHttps(FileChannel):
    """An upload: `PUT URL/NAME`, with a bearer token, and the wish that nothing of this name is there yet."""

    def __init__(self, prefix: str, env: Mapping[str, str]) -> None:
        """Raises CarrierMisconfigured, SecretProblem."""
        variable = f"{prefix}_HTTPS_URL"
        self._url = env.get(variable, "").rstrip("/")
        if not self._url:
            raise CarrierMisconfigured(f"{variable} is missing: the agency gets its files by https.")
        parts = urlsplit(self._url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise CarrierMisconfigured(f"{variable} is not understood; expected https://HOST/FOLDER.")
        self._token = secret_of(env, f"{prefix}_HTTPS_TOKEN", f"{prefix}_HTTPS_TOKEN_FILE")
        self._authority = env.get(f"{prefix}_HTTPS_CA_FILE") or True
        self.leads_to = self._url

    def put(self, name: str, file: Path) -> None:
        from requests import ConnectTimeout, RequestException, Session
        from requests.exceptions import SSLError

        headers = {"If-None-Match": "*", "Content-Type": "application/octet-stream", "Idempotency-Key": name}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            with Session() as session, file.open("rb") as content:
                session.trust_env = False
                answer = session.put(
                    f"{self._url}/{quote(name)}",
                    data=content,
                    headers=headers,
                    timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
                    verify=self._authority,
                    allow_redirects=False,
                )
        except (SSLError, ConnectTimeout) as error:
            raise CarrierUnavailable(f"{self.leads_to} cannot be reached: {type(error).__name__}") from None
        except RequestException as error:
            raise CarrierUncertain(f"{self.leads_to} did not answer to the last ({type(error).__name__})") from None
        if answer.status_code in _CERTAINLY_NOT:
            raise CarrierUnavailable(f"{self.leads_to} answered {answer.status_code}")
        if answer.status_code not in _HAS_IT and not 200 <= answer.status_code < 300:
            raise CarrierUncertain(f"{self.leads_to} answered {answer.status_code}")


def parts_of(file: Path) -> Iterator[bytes]:
    """What is in a file, a part at a time."""
    with file.open("rb") as content:
        while part := content.read(_CHUNK):
            yield part
