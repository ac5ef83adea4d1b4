"""Mail as a real server reads it, and what becomes of it where the server or the line fails."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.clock import ManualClock
from adapters.delivery.carrier import CarrierMisconfigured, CarrierRefused, CarrierUnavailable, CarrierUncertain, Told
from adapters.delivery.carriers.smtp import Smtp
from adapters.delivery.rendering import Attached, Letter
from adapters.kafka.local import HOST, free_ports
from adapters.secret_text import SecretProblem
from aggregates.account.inbound import Receipt
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers.mail_server import Does, MailServer
from tests.adapters.delivery.carriers.stands import TODAY, smtp_to
from tests.adapters.kafka.certificates import Authority

LETTER = Letter(Channel.EMAIL, "anna@example.org", "Ihr Konto – Überfällig", "Dear Anna,\n\n  1.234,50 €\n")
MESSAGE = UUID("6b0e6f0e-5f5a-4c1e-9a53-6f0a6d0f4f10")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


# --- the mail ---


def test_a_mail_says_who_when_and_which_message_it_is(server: MailServer):
    carrier = smtp_to(server)
    carrier._clock = ManualClock(TODAY)
    reference = carrier.send(MESSAGE, LETTER)
    [mail] = server.taken
    assert reference == mail["Message-ID"] == f"<{MESSAGE}@sender.example>"
    assert mail["From"] == "Main Office <office@sender.example>"
    assert mail["To"] == "anna@example.org"
    assert mail["Subject"] == LETTER.subject
    assert mail["Date"].datetime == TODAY
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    assert mail["List-Unsubscribe"] is None
    assert mail.get_content().replace("\r\n", "\n") == LETTER.body


def test_where_answers_go_the_wish_for_no_more_mail_goes_too(server: MailServer):
    smtp_to(server, reply_to=Address(addr_spec="answers@sender.example")).send(MESSAGE, LETTER)
    [mail] = server.taken
    assert mail["Reply-To"] == "answers@sender.example"
    assert mail["List-Unsubscribe"] == "<mailto:answers@sender.example?subject=UNSUBSCRIBE>"


@pytest.mark.parametrize("subject", ["Hello\nBcc: eve@example.org", "Hello\r", "\nHello", "Hello\x0bBcc: eve"])
def test_a_subject_of_several_lines_is_refused(server: MailServer, subject: str):
    with pytest.raises(CarrierRefused) as refused:
        smtp_to(server).send(MESSAGE, Letter(Channel.EMAIL, "anna@example.org", subject, "text"))
    assert refused.value.code == "bad-subject"
    assert server.connections == 0


ENCODED = "=?utf-8?q?Hello=0D=0ABcc:_eve@example.org?="


def test_encoded_text_begins_no_header_wherever_it_stands(server: MailServer):
    """The library would write it decoded, with its line ends."""
    carrier = smtp_to(server)
    with pytest.raises(CarrierRefused) as refused:
        carrier.send(MESSAGE, replace(LETTER, subject=f"About {ENCODED}"))
    assert refused.value.code == "bad-subject"
    file = Attached(f"{ENCODED}.pdf", "application/pdf", "0" * 64, lambda: b"%PDF-")
    with pytest.raises(CarrierRefused) as refused:
        carrier.send(MESSAGE, replace(LETTER, attachments=(file,)))
    assert refused.value.code == "bad-name"
    carrier.send(MESSAGE, replace(LETTER, body=ENCODED))
    [mail] = server.taken
    assert mail["Bcc"] is None
    assert mail.get_content().strip() == ENCODED


def test_a_mail_with_another_header_than_was_set_does_not_leave(server: MailServer, monkeypatch: pytest.MonkeyPatch):
    as_bytes = EmailMessage.as_bytes
    monkeypatch.setattr(EmailMessage, "as_bytes", lambda mail: b"Bcc: eve@example.org\r\n" + as_bytes(mail))
    with pytest.raises(CarrierRefused) as refused:
        smtp_to(server).send(MESSAGE, LETTER)
    assert refused.value.code == "bad-header"

    def refuses(mail: EmailMessage) -> bytes:
        raise MessageError("folded header contains newline")

    monkeypatch.setattr(EmailMessage, "as_bytes", refuses)
    with pytest.raises(CarrierRefused) as refused:
        smtp_to(server).send(MESSAGE, LETTER)
    assert refused.value.code == "bad-header"
    assert server.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@example.org, eve@example.org",
        "Anna <anna@example.org>",
        "anna@example.org\nRCPT TO:<e@x.org>",
    ],
)
def test_what_is_not_one_address_is_refused(server: MailServer, address: str):
    with pytest.raises(CarrierRefused) as refused:
        smtp_to(server).send(MESSAGE, Letter(Channel.EMAIL, address, "Hello", "text"))
    assert refused.value.code == "bad-address"
    assert server.connections == 0


def test_an_address_that_is_not_ascii_needs_a_server_that_takes_it(server: MailServer):
    with pytest.raises(CarrierRefused) as refused:
        smtp_to(server).send(MESSAGE, Letter(Channel.EMAIL, "żaneta@example.org", "Hello", "text"))
    assert refused.value.code == "address-not-ascii"


def test_an_address_that_is_not_ascii_goes_to_a_server_that_takes_it():
    with MailServer(utf8=True) as server:
        smtp_to(server).send(MESSAGE, Letter(Channel.EMAIL, "żaneta@example.org", "Hello", "text"))
        assert server.recipients == [["żaneta@example.org"]]


def test_a_domain_that_is_not_ascii_is_written_as_the_name_system_knows_it(server: MailServer):
    smtp_to(server).send(MESSAGE, Letter(Channel.EMAIL, "anna@bücher.example", "Hello", "text"))
    assert server.recipients == [["anna@xn--bcher-kva.example"]]


# --- the line ---


def test_a_connection_is_kept_between_messages(server: MailServer):
    carrier = smtp_to(server)
    for _ in range(3):
        carrier.check()
        carrier.send(uuid4(), LETTER)
    assert (len(server.taken), server.connections) == (3, 1)


def test_a_connection_that_was_dropped_meanwhile_is_made_anew(server: MailServer):
    carrier = smtp_to(server)
    carrier.send(uuid4(), LETTER)
    server.drop()
    carrier.send(uuid4(), LETTER)
    assert (len(server.taken), server.connections) == (2, 2)


def test_a_connection_is_used_on_after_a_refusal(server: MailServer):
    carrier = smtp_to(server)
    for does in (Does.REFUSES, Does.BUSY, Does.REFUSES_THE_TEXT, Does.BUSY_AFTER_THE_TEXT):
        server.does = does
        with pytest.raises((CarrierRefused, CarrierUnavailable)):
            carrier.send(uuid4(), LETTER)
    server.does = Does.TAKES
    carrier.send(uuid4(), LETTER)
    assert (len(server.taken), server.connections) == (1, 1)


@pytest.mark.parametrize(
    ("does", "code", "told"),
    [
        (Does.REFUSES, "smtp-550", None),
        (Does.HAS_NO_SUCH_MAILBOX, "smtp-550", Told(Receipt.HARD_BOUNCED, "5.1.1")),
        (Does.REFUSES_THE_TEXT, "smtp-554", Told(Receipt.FAILED, "5.7.1")),
    ],
    ids=["address", "mailbox", "text"],
)
def test_a_refusal_is_in_the_words_of_the_server(server: MailServer, does: Does, code: str, told: Told | None):
    server.does = does
    with pytest.raises(CarrierRefused) as refused:
        smtp_to(server).send(MESSAGE, LETTER)
    assert refused.value.code == code
    assert refused.value.detail.startswith(code.removeprefix("smtp-"))
    assert refused.value.told == told


@pytest.mark.parametrize("does", [Does.BUSY, Does.BUSY_AFTER_THE_TEXT])
def test_what_is_refused_for_now_says_so_without_the_address(server: MailServer, does: Does):
    server.does = does
    with pytest.raises(CarrierUnavailable) as busy:
        smtp_to(server).send(MESSAGE, LETTER)
    assert "anna" not in str(busy.value)
    assert "45" in str(busy.value)


def test_nobody_knows_what_becomes_of_a_text_that_is_not_answered_in_time(server: MailServer):
    server.does = Does.SILENT
    begun = time.monotonic()
    with pytest.raises(CarrierUncertain):
        smtp_to(server, send_seconds=1.0).send(MESSAGE, LETTER)
    server.meanwhile.set()
    assert time.monotonic() - begun < 30
    assert len(server.taken) == 1


def test_a_line_that_is_dropped_with_the_text_leaves_it_open_and_is_made_anew(server: MailServer):
    carrier = smtp_to(server)
    server.does = Does.DIES_WITH_THE_TEXT
    with pytest.raises(CarrierUncertain):
        carrier.send(MESSAGE, LETTER)
    server.does = Does.TAKES
    carrier.send(uuid4(), LETTER)
    assert len(server.taken) == 2


def test_a_server_that_is_not_there_is_named_beforehand():
    server = MailServer(port=free_ports(1)[0])  # not started
    with pytest.raises(CarrierUnavailable, match=rf"smtp://{HOST}:{server.port} cannot be reached"):
        smtp_to(server).check()


# --- protection ---


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def context(authority: Authority, host: str = HOST) -> ssl.SSLContext:
    pair = authority.sign("mail", host=host)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pair.certificate, pair.key)
    return made


def from_env(tmp_path: Path, url: str, authority: Authority | None = None, password: str | None = None) -> Smtp:
    env = {"ARREARS_SMTP_URL": url, "ARREARS_MAIL_FROM": "Main Office <office@sender.example>"}
    if authority is not None:
        env["ARREARS_SMTP_CA_FILE"] = str(authority.file)
    if password is not None:
        (tmp_path / "password").write_text(f"{password}\n")
        env["ARREARS_SMTP_PASSWORD_FILE"] = str(tmp_path / "password")
    return Smtp.from_env(env, ManualClock(TODAY))


def test_mail_goes_over_starttls_and_after_a_login(tmp_path: Path, authority: Authority):
    with MailServer(starts_tls=context(authority), login=("arrears", "a secret")) as server:
        from_env(tmp_path, f"smtp://arrears@{HOST}:{server.port}", authority, "a secret").send(MESSAGE, LETTER)
        assert server.logins == ["arrears"]
        assert len(server.taken) == 1


def test_mail_goes_over_tls_from_the_first_byte_on(tmp_path: Path, authority: Authority):
    with MailServer(tls=context(authority)) as server:
        from_env(tmp_path, f"smtps://{HOST}:{server.port}", authority).send(MESSAGE, LETTER)
        assert len(server.taken) == 1


def test_a_certificate_of_nobody_we_know_is_not_trusted(tmp_path: Path, authority: Authority):
    (tmp_path / "other").mkdir()
    with MailServer(starts_tls=context(authority)) as server:
        other = Authority(tmp_path / "other")
        with pytest.raises(CarrierUnavailable, match="certificate is not trusted"):
            from_env(tmp_path, f"smtp://{HOST}:{server.port}", other).check()
        with pytest.raises(CarrierUnavailable, match="certificate is not trusted"):
            from_env(tmp_path, f"smtp://{HOST}:{server.port}").check()
        assert server.logins == []


def test_a_certificate_of_another_host_is_not_trusted(tmp_path: Path, authority: Authority):
    with (
        MailServer(starts_tls=context(authority, "mail.example.org")) as server,
        pytest.raises(CarrierUnavailable, match="certificate is not trusted"),
    ):
        from_env(tmp_path, f"smtp://{HOST}:{server.port}", authority).check()


def test_a_server_without_starttls_gets_no_mail_where_nobody_logs_in_either(tmp_path: Path, authority: Authority):
    """Who stands between could leave the offer out."""
    with MailServer() as server:
        with pytest.raises(CarrierUnavailable, match="STARTTLS"):
            from_env(tmp_path, f"smtp://{HOST}:{server.port}", authority).send(MESSAGE, LETTER)
        assert server.taken == []


def test_a_server_without_starttls_gets_neither_password_nor_mail(tmp_path: Path, authority: Authority):
    with MailServer() as server:
        with pytest.raises(CarrierUnavailable, match="STARTTLS"):
            from_env(tmp_path, f"smtp://arrears@{HOST}:{server.port}", authority, "a secret").send(MESSAGE, LETTER)
        assert (server.logins, server.taken) == ([], [])


def test_a_refused_login_is_no_fault_of_the_message_and_a_new_password_is_used(tmp_path: Path, authority: Authority):
    with MailServer(starts_tls=context(authority), login=("arrears", "new")) as server:
        carrier = from_env(tmp_path, f"smtp://arrears@{HOST}:{server.port}", authority, "old")
        with pytest.raises(CarrierUnavailable, match=r"refused the login \(535\)") as refused:
            carrier.send(MESSAGE, LETTER)
        assert "old" not in str(refused.value)
        (tmp_path / "password").write_text("new")
        carrier.send(MESSAGE, LETTER)
        assert len(server.taken) == 1


# --- settings ---

WHOLE = {"ARREARS_SMTP_URL": "smtp://mail.example.org", "ARREARS_MAIL_FROM": "office@sender.example"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"ARREARS_SMTP_URL": ""}, "ARREARS_SMTP_URL is missing: ARREARS_MAIL_FROM is set"),
        ({"ARREARS_MAIL_FROM": ""}, "ARREARS_MAIL_FROM is missing"),
        ({"ARREARS_MAIL_FROM": "the office"}, "ARREARS_MAIL_FROM is no address"),
        ({"ARREARS_MAIL_FROM": "a@x.example, b@x.example"}, "ARREARS_MAIL_FROM is no address"),
        ({"ARREARS_MAIL_REPLY_TO": "nobody"}, "ARREARS_MAIL_REPLY_TO is no address"),
        ({"ARREARS_SMTP_URL": "smtp://arrears@mail.example.org"}, "ARREARS_SMTP_PASSWORD_FILE is missing"),
        ({"ARREARS_SMTP_URL": "smtp://arrears:pw@mail.example.org"}, "has a password in it"),
        ({"ARREARS_SMTP_URL": "smtp://mail.example.org?starttls=none"}, "is for a server on this machine"),
        ({"ARREARS_SMTP_URL": "smtp://mail.example.org?starttls=maybe"}, "ARREARS_SMTP_URL is not understood"),
        ({"ARREARS_SMTP_URL": "smtp://mail.example.org?tls=no"}, "ARREARS_SMTP_URL is not understood"),
        ({"ARREARS_SMTP_URL": "smtps://mail.example.org?starttls=none"}, "ARREARS_SMTP_URL is not understood"),
        ({"ARREARS_SMTP_URL": "mail.example.org:587"}, "ARREARS_SMTP_URL is not understood"),
        ({"ARREARS_SMTP_URL": "smtp://mail.example.org:port"}, "ARREARS_SMTP_URL is not understood"),
        ({"ARREARS_SMTP_PASSWORD": "pw"}, "ARREARS_SMTP_URL names no user"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_and_name_the_variable(change: dict[str, str], names: str):
    with pytest.raises(CarrierMisconfigured, match=names) as refused:
        Smtp.from_env({**WHOLE, **change}, ManualClock(TODAY))
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("variable", ["ARREARS_SMTP_PASSWORD_FILE", "ARREARS_SMTP_CA_FILE"])
def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path, variable: str):
    user = {"ARREARS_SMTP_URL": "smtp://arrears@mail.example.org"}
    with pytest.raises(SecretProblem, match=f"{variable}: .* cannot be read"):
        Smtp.from_env({**WHOLE, **user, variable: str(tmp_path / "missing")}, ManualClock(TODAY))


def test_what_is_shown_of_it_has_no_secret(tmp_path: Path):
    carrier = from_env(tmp_path, "smtp://arrears@mail.example.org", password="a secret")
    assert carrier.leads_to == "smtp://mail.example.org:587"
    assert "a secret" not in f"{carrier.__dict__!r}{carrier._server!r}"
