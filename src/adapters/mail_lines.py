"""Where a mail server is, and how the line to it is protected: for mail that leaves, and for mail that is taken."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from adapters.secret_text import text_of

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class ServerMisconfigured(Exception):
    """A server's address or certificate is not as expected; the text names the variable."""


@dataclass(frozen=True, slots=True)
class Variables:
    """What says where a server is."""

    url: str
    password_file: str
    ca_file: str
    ports: Mapping[str, int]
    """By scheme; one that ends in `s` is protected from the first byte on, the other by STARTTLS."""
    expected: str
    """How the address is written, for whoever wrote it otherwise."""

    def not_understood(self) -> ServerMisconfigured:
        return ServerMisconfigured(f"{self.url} is not understood; expected {self.expected}.")


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server."""

    scheme: str
    host: str
    port: int
    user: str | None
    path: str
    is_tls: bool
    """From the first byte on."""
    starts_tls: bool
    trusted: ssl.SSLContext = field(repr=False)

    @property
    def shown(self) -> str:
        """Without user and secrets."""
        return f"{self.scheme}://{self.host}:{self.port}"


def server_at(variables: Variables, env: Mapping[str, str]) -> Server:
    """Raises ServerMisconfigured, SecretProblem."""
    try:
        url = urlsplit(env[variables.url])
        host, port = url.hostname, url.port
    except ValueError:
        raise variables.not_understood() from None
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    starttls = asked.pop("starttls", "required")
    is_tls = url.scheme.endswith("s")
    if url.scheme not in variables.ports or not host or url.fragment or asked or (is_tls and url.query):
        raise variables.not_understood()
    if starttls not in {"required", "none"}:
        raise variables.not_understood()
    if url.password is not None:
        raise ServerMisconfigured(
            f"{variables.url} has a password in it; it belongs into a file: {variables.password_file}."
        )
    if starttls == "none" and host not in _LOCAL:
        raise ServerMisconfigured(f"{variables.url}: starttls=none is for a server on this machine; {host} is another.")
    return Server(
        scheme=url.scheme,
        host=host,
        port=port or variables.ports[url.scheme],
        user=unquote(url.username) if url.username else None,
        path=unquote(url.path),
        is_tls=is_tls,
        starts_tls=not is_tls and starttls == "required",
        trusted=_trusting(variables.ca_file, env.get(variables.ca_file)),
    )


def _trusting(variable: str, file: str | None) -> ssl.SSLContext:
    """Trusts the authorities of a file, else those of this machine."""
    authorities = text_of(variable, Path(file)) if file else None
    try:
        context = ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError):
        raise ServerMisconfigured(f"{variable}: {file} holds no certificate in PEM.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
