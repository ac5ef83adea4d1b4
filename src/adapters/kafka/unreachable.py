"""Why Kafka cannot be reached, said to people. Clients only say that no broker answered in time."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kafka import errors as kafka_errors
from kafka.cluster import get_ip_port_afi
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from adapters.kafka import security as names
from adapters.kafka.jars import KafkaAway, KafkaUnavailable
from adapters.kafka.security import Security

_ANSWER_SECONDS = 5.0
_PATIENCE_SECONDS = 6.0
"""No other server is asked after this."""
_ALERT_SECONDS = 1.0
"""With TLS 1.3 a broker says only after the handshake that it does not take our certificate."""

_EXPIRED, _NOT_YET_VALID = 10, 9
_OF_ANOTHER_HOST = {62, 64}
"""OpenSSL's codes (X509_V_ERR_…) for what is wrong with a certificate: a name or an address that it is not for."""


@contextmanager
def explained(options: Mapping[str, Any], security: Security) -> Iterator[None]:
    """An error of a client that is made with these options becomes a KafkaUnavailable that says why."""
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise unreachable(options, security, error) from error


def unreachable(options: Mapping[str, Any], security: Security, error: Exception) -> KafkaUnavailable:
    """What to say of a client's error. Connects to the servers once more, which may take some seconds."""
    servers: Sequence[str] = options["bootstrap_servers"]
    until = time.monotonic() + _PATIENCE_SECONDS
    for server in servers:
        if time.monotonic() > until:
            break
        with suppress(OSError):
            if (problem := _look(server, security) or _log_in(server, options, security)) is not None:
                return problem
    return KafkaAway(f"Kafka does not answer at {', '.join(servers)}: {type(error).__name__}")


def keeps_away(options: Mapping[str, Any], security: Security) -> KafkaUnavailable | None:
    """What keeps a client with these options from getting through now, or None: it needs one server that answers."""
    until = time.monotonic() + _PATIENCE_SECONDS
    last: Exception = kafka_errors.KafkaTimeoutError()
    for server in options["bootstrap_servers"]:
        try:
            _connect({**options, "bootstrap_servers": [server]})
        except (_Ended, kafka_errors.KafkaError) as error:
            last = error
            if time.monotonic() > until:
                break
        else:
            return None
    return unreachable(options, security, last)


def _look(server: str, security: Security) -> KafkaUnavailable | None:
    """What is wrong between us and a server as far as TLS goes. Raises OSError where it does not answer at all."""
    host, port, _ = get_ip_port_afi(server)
    if security.tls is None:
        if _speaks_tls(host, port):
            return KafkaUnavailable(
                f"Kafka at {server} speaks TLS, and {names.PROTOCOL} is {security.protocol}.",
                hint=f"It has to be {'SASL_SSL' if security.login else 'SSL or SASL_SSL'} for that.",
            )
        return None
    try:
        with _connected(host, port) as plain, security.tls.wrap_socket(plain, server_hostname=host) as secured:
            secured.settimeout(_ALERT_SECONDS)
            with suppress(TimeoutError):
                secured.recv(1)
    except ssl.SSLCertVerificationError as error:
        passes = error.verify_code in {_EXPIRED, _NOT_YET_VALID}
        return (KafkaAway if passes else KafkaUnavailable)(f"Kafka at {server}: {_of_certificate(error, host)}")
    except ssl.SSLError as error:
        return _of_handshake(server, error)
    return None


def _log_in(server: str, options: Mapping[str, Any], security: Security) -> KafkaUnavailable | None:
    """What a server says to one connection. (A client that looks for any server only says that time was up.)"""
    login = security.login
    try:
        _connect({**options, "bootstrap_servers": [server]})
    except kafka_errors.SaslAuthenticationFailedError:
        who, where = "our login", names.TOKEN_FILE
        if login is not None and login.username is not None:
            who, where = f"the login of {login.username}", f"{names.USERNAME} and {names.PASSWORD_FILE}"
        by = f" ({login.mechanism})" if login is not None else ""
        return KafkaUnavailable(f"Kafka at {server} refuses {who}{by}.", hint=f"Look at {where}.")
    except kafka_errors.UnsupportedSaslMechanismError:
        return KafkaUnavailable(
            f"Kafka at {server} knows no login by {login.mechanism if login is not None else 'us'}.",
            hint=f"Look at {names.MECHANISM}.",
        )
    except kafka_errors.IllegalSaslStateError:
        return KafkaUnavailable(f"Kafka at {server} takes no logins.", hint=f"Look at {names.PROTOCOL}.")
    except _Ended:
        return KafkaUnavailable(
            f"Kafka at {server} answers, and then ends the connection.",
            hint=f"It may want a login: look at {names.PROTOCOL}." if login is None else "",
        )
    except kafka_errors.KafkaError:
        return None
    return None


class _Ended(Exception):
    """The server took the connection, and ended it when it was asked for something."""


def _connect(options: Mapping[str, Any]) -> None:
    """Connects to the one server, logs in, and asks who else there is. Raises _Ended, and what the server says, as
    KafkaError."""
    network = NetworkSelector(**{name: options[name] for name in options.keys() & NetworkSelector.DEFAULT_CONFIG})
    manager = KafkaConnectionManager(network, **{**options, "request_timeout_ms": int(_ANSWER_SECONDS * 1_000)})

    async def connect() -> None:
        (server, *_) = manager.cluster.bootstrap_brokers()
        await manager.get_connection(
            server.node_id, timeout_ms=_ANSWER_SECONDS * 1_000, pop_on_close=False, refresh_metadata_on_err=False
        )
        try:
            await manager.cluster.refresh_metadata(server.node_id)
        except kafka_errors.KafkaConnectionError as error:
            raise _Ended from error

    try:
        manager.run(connect)
    finally:
        manager.close()
        network.close()


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is said to it
    try:
        with _connected(host, port) as plain, context.wrap_socket(plain, server_hostname=host):
            return True
    except (ssl.SSLError, TimeoutError, ConnectionError):
        return False


def _connected(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=_ANSWER_SECONDS)


def _of_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == _EXPIRED:
        return f"its certificate, or that of who signed it, has expired. (Or the clock here is wrong; {names.CA_FILE}.)"
    if error.verify_code == _NOT_YET_VALID:
        return "its certificate is not valid yet, or the clock here is wrong."
    if error.verify_code in _OF_ANOTHER_HOST:
        return f"its certificate is not for {host}: name it as the certificate does (KAFKA_BOOTSTRAP_SERVERS)."
    return f"its certificate is of nobody that we trust ({error.verify_message}). Look at {names.CA_FILE}."


def _of_handshake(server: str, error: ssl.SSLError) -> KafkaUnavailable:
    said = (error.reason or str(error)).lower()
    if "alert" in said and ("certificate" in said or "unknown_ca" in said):
        return KafkaUnavailable(
            f"Kafka at {server} does not take our certificate ({said.replace('_', ' ')}).",
            hint=f"Look at {names.CERTIFICATE_FILE} and {names.KEY_FILE}.",
        )
    if "wrong_version_number" in said or "eof" in said or "packet_length" in said:
        return KafkaUnavailable(f"Kafka at {server} speaks no TLS.", hint=f"Look at {names.PROTOCOL}.")
    return KafkaUnavailable(f"Kafka at {server} and we do not agree on TLS ({said.replace('_', ' ')}).")
