"""When two statements are about the same: how numbers are compared, and what is kept of contents instead of them."""

import hashlib
import hmac
import os
import unicodedata
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.billing.facts import CustomerFact, Fact, PaymentFact
from aggregates.account.command import account_id, account_name

_NONCE = 12
_SHORT = 12
_INFORMATION = "information."


def folded(number: str) -> str:
    """Two numbers or names that differ only in case, Unicode form (NFKC) and outer spaces have the same."""
    if number.isascii():
        return number.lower().strip()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).casefold()).strip()


def respellings(said: Sequence[str], known: Set[str]) -> dict[str, str]:
    """What is meant by each of some numbers that are folded to the same, where that is another spelling than its own.

    `said` in the order in which they were first said. One that is known as it is spelled stays; else it is the first of
    the known ones; else the first one said.
    """
    meant = min(known) if known else said[0]
    return {each: meant for each in said if each not in known and each != meant}


class AccountNumber(NamedTuple):
    """Which account of an office is meant: files have the same number for a customer's accounts in other currencies."""

    number: str
    other_currency: str | None = None
    """None: in that of the office."""

    @property
    def name(self) -> str:
        """What people call it: `1001`, `1001/EUR`."""
        return account_name(self.number, self.other_currency)

    def id_in(self, office: UUID) -> UUID:
        return account_id(office, self.number, self.other_currency)


# --- natural keys ------------------------------------------------------------------------------------


def key_of(fact: Fact, account: AccountNumber, *, per_account: bool) -> str:
    """The natural key of a fact within its office; `per_account`: each account numbers its own."""
    return with_account(fact.natural_key, account) if per_account and _is_numbered(fact) else fact.natural_key


def key_in_form(key: str, fact: Fact) -> str:
    """The natural key of a fact in the form that another key of it has: with or without its account."""
    if "\t" not in key:
        return fact.natural_key
    _, *other_currency, _ = key.split("\t")
    return with_account(fact.natural_key, AccountNumber(fact.account_number, *other_currency))


def other_key(key: str, account: AccountNumber) -> str:
    """The key that the same document has, or would have, where numbers are of an account or else of the office."""
    return without_account(key) if "\t" in key else with_account(key, account)


def with_account(key: str, account: AccountNumber) -> str:
    """The account's number, the currency where it is another than the office's, and the document's; no number has a tab
    in it."""
    kind, _, number = key.partition(":")
    return f"{kind}:" + "\t".join((*(each for each in account if each is not None), number))


def without_account(key: str) -> str:
    kind, _, number = key.partition(":")
    return f"{kind}:{number.rpartition(chr(9))[2]}"


def number_in(key: str) -> str:
    """The document's number."""
    return without_account(key).partition(":")[2]


def respelled(fact: Fact, *, account_number: str, number: str) -> Fact:
    """The same fact under other spellings of its numbers; of a customer the number is the account's."""
    if fact.account_number != account_number:
        fact = replace(fact, account_number=account_number)
    if isinstance(fact, CustomerFact) or not number or fact.number == number:
        return fact
    return fact.renumbered(number)


def _is_numbered(fact: Fact) -> bool:
    """Whether it has a number of its own, besides its account's."""
    return bool(fact.number) and not isinstance(fact, CustomerFact)


# --- contents ----------------------------------------------------------------------------------------


class Digests:
    """What is kept of contents: keyed, since people say so little that whoever has a plain digest can guess it."""

    def __init__(self, key: bytes) -> None:
        """`key`: the installation's import key."""
        self._key = hmac.digest(key, b"arrears digests of imported facts", "sha256")
        self._cipher = AESGCM(hmac.digest(key, b"arrears numbers of imported payments", "sha256"))

    def of(self, content_digest: bytes) -> bytes:
        """The keyed digest, 32 bytes, from the plain one; so that what an earlier release stored can be keyed too."""
        return hashlib.blake2b(content_digest, digest_size=32, key=self._key).digest()

    def of_text(self, *parts: str) -> str:
        """A short keyed digest of some texts: 24 hexadecimal digits."""
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=_SHORT, key=self._key).hexdigest()

    def sealed(self, number: str) -> bytes:
        """A number that has a plain digest in it, encrypted."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, number.encode(), None)

    def opened(self, sealed: bytes) -> str:
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()

    def details(self, said: Mapping[str, str | None]) -> dict[str, str]:
        """By name, a keyed digest of each text that is there."""
        return {name: self.of_text(name, folded(text)) for name, text in said.items() if text is not None}


def stated(payment: PaymentFact) -> dict[str, str | None]:
    """What a payment may say besides account, day and amount: by name, as far as its profile maps it."""
    return {
        "method": payment.method,
        "invoice": payment.invoice_number,
        "reference": payment.reference,
        "payer": payment.payer_number,
        **{f"{_INFORMATION}{name}": text for name, text in payment.information},
    }


def without(payment: PaymentFact, names: Set[str]) -> PaymentFact:
    """The payment as it is read by a profile that does not map these of what it may have `stated`."""
    return replace(
        payment,
        method=None if "method" in names else payment.method,
        invoice_number=None if "invoice" in names else payment.invoice_number,
        reference=None if "reference" in names else payment.reference,
        payer_number=None if "payer" in names else payment.payer_number,
        information=tuple(each for each in payment.information if f"{_INFORMATION}{each[0]}" not in names),
    )
