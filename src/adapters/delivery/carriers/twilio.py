"""Text messages and calls through Twilio.

It takes no id of ours, so a request that was sent and not answered may have been taken. A text message is looked up by
its number, time and words; a call has none, so nobody knows.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from babel.core import get_global
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse
from requests import ConnectionError as NoConnection
from requests import ConnectTimeout, RequestException
from requests.exceptions import SSLError
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse
from urllib3.exceptions import NameResolutionError, NewConnectionError

from adapters.carrier_codes import TWILIO
from adapters.delivery.carrier import (
    Attempt,
    Carrier,
    CarrierAway,
    CarrierMisconfigured,
    CarrierRefused,
    CarrierUnavailable,
    CarrierUncertain,
    Told,
)
from adapters.delivery.rendering import Letter
from adapters.public_url import TWILIO_STATUS, public_url
from adapters.secret_text import Secret, secret_of
from aggregates.values.contact import Channel

if TYPE_CHECKING:
    from twilio.http.response import Response

ACCOUNT = "ARREARS_TWILIO_ACCOUNT_SID"
TOKEN, TOKEN_FILE = "ARREARS_TWILIO_AUTH_TOKEN", "ARREARS_TWILIO_AUTH_TOKEN_FILE"
FROM = "ARREARS_TWILIO_FROM"
BASE_URL = "ARREARS_TWILIO_BASE_URL"

_PUBLIC = "https://api.twilio.com"
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 40.0

_NOT_NOW = frozenset({401, 429, 503})
"""HTTP: the login is refused, too much at once, not available. No message is to blame."""
_ACCOUNT_CODES = frozenset({20003, 20005, 20429})
"""Twilio: the login is refused, the account is not active, too much at once."""
_CLOCKS_DIFFER = timedelta(minutes=1)
_LOOKED_THROUGH = 50

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's own client, which talks to another server where one is named."""

    def __init__(self, base: str, seconds: tuple[float, float]) -> None:
        super().__init__()
        self._base = base
        self._seconds = seconds

    def request(self, method: str, url: str, *more: Any, **options: Any) -> "Response":
        options["timeout"] = None
        self.timeout: Any = self._seconds
        return super().request(method, url.replace(_PUBLIC, self._base, 1), *more, **options)


class Twilio(Carrier):
    """Used by one thread."""

    name = "twilio"
    channels = frozenset({Channel.SMS, Channel.VOICE})
    is_idempotent = False
    answers_within = timedelta(seconds=_CONNECT_SECONDS + _ANSWER_SECONDS + 10)

    def __init__(
        self,
        account: str,
        token: Secret,
        sender: str,
        *,
        base: str = _PUBLIC,
        reports_to: str | None = None,
        seconds: tuple[float, float] = (_CONNECT_SECONDS, _ANSWER_SECONDS),
    ) -> None:
        """`sender` is the number that messages and calls come from; `reports_to` is this service's own address, where
        Twilio says what became of each; `seconds` to connect, and to answer."""
        self.leads_to = f"{base} from {sender}"
        self._base = base
        self.sender = sender
        self.client = Client(account, str(token), http_client=_Http(base, seconds), environment={"TWILIO_EDGE": ""})
        self._reports_to = reports_to
        self._last_reference = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Twilio":
        """Raises CarrierMisconfigured, SecretProblem."""
        token = secret_of(env, TOKEN, TOKEN_FILE)
        for name, given in ((ACCOUNT, env.get(ACCOUNT)), (TOKEN_FILE, token), (FROM, env.get(FROM))):
            if not given:
                raise CarrierMisconfigured(
                    f"{name} is missing: Twilio is set up by {ACCOUNT}, {TOKEN_FILE} and {FROM}."
                )
        base = (env.get(BASE_URL) or _PUBLIC).rstrip("/")
        if urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).netloc or urlsplit(base).username:
            raise CarrierMisconfigured(f"{BASE_URL} is not understood; expected such as {_PUBLIC}.")
        try:
            reports_to = public_url(env)
        except ValueError as problem:
            raise CarrierMisconfigured(str(problem)) from None
        return cls(env[ACCOUNT], token or Secret(), env[FROM], base=base, reports_to=reports_to)

    def send(self, message_id: UUID, letter: Letter) -> str:
        if letter.attachments:
            raise CarrierRefused("attachments-not-carried", "texts and calls take no files with them")
        to = _number(letter)
        more: dict[str, Any] = {}
        if self._reports_to is not None:
            more["status_callback"] = f"{self._reports_to}{TWILIO_STATUS}?message={message_id}"
        if letter.channel is Channel.VOICE:
            call = self.asking(lambda: self.client.calls.create(to=to, from_=self.sender, twiml=spoken(letter), **more))
            return self.reference_of(call)
        text = self.asking(lambda: self.client.messages.create(to=to, from_=self.sender, body=letter.body, **more))
        return self.reference_of(text)

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | None:
        """The text message to that number with those words that was sent since; None where there is none of them."""
        del message_id
        letter = attempt.letter()
        if letter is None or letter.channel is not Channel.SMS:
            return None
        with suppress(CarrierRefused, CarrierUnavailable, CarrierUncertain):
            since, to = attempt.since - _CLOCKS_DIFFER, _number(letter)
            found = self.asking(
                lambda: self.client.messages.list(
                    to=to, from_=self.sender, date_sent_after=since, limit=_LOOKED_THROUGH, page_size=_LOOKED_THROUGH
                )
            )
            if any(each.body is not None and each.body.strip() == letter.body.strip() for each in found):
                return letter
        return None

    def close(self) -> None:
        session = getattr(self.client.http_client, "session", None)
        if session is not None:
            session.close()

    def reference_of(self, taken: Any) -> str:
        """That of what the answer says was taken just now. Raises CarrierUncertain where it is no answer to that: one
        that comes twice, the second time a moment later, would be read as the answer to what was sent next."""
        if not taken.sid or taken.sid == self._last_reference:
            self.close()
            raise CarrierUncertain(f"{self._base} answered something that was asked before")
        self._last_reference = str(taken.sid)
        return self._last_reference

    def asking(self, ask: Any) -> Any:
        """What the client's errors mean. They may quote numbers, so of most only the kind is said.

        Behind an answer that is none of success another may come, which says nothing of what is asked next: what is
        asked next has a connection of its own.
        """
        try:
            return self._asked(ask)
        except Exception:
            self.close()
            raise

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except (TwilioRestException, TwilioServiceException) as error:
            raise self._refusal(error.status, error.code, getattr(error, "msg", "") or str(error)) from None
        except (ConnectTimeout, SSLError) as error:
            raise CarrierAway(f"{self._base} cannot be reached: {type(error).__name__}") from None
        except NoConnection as error:
            reason = getattr(error.args[0] if error.args else None, "reason", None)
            if isinstance(reason, NewConnectionError | NameResolutionError):
                raise CarrierAway(f"{self._base} cannot be reached: {type(reason).__name__}") from None
            raise CarrierUncertain(f"{self._base} dropped the line ({type(error).__name__})") from None
        except (TwilioException, RequestException, ValueError, KeyError, TypeError) as error:
            raise CarrierUncertain(f"{self._base} did not answer as expected ({type(error).__name__})") from None

    def _refusal(self, status: int, code: int | None, said: str) -> Exception:
        if status in _NOT_NOW or code in _ACCOUNT_CODES:
            return CarrierAway(f"{self._base} does not take a message now (HTTP {status}, code {code})")
        if 400 <= status < 500:
            receipt = TWILIO.get(str(code))
            told = None if receipt is None or code is None else Told(receipt, str(code))
            return CarrierRefused(f"twilio-{code or status}", said, told=told)
        return CarrierUncertain(f"{self._base} failed (HTTP {status})")


def spoken(letter: Letter) -> str:
    """The call as TwiML: the text is data in it. What XML cannot hold is left out."""
    response = VoiceResponse()
    response.say(_NOT_IN_XML.sub(" ", letter.body), language=_spoken_language(letter.language))
    return str(response)


def _spoken_language(language: str) -> str:
    """With a country, as speech needs it: `de-DE` for `de`."""
    if "-" in language:
        return language
    territory = str(get_global("likely_subtags").get(language, "")).rpartition("_")[2]
    return f"{language}-{territory}" if len(territory) == 2 else language


def _number(letter: Letter) -> str:
    """As E.164. Raises CarrierRefused for what is no number that can be dialled."""
    try:
        number = parse(letter.to, letter.country)
    except NumberParseException:
        number = None
    if number is None or number.extension or not is_possible_number(number):
        raise CarrierRefused("bad-number", f"{letter.to!r} is no telephone number that can be dialled")
    return format_number(number, PhoneNumberFormat.E164)
