"""Letters to somebody's SFTP server, whose host key is known beforehand."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncssh

from adapters.clock import Clock
from adapters.delivery.carrier import CarrierMisconfigured, CarrierUnavailable, CarrierUncertain
from adapters.delivery.carriers.letters import KEY_FILE, KNOWN_HOSTS, SFTP_URL, Letters
from adapters.secret_text import text_of

_CONNECT_SECONDS = 15.0
_SEND_SECONDS = 45.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Host:
    """Whose server it is, and how it and we know each other."""

    host: str
    port: int
    user: str
    folder: str
    known_hosts: Path
    key: Path

    @property
    def shown(self) -> str:
        return f"sftp://{self.host}:{self.port}{self.folder}"


class LettersSftp(Letters):
    """Connects for each letter. A letter is sent under a name that begins with a dot, and then renamed."""

    name = "letters-sftp"
    answers_within = timedelta(seconds=_SEND_SECONDS + 35)

    def __init__(
        self,
        host: Host,
        texts: Path,
        clock: Clock,
        *,
        connect_seconds: float = _CONNECT_SECONDS,
        send_seconds: float = _SEND_SECONDS,
    ) -> None:
        super().__init__(texts, clock)
        self._host = host
        self._connect_seconds = connect_seconds
        self._send_seconds = send_seconds
        self.leads_to = host.shown

    @classmethod
    def from_env(cls, env: Mapping[str, str], texts: Path, clock: Clock) -> "LettersSftp":
        """Raises CarrierMisconfigured, SecretProblem."""
        for name in (KNOWN_HOSTS, KEY_FILE):
            if not env.get(name):
                raise CarrierMisconfigured(f"{name} is missing: {SFTP_URL} is set.")
            text_of(name, Path(env[name]))
        host = host_of(env)
        try:
            asyncssh.read_private_key(host.key)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError):
            raise CarrierMisconfigured(
                f"{KEY_FILE}: {host.key} holds no key that can be used without a passphrase."
            ) from None
        return cls(host, texts, clock)

    def put(self, name: str, pdf: bytes) -> None:
        self._run(self._put(name, pdf))

    async def _put(self, name: str, pdf: bytes) -> None:
        """Raises CarrierUncertain where the line breaks while the file gets its name."""
        folder = self._host.folder.rstrip("/")
        target, draft = f"{folder}/{name}", f"{folder}/.{uuid4().hex}.part"
        async with self._connected() as sftp:
            if await sftp.exists(target):
                return
            async with sftp.open(draft, "wb") as file:
                await file.write(pdf)
            try:
                await sftp.rename(draft, target)
            except asyncssh.SFTPError as error:
                if await sftp.exists(target):  # another was first, with the same file
                    await sftp.remove(draft)
                    return
                raise CarrierUnavailable(
                    f"{self.leads_to} refuses a name for a file ({type(error).__name__})"
                ) from None
            except (asyncssh.Error, OSError, TimeoutError) as error:
                raise CarrierUncertain(f"{self.leads_to} did not answer to the last ({type(error).__name__})") from None

    def has(self, name: str) -> bool | None:
        async def there() -> bool:
            async with self._connected() as sftp:
                return bool(await sftp.exists(f"{self._host.folder.rstrip('/')}/{name}"))

        try:
            return self._run(there())
        except (CarrierUnavailable, CarrierUncertain):
            return None

    def _run(self, asked: Coroutine[Any, Any, Result]) -> Result:
        """Until it is done, or the time is up. What breaks before the file has its name has left no letter there."""
        try:
            return asyncio.run(asyncio.wait_for(asked, self._send_seconds))
        except TimeoutError:
            raise CarrierUncertain(f"{self.leads_to} was not done after {self._send_seconds:g} seconds") from None
        except asyncssh.HostKeyNotVerifiable:
            raise CarrierUnavailable(f"{self.leads_to}: its host key is not the one in {KNOWN_HOSTS}") from None
        except asyncssh.PermissionDenied:
            raise CarrierUnavailable(f"{self.leads_to} refused the login") from None
        except (asyncssh.Error, OSError) as error:
            raise CarrierUnavailable(f"{self.leads_to} cannot be used: {type(error).__name__}") from None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """Nothing of this machine's user is used: no agent, no configuration, no other keys."""
        host = self._host
        try:
            connection = await asyncssh.connect(
                host.host,
                host.port,
                username=host.user,
                client_keys=[str(host.key)],
                known_hosts=str(host.known_hosts),
                agent_path=None,
                config=None,
                password=None,
                connect_timeout=self._connect_seconds,
                login_timeout=self._connect_seconds,
            )
        except TimeoutError:
            raise CarrierUnavailable(f"{self.leads_to} cannot be reached: it does not answer") from None
        async with connection, connection.start_sftp_client() as sftp:
            yield sftp


def host_of(env: Mapping[str, str]) -> Host:
    """Raises CarrierMisconfigured."""
    try:
        url = urlsplit(env[SFTP_URL])
        port = url.port
    except ValueError:
        raise _no_url() from None
    if url.password is not None:
        raise CarrierMisconfigured(f"{SFTP_URL} has a password in it; log in with a key: {KEY_FILE}.")
    if url.scheme != "sftp" or not url.hostname or not url.username or url.query or url.fragment:
        raise _no_url()
    return Host(
        host=url.hostname,
        port=port or 22,
        user=unquote(url.username),
        folder=unquote(url.path) or "/",
        known_hosts=Path(env[KNOWN_HOSTS]),
        key=Path(env[KEY_FILE]),
    )


def _no_url() -> CarrierMisconfigured:
    return CarrierMisconfigured(f"{SFTP_URL} is not understood; expected sftp://USER@HOST:22/FOLDER.")
