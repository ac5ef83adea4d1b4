"""What may come in, and how it is checked: read from the environment, and refused where it is given by half."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.public_url import PUBLIC_URL, public_url
from adapters.secret_text import Secret, SecretProblem, secret_of

TWILIO_TOKEN, TWILIO_TOKEN_FILE = "ARREARS_TWILIO_AUTH_TOKEN", "ARREARS_TWILIO_AUTH_TOKEN_FILE"
EMAIL_SECRET, EMAIL_SECRET_FILE = "ARREARS_INBOUND_EMAIL_SECRET", "ARREARS_INBOUND_EMAIL_SECRET_FILE"


class InboundMisconfigured(Exception):
    """The settings of what comes in do not fit together; the message names the variable."""


@dataclass(frozen=True)
class Doors:
    """What programs elsewhere may send to this service. A secret is read anew for each request, so it can be changed
    while the service runs."""

    env: Mapping[str, str]
    public_url: str | None
    takes_twilio: bool
    takes_email: bool

    @property
    def twilio_token(self) -> Secret | None:
        return secret_of(self.env, TWILIO_TOKEN, TWILIO_TOKEN_FILE) if self.takes_twilio else None

    @property
    def email_secret(self) -> Secret | None:
        return secret_of(self.env, EMAIL_SECRET, EMAIL_SECRET_FILE) if self.takes_email else None

    def described(self) -> Iterator[tuple[str, str]]:
        """By name, where each leads from."""
        base = self.public_url or ""
        yield "twilio", f"{base}/v1/inbound/twilio/sms" if self.takes_twilio else "not set up"
        yield "email", f"{base}/v1/inbound/email" if self.takes_email else "not set up"


def doors_of(env: Mapping[str, str]) -> Doors:
    """Those that the environment names. Raises InboundMisconfigured."""
    try:
        base = public_url(env)
        has_token = secret_of(env, TWILIO_TOKEN, TWILIO_TOKEN_FILE) is not None
        has_secret = secret_of(env, EMAIL_SECRET, EMAIL_SECRET_FILE) is not None
    except (SecretProblem, ValueError) as problem:
        raise InboundMisconfigured(str(problem)) from None
    if base is not None and not (has_token or has_secret):
        raise InboundMisconfigured(
            f"{PUBLIC_URL} is set, and nothing comes in by it: expected {TWILIO_TOKEN_FILE} or {EMAIL_SECRET_FILE} too."
        )
    return Doors(env, base, takes_twilio=has_token and base is not None, takes_email=has_secret)
