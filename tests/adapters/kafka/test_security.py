"""How to log in to Kafka is read from the environment; what does not fit together is refused, and no secret is told."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.auth import OAuthCredentials

from adapters.kafka.connection import client_options
from adapters.kafka.publisher import Publisher
from adapters.kafka.security import KafkaMisconfigured, security
from adapters.kafka.watch import kafka_problem
from adapters.workers.app import make_app
from api.cli.problems import known
from tests.adapters.kafka.certificates import DAY, NOW, Authority

SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": "a:1, b:2"}
LOGIN = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "ann"}
SECRET = "hunter2"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files that settings may name, by what is in them."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    ours, locked = authority.sign("ours"), authority.sign("locked", passphrase=SECRET.encode())
    texts = {"password": f"{SECRET}\n", "wrong": "not it", "token": "a.b.c", "empty": "\n", "nonsense": "nonsense"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {
        **{name: str(tmp_path / name) for name in (*texts, "missing")},
        "ca": str(authority.file),
        "certificate": str(ours.certificate),
        "key": str(ours.key),
        "both": str(ours.both),
        "locked": str(locked.certificate),
        "locked-key": str(locked.key),
        "expired": str(authority.sign("expired", until=NOW - DAY).both),
        "other-key": str(other.sign("others").key),
    }


def filled(env: dict[str, str], files: dict[str, str]) -> dict[str, str]:
    """A value in angle brackets is the file of that name."""
    return {name: files[text[1:-1]] if text.startswith("<") else text for name, text in env.items()}


def test_without_settings_a_connection_is_in_the_clear():
    assert client_options(SERVERS) == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_an_empty_variable_is_one_that_is_not_set():
    empty = {"KAFKA_SECURITY_PROTOCOL": "", "KAFKA_SASL_PASSWORD_FILE": "", "KAFKA_SSL_CAFILE": ""}
    assert client_options({**SERVERS, **empty}) == client_options(SERVERS)


@pytest.mark.parametrize("password", [{"KAFKA_SASL_PASSWORD": SECRET}, {"KAFKA_SASL_PASSWORD_FILE": "<password>"}])
def test_a_login_is_passed_on_to_every_client(files: dict[str, str], password: dict[str, str]):
    env = filled({**SERVERS, **LOGIN, **password, "KAFKA_SSL_CAFILE": "<ca>"}, files)
    options = client_options(env)
    assert {name: options[name] for name in options if name != "ssl_context"} == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ann",
        "sasl_plain_password": SECRET,
    }
    assert len(options["ssl_context"].get_ca_certs()) == 1  # these authorities, and not those of the machine beside

    credentials: Any = make_app(env).conf.broker_credentials
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (credentials.username, credentials.password) == ("ann", SECRET)
    assert isinstance(credentials.ssl_context, ssl.SSLContext)


def test_a_certificate_of_ours_is_shown_by_every_client(files: dict[str, str]):
    ours = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": "<locked>", "KAFKA_SSL_KEYFILE": "<locked-key>"}
    env = filled({**SERVERS, **ours, "KAFKA_SSL_PASSWORD_FILE": "<password>"}, files)
    assert client_options(env)["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert isinstance(make_app(env).conf.broker_credentials, faust.SSLCredentials)

    together = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": "<both>"}
    assert client_options(filled({**SERVERS, **together}, files))["security_protocol"] == "SSL"


def test_a_token_is_read_at_each_login(files: dict[str, str]):
    by_token = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
    env = filled({**SERVERS, **by_token, "KAFKA_SASL_OAUTH_TOKEN_FILE": "<token>"}, files)
    provider = client_options(env)["sasl_oauth_token_provider"]
    assert provider.token() == "a.b.c"
    Path(files["token"]).write_text("d.e.f", encoding="utf-8")
    assert provider.token() == "d.e.f"
    assert isinstance(make_app(env).conf.broker_credentials, OAuthCredentials)


PASSWORD = {"KAFKA_SASL_PASSWORD_FILE": "<password>"}
TLS = {"KAFKA_SECURITY_PROTOCOL": "SSL"}
IN_THE_CLEAR = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}
WITHOUT_USER = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"}
BY_TOKEN = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
OURS = {**TLS, "KAFKA_SSL_CERTFILE": "<certificate>"}

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no such protocol": ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL is none of PLAINTEXT, SSL"),
    "a mechanism without SASL": (
        {"KAFKA_SASL_MECHANISM": "PLAIN"},
        r"KAFKA_SASL_MECHANISM is set, and KAFKA_SECURITY_PROTOCOL is not \(PLAINTEXT\)",
    ),
    "a password without SASL": ({**TLS, **PASSWORD}, "KAFKA_SASL_PASSWORD_FILE is set, and .*PROTOCOL is SSL"),
    "authorities without TLS": ({**IN_THE_CLEAR, "KAFKA_SSL_CAFILE": "<ca>"}, "KAFKA_SSL_CAFILE is set, and"),
    "no mechanism": ({**IN_THE_CLEAR, **PASSWORD}, "KAFKA_SASL_MECHANISM is missing"),
    "no such mechanism": ({**IN_THE_CLEAR, "KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM is none of PLAIN"),
    "no user": ({**WITHOUT_USER, **PASSWORD}, "KAFKA_SASL_USERNAME is missing"),
    "no password": (LOGIN, "KAFKA_SASL_PASSWORD_FILE is missing"),
    "two passwords": (
        {**LOGIN, **PASSWORD, "KAFKA_SASL_PASSWORD": SECRET},
        "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set",
    ),
    "a password file that is missing": (
        {**LOGIN, "KAFKA_SASL_PASSWORD_FILE": "<missing>"},
        "KAFKA_SASL_PASSWORD_FILE: .*/missing cannot be read: No such file",
    ),
    "a password file that is empty": ({**LOGIN, "KAFKA_SASL_PASSWORD_FILE": "<empty>"}, "PASSWORD_FILE: .*is empty"),
    "no token": (BY_TOKEN, "KAFKA_SASL_OAUTH_TOKEN_FILE is missing"),
    "a password beside a token": (
        {**BY_TOKEN, **PASSWORD, "KAFKA_SASL_OAUTH_TOKEN_FILE": "<token>"},
        "KAFKA_SASL_PASSWORD_FILE is set, and KAFKA_SASL_MECHANISM is OAUTHBEARER",
    ),
    "a token beside a password": (
        {**LOGIN, **PASSWORD, "KAFKA_SASL_OAUTH_TOKEN_FILE": "<token>"},
        "KAFKA_SASL_OAUTH_TOKEN_FILE is set, and KAFKA_SASL_MECHANISM is SCRAM-SHA-512",
    ),
    "authorities that are none": ({**TLS, "KAFKA_SSL_CAFILE": "<nonsense>"}, "KAFKA_SSL_CAFILE: .*no certificate"),
    "authorities that are missing": ({**TLS, "KAFKA_SSL_CAFILE": "<missing>"}, "KAFKA_SSL_CAFILE: .*cannot be read"),
    "a key without its certificate": ({**TLS, "KAFKA_SSL_KEYFILE": "<key>"}, "KAFKA_SSL_CERTFILE is missing"),
    "a certificate without its key": (OURS, "KAFKA_SSL_CERTFILE: .* holds no private key"),
    "a key of another certificate": (
        {**OURS, "KAFKA_SSL_KEYFILE": "<other-key>"},
        "KAFKA_SSL_KEYFILE: .* is not the key of the certificate",
    ),
    "a certificate that has expired": (
        {**TLS, "KAFKA_SSL_CERTFILE": "<expired>"},
        f"KAFKA_SSL_CERTFILE: .* expired on {NOW - timedelta(days=1):%Y-%m-%d}",
    ),
    "a certificate that is none": ({**TLS, "KAFKA_SSL_CERTFILE": "<nonsense>"}, "KAFKA_SSL_CERTFILE: .*no certificate"),
    "a key whose passphrase is missing": (
        {**TLS, "KAFKA_SSL_CERTFILE": "<locked>", "KAFKA_SSL_KEYFILE": "<locked-key>"},
        "KAFKA_SSL_KEYFILE: .*encrypted, and KAFKA_SSL_PASSWORD_FILE is missing",
    ),
    "a key with another passphrase": (
        {
            **TLS,
            "KAFKA_SSL_CERTFILE": "<locked>",
            "KAFKA_SSL_KEYFILE": "<locked-key>",
            "KAFKA_SSL_PASSWORD_FILE": "<wrong>",
        },
        r"KAFKA_SSL_KEYFILE: .*cannot be opened with the passphrase \(KAFKA_SSL_PASSWORD_FILE\)",
    ),
}


@pytest.mark.parametrize("which", WRONG)
def test_what_does_not_fit_together_is_refused_and_named(which: str, files: dict[str, str]):
    env, says = WRONG[which]
    with pytest.raises(KafkaMisconfigured, match=says) as refused:
        client_options(filled({**SERVERS, **env}, files))
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    shown = known(refused.value)  # a sentence at the command line, and exit code 1
    assert shown is not None
    assert shown.message == refused.value.message


def test_a_certificate_of_ours_that_expires_while_it_runs_is_named(files: dict[str, str]):
    env = {**SERVERS, **filled({**TLS, "KAFKA_SSL_CERTFILE": "<expired>"}, files)}
    assert "KAFKA_SSL_CERTFILE: " in (kafka_problem(env) or "")
    assert " expired on " in (kafka_problem(env) or "")


def test_every_client_refuses_at_its_making(files: dict[str, str]):
    env = {**SERVERS, **LOGIN}
    for make in (make_app, Publisher):
        with pytest.raises(KafkaMisconfigured, match="KAFKA_SASL_PASSWORD_FILE is missing"):
            make(env)


def test_a_secret_shows_itself_to_nobody(files: dict[str, str]):
    env = filled({**SERVERS, **LOGIN, **PASSWORD}, files)
    options = client_options(env)
    assert options["sasl_plain_password"] == SECRET
    for each in (security(env), options, make_app(env).conf.broker_credentials):
        assert SECRET not in f"{each} {each!r}"
