"""E-mail through a mail server (RFC 5321), which passes it on.

A line that was dropped before the text was sent took nothing with it: it is made anew, once. From the text's first byte
until the server answers nobody knows. Every error of `smtplib` is an OSError.
"""

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from email import message_from_bytes
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, compat32
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from adapters.carrier_codes import refusal_receipt, refusal_status
from adapters.clock import Clock
from adapters.delivery.carrier import (
    Attempt,
    Carrier,
    CarrierMisconfigured,
    CarrierRefused,
    CarrierUnavailable,
    CarrierUncertain,
    Told,
)
from adapters.delivery.rendering import Letter
from adapters.mail_lines import Server, ServerMisconfigured, Variables, server_at
from adapters.secret_text import SecretProblem, secret_of
from aggregates.values.contact import ENCODED, NOT_ENCODED, Channel

URL = "ARREARS_SMTP_URL"
PASSWORD, PASSWORD_FILE = "ARREARS_SMTP_PASSWORD", "ARREARS_SMTP_PASSWORD_FILE"
CA_FILE = "ARREARS_SMTP_CA_FILE"
FROM, REPLY_TO = "ARREARS_MAIL_FROM", "ARREARS_MAIL_REPLY_TO"
_ONLY_WITH_URL = (PASSWORD, PASSWORD_FILE, CA_FILE, FROM, REPLY_TO)

_VARIABLES = Variables(
    url=URL,
    password_file=PASSWORD_FILE,
    ca_file=CA_FILE,
    ports={"smtp": 587, "smtps": 465},
    expected="smtp://USER@HOST:587?starttls=required or smtps://USER@HOST:465",
)

_CONNECT_SECONDS = 30.0
_SEND_SECONDS = 150.0
"""A server may look at a text for long before it takes it."""
_FRESH_SECONDS = 1.0
"""A line that was used just now is there still, most likely: it is not asked before each message."""

_LINES = 4
"""Connections beside each other: a server works on several messages in the time of one."""

_CLOSING = 421
"""RFC 5321: whatever was said, the server ends the line."""

_FIRST_DOT = re.compile(rb"^\.", re.MULTILINE)

_ANOTHER_HEADER = "what stands in a header would begin another"


class _Dropped(CarrierUnavailable):
    """The line broke before the text was sent."""


class Smtp(Carrier):
    """Keeps its connection between messages. Used by one thread; each of its `lines` has a connection of its own."""

    name = "smtp"
    channels = frozenset({Channel.EMAIL})
    is_idempotent = False
    answers_within = timedelta(seconds=4 * _CONNECT_SECONDS + _SEND_SECONDS)

    def __init__(
        self,
        server: Server,
        password: Callable[[], str | None],
        clock: Clock,
        *,
        sender: Address,
        reply_to: Address | None = None,
        connect_seconds: float = _CONNECT_SECONDS,
        send_seconds: float = _SEND_SECONDS,
    ) -> None:
        """`password` is read anew for each connection."""
        self.leads_to = server.shown
        self._server = server
        self._password = password
        self._clock = clock
        self._from = sender
        self._reply_to = reply_to
        self._connect_seconds = connect_seconds
        self._send_seconds = send_seconds
        self._line: smtplib.SMTP | None = None
        self._used_at = 0.0
        self._lines: tuple[Smtp, ...] = (self,)

    @classmethod
    def from_env(cls, env: Mapping[str, str], clock: Clock) -> "Smtp":
        """Raises CarrierMisconfigured, SecretProblem."""
        if not env.get(URL):
            given = next((name for name in _ONLY_WITH_URL if env.get(name)), URL)
            raise CarrierMisconfigured(f"{URL} is missing: {given} is set.")
        server = server_of(env)
        if not env.get(FROM):
            raise CarrierMisconfigured(f"{FROM} is missing: {URL} is set. Mail needs a sender.")
        password = secret_of(env, PASSWORD, PASSWORD_FILE)
        if server.user is not None and password is None:
            raise CarrierMisconfigured(f"{PASSWORD_FILE} is missing: {URL} names a user, who logs in with a password.")
        if server.user is None and password is not None:
            raise CarrierMisconfigured(f"{URL} names no user, and there is a password ({PASSWORD_FILE}).")
        return cls(
            server,
            lambda: secret_of(env, PASSWORD, PASSWORD_FILE),
            clock,
            sender=_own_address(FROM, env[FROM]),
            reply_to=_own_address(REPLY_TO, env[REPLY_TO]) if env.get(REPLY_TO) else None,
        )

    # --- what it is asked ---

    def lines(self) -> "Sequence[Smtp]":
        if len(self._lines) == 1:
            self._lines += tuple(self._another() for _ in range(_LINES - 1))
        return self._lines

    def _another(self) -> "Smtp":
        return Smtp(
            self._server,
            self._password,
            self._clock,
            sender=self._from,
            reply_to=self._reply_to,
            connect_seconds=self._connect_seconds,
            send_seconds=self._send_seconds,
        )

    def check(self) -> None:
        """A connection that was dropped meanwhile is made anew."""
        self._connected()

    def send(self, message_id: UUID, letter: Letter) -> str:
        recipient = _recipient(letter.to)
        mail, reference = self._mail(message_id, letter, recipient)
        line, until = self._begun(recipient), time.monotonic() + self._send_seconds
        try:
            with self._certain(line, until):
                self._expect(line.rcpt(recipient.addr_spec), 250, 251, is_about_recipient=True)
            with self._certain(line, until):
                self._expect(line.docmd("DATA"), 354)
            reply = self._hand_over(line, mail, until)
            self._expect(reply, 250, is_about_recipient=True)
        except (CarrierRefused, CarrierUnavailable):
            self._reset()
            raise
        except BaseException:
            self._hang_up()
            raise
        self._used_at = time.monotonic()
        return reference

    def _begun(self, recipient: Address) -> smtplib.SMTP:
        """A line on which the message is announced. One that was dropped meanwhile took nothing with it, and is made
        anew, once."""
        is_kept = self._line is not None
        try:
            return self._announced(recipient)
        except _Dropped:
            if not is_kept:
                raise
        return self._announced(recipient)

    def _announced(self, recipient: Address) -> smtplib.SMTP:
        line, until = self._connected(), time.monotonic() + self._connect_seconds
        utf8 = [] if recipient.username.isascii() else ["SMTPUTF8"]
        if utf8 and not line.has_extn("smtputf8"):
            raise CarrierRefused("address-not-ascii", "the mail server takes only addresses in ASCII")
        try:
            with self._certain(line, until):
                reply = line.mail(self._from.addr_spec, utf8)
            if reply[0] == _CLOSING:
                raise _Dropped(f"{self.leads_to} does not take a message now ({_CLOSING})")
            self._expect(reply, 250)
        except BaseException:
            self._hang_up()
            raise
        return line

    def took(self, message_id: UUID, attempt: Attempt) -> None:
        """A mail server does not say what it took before."""
        del message_id, attempt

    def close(self) -> None:
        for each in self._lines:
            each._hang_up()

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with suppress(OSError):
                line.close()

    # --- the mail ---

    def _mail(self, message_id: UUID, letter: Letter, recipient: Address) -> tuple[bytes, str]:
        """As it is sent, and its Message-ID. Raises CarrierRefused where it cannot be written as a mail: a line end in
        a header would begin another one, and so would one in encoded text (RFC 2047), which is written decoded."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._from
        mail["To"] = recipient
        if letter.subject is not None:
            if len(letter.subject.splitlines()) > 1 or letter.subject.endswith(("\r", "\n")):
                raise CarrierRefused("bad-subject", "a subject is one line")
            if ENCODED in letter.subject:
                raise CarrierRefused("bad-subject", NOT_ENCODED)
            mail["Subject"] = letter.subject
        mail["Date"] = self._clock.now()
        mail["Message-ID"] = f"<{message_id}@{self._from.domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
        if self._reply_to is not None:
            mail["Reply-To"] = self._reply_to
            mail["List-Unsubscribe"] = f"<mailto:{self._reply_to.addr_spec}?subject=UNSUBSCRIBE>"
        if any(ENCODED in each.name for each in letter.attachments):
            raise CarrierRefused("bad-name", f"the name of a file: {NOT_ENCODED}")
        files = [(each, each.read()) for each in letter.attachments]
        try:
            mail.set_content(letter.body, charset="utf-8", cte="quoted-printable")
            for file, content in files:
                main, _, sub = file.media_type.partition("/")
                mail.add_attachment(content, maintype=main, subtype=sub, filename=file.name)
            written = mail.as_bytes()
        except UnicodeEncodeError:
            raise CarrierRefused("bad-text", "the text has characters that are none") from None
        except MessageError:  # as later releases of the library say it
            raise CarrierRefused("bad-header", _ANOTHER_HEADER) from None
        if message_from_bytes(written, policy=compat32).keys() != mail.keys():
            raise CarrierRefused("bad-header", _ANOTHER_HEADER)
        return written, str(mail["Message-ID"])

    def _hand_over(self, line: smtplib.SMTP, text: bytes, until: float) -> tuple[int, bytes]:
        """The text and its end. Raises CarrierUncertain where no answer comes."""
        _wait_until(line, until)
        try:
            line.send(_FIRST_DOT.sub(b"..", text) + (b"" if text.endswith(b"\r\n") else b"\r\n") + b".\r\n")
            _wait_until(line, until)
            return line.getreply()
        except OSError as error:
            raise CarrierUncertain(
                f"{self.leads_to} did not answer after the text was sent ({type(error).__name__})"
            ) from None

    def _expect(self, reply: tuple[int, bytes], *codes: int, is_about_recipient: bool = False) -> None:
        code, said = reply
        if code in codes:
            return
        if 500 <= code < 600:
            text = said.decode("utf-8", "replace")
            status = refusal_status(text) if is_about_recipient else None
            told = Told(refusal_receipt(status), status) if status is not None else None
            raise CarrierRefused(f"smtp-{code}", f"{code} {text}", told=told)
        if 400 <= code < 500:
            raise CarrierUnavailable(f"{self.leads_to} does not take a message now ({code})")
        raise CarrierUncertain(f"{self.leads_to} answered {code}, which says nothing")

    # --- the line ---

    def _connected(self) -> smtplib.SMTP:
        """The line, made anew where it was dropped. Raises CarrierUnavailable: nothing was sent over it."""
        if self._line is not None:
            if time.monotonic() - self._used_at < _FRESH_SECONDS:
                return self._line
            try:
                _wait_until(self._line, time.monotonic() + self._connect_seconds)
                if self._line.noop()[0] == 250:
                    return self._line
            except OSError:
                pass
            self._hang_up()
        until = time.monotonic() + self._connect_seconds
        try:
            self._line = self._opened(until)
        except SecretProblem as problem:
            raise CarrierUnavailable(str(problem)) from None
        except ssl.SSLCertVerificationError as error:
            raise CarrierUnavailable(
                f"{self.leads_to}: its certificate is not trusted: {error.verify_message}"
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise CarrierUnavailable(f"{self.leads_to} refused the login ({error.smtp_code})") from None
        except smtplib.SMTPNotSupportedError:
            raise CarrierUnavailable(f"{self.leads_to} does not offer what {URL} asks for: STARTTLS, a login") from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise CarrierUnavailable(f"{self.leads_to} cannot be reached: {why}") from None
        return self._line

    def _opened(self, until: float) -> smtplib.SMTP:
        server = self._server
        seconds = max(0.1, until - time.monotonic())
        line = (
            smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=server.trusted)
            if server.is_tls
            else smtplib.SMTP(server.host, server.port, timeout=seconds)
        )
        try:
            _wait_until(line, until)
            line.ehlo_or_helo_if_needed()
            if server.starts_tls:
                line.starttls(context=server.trusted)
                _wait_until(line, until)
                line.ehlo_or_helo_if_needed()
            if server.user is not None:
                _log_in(line, server.user, self._password() or "")
        except BaseException:
            line.close()
            raise
        return line

    @contextmanager
    def _certain(self, line: smtplib.SMTP, until: float) -> Iterator[None]:
        """Before the text is sent, a line that breaks took nothing with it."""
        _wait_until(line, until)
        try:
            yield
        except OSError as error:
            raise _Dropped(f"{self.leads_to} dropped the line ({type(error).__name__})") from None

    def _reset(self) -> None:
        """The line can be used for the next message, or is let go."""
        line = self._line
        if line is None:
            return
        try:
            _wait_until(line, time.monotonic() + self._connect_seconds)
            if line.rset()[0] != 250:
                self._hang_up()
        except OSError:
            self._hang_up()


def _log_in(line: smtplib.SMTP, user: str, password: str) -> None:
    """Once: a server may end the line, or shut the account, after some attempts. Raises SMTPNotSupportedError where no
    mechanism that it offers is known, and SMTPAuthenticationError."""
    offered = line.esmtp_features.get("auth", "").upper().split()
    known: Mapping[str, Any] = {"PLAIN": line.auth_plain, "LOGIN": line.auth_login, "CRAM-MD5": line.auth_cram_md5}
    for mechanism, answers in known.items():
        if mechanism in offered:
            line.user, line.password = user, password
            line.auth(mechanism, answers)
            return
    raise smtplib.SMTPNotSupportedError


def _wait_until(line: smtplib.SMTP, until: float) -> None:
    """Whatever is read or written next may take the time that is left."""
    if line.sock is not None:
        line.sock.settimeout(max(0.1, until - time.monotonic()))


def _recipient(text: str) -> Address:
    """Raises CarrierRefused for what is no single address."""
    try:
        address = validate_email(text, check_deliverability=False, allow_smtputf8=True)
        return Address(username=address.local_part, domain=address.ascii_domain or address.domain)
    except (EmailNotValidError, HeaderParseError, ValueError) as error:
        raise CarrierRefused("bad-address", f"{text!r} is no e-mail address: {error}") from None


# --- settings ------------------------------------------------------------------------------------------


def server_of(env: Mapping[str, str]) -> Server:
    """Raises CarrierMisconfigured, SecretProblem."""
    try:
        server = server_at(_VARIABLES, env)
        if server.path not in {"", "/"}:
            raise _VARIABLES.not_understood()
    except ServerMisconfigured as problem:
        raise CarrierMisconfigured(str(problem)) from None
    return server


def _own_address(variable: str, text: str) -> Address:
    """`Name <address>`, or an address."""
    try:
        found: Any = SMTP.header_factory("From", text)
        (address,) = found.addresses
        validate_email(address.addr_spec, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except (ValueError, HeaderParseError, EmailNotValidError):
        raise CarrierMisconfigured(
            f"{variable} is no address; expected name@example.com, or: Name <name@example.com>"
        ) from None
    return Address(display_name=address.display_name, addr_spec=address.addr_spec)
