"""Letters to somebody's SFTP server, whose host key is known beforehand."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from adapters.clock import Clock
from adapters.delivery.carriers.letters import KEY_FILE, KNOWN_HOSTS, SFTP_URL, Letters
from adapters.sftp import CONNECT_SECONDS, SEND_SECONDS, Host, SftpFolder, SftpVariables, sftp_host_of

_VARIABLES = SftpVariables(SFTP_URL, KNOWN_HOSTS, KEY_FILE)


class LettersSftp(Letters):
    """Each letter is a file of its own on the server."""

    name = "letters-sftp"
    answers_within = timedelta(seconds=SEND_SECONDS + 35)

    def __init__(
        self,
        host: Host,
        texts: Path,
        clock: Clock,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        super().__init__(texts, clock)
        self._folder = SftpFolder(host, _VARIABLES, connect_seconds=connect_seconds, send_seconds=send_seconds)
        self.leads_to = host.shown

    @classmethod
    def from_env(cls, env: Mapping[str, str], texts: Path, clock: Clock) -> "LettersSftp":
        """Raises CarrierMisconfigured, SecretProblem."""
        return cls(host_of(env), texts, clock)

    def put(self, name: str, pdf: bytes) -> None:
        self._folder.put(name, [pdf])

    def has(self, name: str) -> bool | None:
        return self._folder.has(name)


def host_of(env: Mapping[str, str]) -> Host:
    """Raises CarrierMisconfigured, SecretProblem."""
    return sftp_host_of(env, _VARIABLES)
