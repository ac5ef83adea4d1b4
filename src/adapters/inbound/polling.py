"""Looking into mailboxes again and again, and for whom a message is that no account was found for while names were
filled in; one mailbox that is away holds up no other, and while the database is away the next round tries again."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from adapters.inbound.mailboxes import Mailbox, MailboxAway
from adapters.inbound.matching import NotReady
from adapters.inbound.receiver import Outcome
from adapters.postgres.errors import explained
from adapters.readers.poison import is_poison, said

SECONDS = 20.0
"""Between two rounds."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TakesMail(Protocol):
    """What stores mail (`adapters.inbound.receiver`)."""

    def look_again(self) -> int: ...

    def take_mail(self, raw: bytes, now: datetime) -> Outcome: ...


class Clock(Protocol):
    def now(self) -> datetime: ...


class Polling:
    """Used by one thread."""

    def __init__(self, receiver: TakesMail, mailboxes: Sequence[Mailbox], clock: Clock) -> None:
        self._receiver = receiver
        self._mailboxes = mailboxes
        self._clock = clock

    def once(self) -> tuple[int, list[str]]:
        """How many mails were stored, and what is wrong with mailboxes or the database."""
        stored, away = 0, []
        polls: list[Callable[[], int]] = [partial(mailbox.poll, self._take) for mailbox in self._mailboxes]
        for do in (self._look_again, *polls):
            try:
                with explained():
                    stored += do()
            except (MailboxAway, NotReady) as error:
                away.append(str(error))
            except Exception as error:
                if is_poison(error):
                    raise
                away.append(said(error))
        return stored, list(dict.fromkeys(away))

    def _look_again(self) -> int:
        """No mail is stored by it."""
        if matched := self._receiver.look_again():
            _log.info("messages without an account are on one now", messages=matched)
        return 0

    def run(self, stop: threading.Event) -> None:
        """Until it is told to end. A problem is said once, until it is another or over."""
        told: list[str] = []
        while not stop.is_set():
            stored, away = self.once()
            for each in away:
                if each not in told:
                    _log.warning("mail cannot be taken now", why=each)
            told = away
            if stored:
                _log.info("mail was taken", mails=stored)
            stop.wait(SECONDS)

    def _take(self, raw: bytes) -> None:
        self._receiver.take_mail(raw, self._clock.now())
