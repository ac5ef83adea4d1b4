"""Where this service is reached from outside: behind a proxy it cannot know that by itself."""

from collections.abc import Mapping
from urllib.parse import urlsplit

PUBLIC_URL = "ARREARS_PUBLIC_URL"
TWILIO_STATUS = "/v1/inbound/twilio/status"
"""Where Twilio reports what became of a message; the message's id is in the query."""


def public_url(env: Mapping[str, str]) -> str | None:
    """Without a slash at its end; None where it is not set. Raises ValueError, which names the variable."""
    given = (env.get(PUBLIC_URL) or "").rstrip("/")
    if not given:
        return None
    try:
        url = urlsplit(given)
        is_one = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        is_one = is_one and not (url.query or url.fragment or url.username)
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError(f"{PUBLIC_URL} is not understood; expected such as https://arrears.example.com.")
    return given
