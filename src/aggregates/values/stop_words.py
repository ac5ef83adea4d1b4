"""What a customer's message asks for, as far as its words say: no more messages, messages again, or perhaps the first.

A message that is one of the words alone, whatever its case, punctuation and politeness, is clear. One that has such a
word among others may mean it: a person reads it (47 CFR 64.1200(a)(10): any reasonable words revoke).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum

STOP_WORDS = frozenset({"stop", "quit", "revoke", "opt out", "cancel", "unsubscribe", "end"})
"""47 CFR 64.1200(a)(10)(i): replies that always revoke consent."""


class Request(StrEnum):
    """What the words of a message ask for."""

    STOP = "stop"
    START = "start"
    """Consent is given back."""
    UNCLEAR = "unclear"
    """It may be a stop: a person has to read it."""


STOP: tuple[str, ...] = (
    *STOP_WORDS,
    "optout", "stopall", "stop all",
    # Spanish.
    "alto", "parar", "pare", "paren", "cancelar", "cancele", "cancelen", "baja", "darme de baja", "dar de baja",
    "basta", "detener", "salir", "fin",
)  # fmt: skip
START = ("start", "unstop", "opt in", "optin")
AROUND = (
    "please", "pls", "plz", "thanks", "thank you", "now", "immediately", "at once", "just", "hi", "hello", "ok",
    "i", "we", "want", "would", "like", "wish", "to", "d like", "and", "all", "of", "from", "these", "this", "the",
    "your", "me", "us", "my", "number", "address", "send", "sending", "receive", "receiving", "getting",
    "text", "texts", "texting", "message", "messages", "messaging", "sms", "email", "emails", "e mail", "e mails",
    "mail", "mails", "call", "calls", "calling", "contact", "contacting",
    # Spanish.
    "por favor", "gracias", "ya", "hola", "quiero", "deseo", "de", "los", "las", "el", "mis", "sus", "mensaje",
    "mensajes", "texto", "textos", "correo", "correos", "enviar", "enviarme", "mandar", "mandarme", "recibir",
    "todos", "todo",
)  # fmt: skip
"""Words beside a clear one that change nothing about it."""
NAMED: Mapping[str, frozenset[str]] = {
    "call": frozenset({"call", "calls", "calling"}),
    "sms": frozenset({"text", "texts", "texting", "sms", "texto", "textos"}),
    "email": frozenset({"email", "emails", "mail", "mails", "correo", "correos"}),
}
"""Words that name a medium."""
MAY_MEAN_STOP = (
    "do not text", "dont text", "don t text", "do not contact", "dont contact", "don t contact",
    "do not message", "dont message", "don t message", "do not call", "dont call", "don t call",
    "do not email", "dont email", "don t email", "do not write", "dont write", "don t write",
    "stopp", "stopping", "stopped", "cancelled", "canceled", "unsubscribed", "opted out", "opting out",
    "no more", "remove me", "take me off", "leave me alone", "wrong number", "wrong person", "not interested",
    "lose my number", "delete my number", "harass", "harassing", "harassment",
    "do not send", "dont send", "don t send", "do not use", "dont use", "don t use", "no texts", "no text",
    "no messages", "no calls", "no emails", "no contact", "no longer want", "no longer wish", "never text",
    "never call", "never contact", "never message", "never email", "cease", "desist", "discontinue", "unsub",
    "opt me out", "withdraw", "withdrawn", "do not consent", "dont consent", "don t consent", "no consent",
    "not have permission", "no permission", "off your list", "from your list", "remove my number", "remove my name",
    "remove this number", "take my number", "take my name", "delete me", "block me", "s t o p",
    # Spanish.
    "no me escriba", "no me escriban", "no me mande", "no me manden", "no me llame", "no me llamen", "no contactar",
    "no quiero", "no me mandes", "no me escribas", "no me llames", "no me contacte", "no me contacten",
    "no mas", "dejen", "deje", "numero equivocado", "borrar mi numero",
)  # fmt: skip

ALONE_MAY_MEAN_STOP = frozenset({"remove", "delete", "block"})
"""Messages of one word; among others it is about something else."""

_LONGEST = 4
"""Words of a phrase."""
_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")


def is_one_word(text: str) -> bool:
    """Whether a message is one of `STOP_WORDS` and says nothing else."""
    return " ".join(_words(text)) in STOP_WORDS


def request_in(text: str) -> Request | None:
    """What a message asks for; None where its words say nothing of it."""
    words = _words(text)
    found, rest = _without(words, _STOP)
    starts, rest = _without(rest, _START)
    _, rest = _without(rest, _AROUND)
    if found and not starts and not rest:
        return Request.STOP
    if starts and not found and not rest:
        return Request.START
    if found or _without(words, _MAY_MEAN_STOP)[0] or " ".join(words) in ALONE_MAY_MEAN_STOP:
        return Request.UNCLEAR
    return None


def media_named(text: str) -> frozenset[str]:
    """The media that a message names, of `NAMED`: calls, texts, e-mails."""
    words = frozenset(_words(text))
    return frozenset(medium for medium, names in NAMED.items() if names & words)


def _words(text: str) -> list[str]:
    """Without case, accents and compatible forms; what is no letter and no digit parts them."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(
        each for each in decomposed if not unicodedata.combining(each) and unicodedata.category(each) != "Cf"
    )
    return _LETTERS_AND_DIGITS.findall(plain)


def _without(words: list[str], phrases: frozenset[tuple[str, ...]]) -> tuple[bool, list[str]]:
    """Whether any of the phrases stands there, and the other words; the longest phrase is taken first."""
    left: list[str] = []
    at, found = 0, False
    while at < len(words):
        length = next((n for n in range(_LONGEST, 0, -1) if tuple(words[at : at + n]) in phrases), 0)
        if length:
            found = True
        else:
            left.append(words[at])
        at += length or 1
    return found, left


def _phrases(said: Iterable[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(each.split()) for each in said)


_STOP, _START, _AROUND, _MAY_MEAN_STOP = map(_phrases, (STOP, START, AROUND, MAY_MEAN_STOP))

# --- what is new in an e-mail -------------------------------------------------------------------------

_BEGINS_A_QUOTE = re.compile(
    r"^\s*(?:-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|mensaje original)"
    r"|_{10,}\s*$"
    r"|(?:from|von|de|da|van|od):\s.*@"
    r"|(?:on|am|el|le|il|op|em|w dniu)\b.{4,200}(?:wrote|schrieb|escribió|a écrit|ha scritto|schreef|escreveu|napisał)"
    r".{0,40}:?\s*$)",
    re.IGNORECASE,
)


def without_quotes(text: str) -> str:
    """What is new in an answer: without quoted lines, and without what follows the line that begins a quotation."""
    new: list[str] = []
    for line in text.splitlines():
        if _BEGINS_A_QUOTE.match(line[:300]):
            break
        if not line.lstrip().startswith(">"):
            new.append(line)
    return "\n".join(new).strip()
