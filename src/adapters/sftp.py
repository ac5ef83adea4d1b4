"""A folder of somebody's SFTP server, whose host key is known beforehand: each file is put there whole, and once."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncssh

from adapters.delivery.carrier import CarrierMisconfigured, CarrierUnavailable, CarrierUncertain
from adapters.secret_text import text_of

CONNECT_SECONDS = 15.0
SEND_SECONDS = 45.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SftpVariables:
    """The names of the variables that say whose server it is, and how it and we know each other."""

    url: str
    known_hosts: str
    key: str

    @classmethod
    def of(cls, prefix: str) -> "SftpVariables":
        return cls(f"{prefix}_SFTP_URL", f"{prefix}_SFTP_KNOWN_HOSTS_FILE", f"{prefix}_SFTP_KEY_FILE")


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


class SftpFolder:
    """Connects for each file. A file is sent under a name that begins with a dot, and then renamed."""

    def __init__(
        self,
        host: Host,
        variables: SftpVariables,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._host, self._variables = host, variables
        self._connect_seconds = connect_seconds
        self._send_seconds = send_seconds
        self.leads_to = host.shown

    def put(self, name: str, content: Iterable[bytes]) -> None:
        """One of this name that is there stays. Raises CarrierUnavailable where the file certainly is not there, and
        CarrierUncertain where the line breaks while the file gets its name."""
        self._run(self._put(name, content))

    async def _put(self, name: str, content: Iterable[bytes]) -> None:
        folder = self._host.folder.rstrip("/")
        target, draft = f"{folder}/{name}", f"{folder}/.{uuid4().hex}.part"
        async with self._connected() as sftp:
            if await sftp.exists(target):
                return
            async with sftp.open(draft, "wb") as file:
                for part in content:
                    await file.write(part)
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
        """Whether the file is there; None where that cannot be seen."""

        async def there() -> bool:
            async with self._connected() as sftp:
                return bool(await sftp.exists(f"{self._host.folder.rstrip('/')}/{name}"))

        try:
            return self._run(there())
        except (CarrierUnavailable, CarrierUncertain):
            return None

    def _run(self, asked: Coroutine[Any, Any, Result]) -> Result:
        """Until it is done, or the time is up. What breaks before the file has its name has left no file there."""
        try:
            return asyncio.run(asyncio.wait_for(asked, self._send_seconds))
        except TimeoutError:
            raise CarrierUncertain(f"{self.leads_to} was not done after {self._send_seconds:g} seconds") from None
        except asyncssh.HostKeyNotVerifiable:
            known_hosts = self._variables.known_hosts
            raise CarrierUnavailable(f"{self.leads_to}: its host key is not the one in {known_hosts}") from None
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


def sftp_host_of(env: Mapping[str, str], variables: SftpVariables) -> Host:
    """With files that can be read. Raises CarrierMisconfigured, SecretProblem."""
    for name in (variables.known_hosts, variables.key):
        if not env.get(name):
            raise CarrierMisconfigured(f"{name} is missing: {variables.url} is set.")
        text_of(name, Path(env[name]))
    host = _host(env, variables)
    try:
        asyncssh.read_private_key(host.key)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError):
        raise CarrierMisconfigured(
            f"{variables.key}: {host.key} holds no key that can be used without a passphrase."
        ) from None
    return host


def _host(env: Mapping[str, str], variables: SftpVariables) -> Host:
    try:
        url = urlsplit(env[variables.url])
        port = url.port
    except ValueError:
        raise _no_url(variables) from None
    if url.password is not None:
        raise CarrierMisconfigured(f"{variables.url} has a password in it; log in with a key: {variables.key}.")
    if url.scheme != "sftp" or not url.hostname or not url.username or url.query or url.fragment:
        raise _no_url(variables)
    return Host(
        host=url.hostname,
        port=port or 22,
        user=unquote(url.username),
        folder=unquote(url.path) or "/",
        known_hosts=Path(env[variables.known_hosts]),
        key=Path(env[variables.key]),
    )


def _no_url(variables: SftpVariables) -> CarrierMisconfigured:
    return CarrierMisconfigured(f"{variables.url} is not understood; expected sftp://USER@HOST:22/FOLDER.")
