"""How a connection to Kafka is protected: with TLS or without, with a login or without. Read from the environment, in
the words that Kafka's own clients use, and refused where they do not fit together.

Passwords come from files (`…_FILE`), read anew for each client, or from variables. They are in no repr, log or error.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from adapters.kafka.jars import KafkaUnavailable
from adapters.secret_text import Secret, SecretProblem, secret_of, text_of

PROTOCOL = "KAFKA_SECURITY_PROTOCOL"
MECHANISM = "KAFKA_SASL_MECHANISM"
USERNAME = "KAFKA_SASL_USERNAME"
PASSWORD, PASSWORD_FILE = "KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE"
TOKEN_FILE = "KAFKA_SASL_OAUTH_TOKEN_FILE"  # noqa: S105 - a name
CA_FILE = "KAFKA_SSL_CAFILE"
CERTIFICATE_FILE = "KAFKA_SSL_CERTFILE"
KEY_FILE = "KAFKA_SSL_KEYFILE"
PASSPHRASE, PASSPHRASE_FILE = "KAFKA_SSL_PASSWORD", "KAFKA_SSL_PASSWORD_FILE"

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PLAINTEXT = "PLAINTEXT"
OAUTHBEARER = "OAUTHBEARER"

_OF_LOGIN: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), frozenset({USERNAME, PASSWORD, PASSWORD_FILE})),
    OAUTHBEARER: frozenset({TOKEN_FILE}),
}
"""Mechanisms, and the variables that each takes."""

_ONLY_WITH: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (MECHANISM, USERNAME, PASSWORD, PASSWORD_FILE, TOKEN_FILE), frozenset({"SASL_PLAINTEXT", "SASL_SSL"})
    ),
    **dict.fromkeys((CA_FILE, CERTIFICATE_FILE, KEY_FILE, PASSPHRASE, PASSPHRASE_FILE), frozenset({"SSL", "SASL_SSL"})),
}
"""Variables that mean nothing under other protocols than these."""


class KafkaMisconfigured(KafkaUnavailable):
    """The settings of the connection to Kafka do not fit together; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and how. With OAUTHBEARER the token in a file is read at each login, because it changes."""

    mechanism: str
    username: str | None = None
    password: Secret | None = None
    token_file: Path | None = None

    def token(self) -> Secret:
        """The token of the moment. Raises KafkaMisconfigured where the file cannot be read."""
        return Secret(_text(TOKEN_FILE, self.token_file or Path()))


@dataclass(frozen=True, slots=True)
class Security:
    """How connections are protected: `tls` None is without, `login` None is nobody in particular."""

    protocol: str = PLAINTEXT
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    login: Login | None = None


def security(env: Mapping[str, str]) -> Security:
    """What the environment says. Raises KafkaMisconfigured."""
    said = {name: env[name] for name in (PROTOCOL, *_ONLY_WITH) if env.get(name)}
    protocol = said.get(PROTOCOL, PLAINTEXT)
    if protocol not in PROTOCOLS:
        raise KafkaMisconfigured(f"{PROTOCOL} is none of {', '.join(PROTOCOLS)}.")
    for name in said.keys() & _ONLY_WITH.keys():
        if protocol not in _ONLY_WITH[name]:
            raise KafkaMisconfigured(
                f"{name} is set, and {PROTOCOL} is {protocol if PROTOCOL in said else f'not ({protocol})'}.",
                hint=f"{PROTOCOL} has to be {' or '.join(sorted(_ONLY_WITH[name]))} for that.",
            )
    return Security(
        protocol,
        tls=_context(said) if protocol in _ONLY_WITH[CA_FILE] else None,
        login=_login(said) if protocol in _ONLY_WITH[MECHANISM] else None,
    )


# --- login ---------------------------------------------------------------------------------------------


def _login(said: Mapping[str, str]) -> Login:
    mechanism = said.get(MECHANISM, "")
    if mechanism not in _OF_LOGIN:
        raise KafkaMisconfigured(f"{MECHANISM} is {'none' if mechanism else 'missing: one'} of {', '.join(_OF_LOGIN)}.")
    others = frozenset().union(*_OF_LOGIN.values()) - _OF_LOGIN[mechanism]
    if strange := sorted(others & said.keys()):
        raise KafkaMisconfigured(f"{strange[0]} is set, and {MECHANISM} is {mechanism}, which takes none.")
    if mechanism == OAUTHBEARER:
        login = Login(mechanism, token_file=Path(_needed(said, TOKEN_FILE, mechanism)))
        login.token()
        return login
    username = _needed(said, USERNAME, mechanism)
    password = _secret(said, PASSWORD, PASSWORD_FILE)
    if password is None:
        raise KafkaMisconfigured(f"{PASSWORD_FILE} is missing: {USERNAME} logs in with a password.")
    return Login(mechanism, username, password)


def _needed(said: Mapping[str, str], name: str, mechanism: str) -> str:
    if name not in said:
        raise KafkaMisconfigured(f"{name} is missing: {MECHANISM} is {mechanism}.")
    return said[name]


def _secret(said: Mapping[str, str], variable: str, file_variable: str) -> Secret | None:
    try:
        return secret_of(said, variable, file_variable)
    except SecretProblem as problem:
        raise KafkaMisconfigured(str(problem)) from None


# --- TLS -----------------------------------------------------------------------------------------------


def _context(said: Mapping[str, str]) -> ssl.SSLContext:
    """Trusts the authorities of a file, else those of this machine. Shows a certificate of our own, if there is one."""
    authorities = _text(CA_FILE, Path(said[CA_FILE])) if CA_FILE in said else None
    try:
        context = ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError):
        raise KafkaMisconfigured(f"{CA_FILE}: {said[CA_FILE]} holds no certificate in PEM.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Socket
    passphrase = _secret(said, PASSPHRASE, PASSPHRASE_FILE)
    if CERTIFICATE_FILE in said:
        _show(context, Path(said[CERTIFICATE_FILE]), said.get(KEY_FILE), passphrase)
    elif unused := [each for each in (KEY_FILE, PASSPHRASE, PASSPHRASE_FILE) if each in said]:
        raise KafkaMisconfigured(f"{CERTIFICATE_FILE} is missing: {unused[0]} is set.")
    return context


class _Socket(ssl.SSLSocket):
    """Gives what came before it tells that the other side has ended.

    kafka-python reads until there is nothing more, and throws away what it has read where it meets the end. A broker
    that refuses a login says so and ends the connection at once: without this nobody would hear why.
    """

    _gave = False

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        gave, self._gave = self._gave, False
        data = super().recv(buflen, flags)
        if gave and not data:
            raise ssl.SSLWantReadError  # it is asked again, because an end stays readable
        self._gave = bool(data)
        return data


def _show(context: ssl.SSLContext, certificate: Path, key: str | None, passphrase: Secret | None) -> None:
    """A key may stand in its certificate's file. Without a passphrase OpenSSL would ask for one at the terminal."""
    shown = _text(CERTIFICATE_FILE, certificate)
    try:
        first = load_pem_x509_certificates(shown.encode())[0]
    except ValueError:
        raise KafkaMisconfigured(f"{CERTIFICATE_FILE}: {certificate} holds no certificate in PEM.") from None
    if first.not_valid_after_utc <= datetime.now(UTC):
        raise KafkaMisconfigured(
            f"{CERTIFICATE_FILE}: the certificate in {certificate} expired on {first.not_valid_after_utc:%Y-%m-%d}."
        )
    variable, file = (KEY_FILE, Path(key)) if key else (CERTIFICATE_FILE, certificate)
    try:
        load_pem_private_key(_text(variable, file).encode(), passphrase.encode() if passphrase is not None else None)
    except (TypeError, ValueError) as error:
        raise KafkaMisconfigured(f"{variable}: {_of_key(file, error, passphrase)}") from None
    try:
        context.load_cert_chain(certificate, file, password=lambda: passphrase or "")
    except ssl.SSLError:
        raise KafkaMisconfigured(f"{variable}: {file} is not the key of the certificate in {certificate}.") from None


def _of_key(file: Path, error: Exception, passphrase: Secret | None) -> str:
    """`cryptography` says TypeError where a passphrase is wanted and missing, or given and not wanted."""
    if isinstance(error, TypeError):
        if passphrase is None:
            return f"the key in {file} is encrypted, and {PASSPHRASE_FILE} is missing."
        return f"the key in {file} is not encrypted, and there is a passphrase ({PASSPHRASE_FILE})."
    if passphrase is not None:
        return f"the key in {file} cannot be opened with the passphrase ({PASSPHRASE_FILE})."
    return f"{file} holds no private key in PEM."


def _text(variable: str, file: Path) -> str:
    try:
        return text_of(variable, file)
    except SecretProblem as problem:
        raise KafkaMisconfigured(str(problem)) from None
