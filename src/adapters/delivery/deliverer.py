"""The reader that sends queued messages: claim, send, report; never twice by itself.

A claim has an owner and an end. Its event is stored by a command whose id only this owner gives, and the end follows
from when that was recorded: what the carrier may take to answer, and what may pass before it is called.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import structlog
from psycopg import Connection

from adapters.delivery.carrier import Attempt, Carrier, CarrierRefused, CarrierUnavailable
from adapters.delivery.carriers.setup import Carriers
from adapters.delivery.renderer import Renderer
from adapters.delivery.rendering import Files, Letter, RenderingProblem, render
from adapters.eventstore.application import Arrears
from adapters.postgres.lease import going_on
from adapters.readers.poison import is_poison
from adapters.telemetry.metrics import count_delivery
from aggregates.account import Account
from aggregates.account.messages import (
    DispatchMessage,
    MessageDispatched,
    MessageQueued,
    MessageState,
    MessageUnderWay,
    MessageWritten,
    ReconsiderMessage,
    ReportFailed,
    ReportSent,
    ReportUncertain,
)
from aggregates.campaign import Campaign
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Outcome, identifier
from aggregates.kernel.event import Recorded
from aggregates.office import Office
from aggregates.values.business_time import local_date

ACTOR = Actor.service("delivery")

AT_ONCE = 20
"""Messages between two checkpoints: after a crash so many are looked at again."""

TO_CALL = timedelta(seconds=60)
"""A claim allows so much until the carrier is called: for rendering, and for clocks that differ."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WaitUntil = Callable[[datetime], None]
"""Lets time pass up to a moment: sleeping in service, setting the clock where history is lived through."""


class Pace:
    """Keeps to an office's messages a minute: each message gets the next free slot."""

    def __init__(self, wait_until: WaitUntil) -> None:
        self._wait_until = wait_until
        self._last: dict[UUID, datetime] = {}

    def take(self, office: Office, now: datetime) -> None:
        slot = now
        if office.id in self._last:
            slot = max(now, self._last[office.id] + timedelta(minutes=1) / office.limits.max_per_minute)
        self._last[office.id] = slot
        if slot > now:
            self._wait_until(slot)


@dataclass(frozen=True, slots=True)
class Errand:
    """One message with everything needed to send it."""

    account: Account
    office: Office
    message: MessageUnderWay
    cause: Recorded


class Deliverer:
    """Handles messages of steps and those by hand. The claim is an event, stored before the carrier is called.

    A crash between claim and result leaves a message that was claimed before: if the carrier knows that it took it,
    its answer counts. If not, and the claim was this one's, the carrier's word that it did not take it counts too.
    Another's claim may be that of a process which is frozen, and goes on later: the message is handed over again only
    to a carrier that takes an id once. Else it is reported as uncertain once the claim has ended, and shown to a
    person. It is never sent again by itself; should the owner still report what became of it, that counts.

    A carrier that certainly does not take a message now is asked again, after the pauses of a reader that stands still.
    Where it says so beforehand nothing is claimed. Else the message stays claimed, and each time before it is handed
    over again there is another last look: whoever paid meanwhile gets nothing. Messages beside it in the batch go on.
    """

    name: ClassVar[str] = "delivery"
    interest: ClassVar[frozenset[str]] = frozenset({MessageQueued.event_name, MessageWritten.event_name})

    def __init__(
        self,
        arrears: Arrears,
        carriers: Carriers,
        wait_until: WaitUntil,
        renderer: Renderer,
        *,
        owner: UUID | None = None,
        files: Files | None = None,
    ) -> None:
        """`owner` of the claims that are made here; one that nobody else is, where it is not given. `files` is what
        messages take with them."""
        self._arrears = arrears
        self._carriers = carriers
        self._renderer = renderer
        self._files = files
        self._wait_until = wait_until
        self._owner = owner or uuid4()
        self._pace = Pace(wait_until)
        self._not_taken: set[UUID] = set()
        """Messages claimed here that the carrier certainly did not take."""
        self._looks = 0
        """How often a message was looked at before it was tried again."""

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        """Raises CarrierUnavailable once every other message of the batch has its result."""
        del connection  # what it does is kept in the log
        away: dict[Carrier, CarrierUnavailable] = {}
        not_now: CarrierUnavailable | None = None
        for recorded in batch:
            if not isinstance(recorded.event, MessageQueued | MessageWritten):
                continue
            carrier = self._carriers.of(recorded.event.channel)
            if carrier in away and recorded.event.message_id not in self._not_taken:
                continue
            try:
                self._deliver(recorded.aggregate_id, recorded.event.message_id, recorded, away)
            except CarrierUnavailable as error:
                not_now = not_now or error
        if not_now is not None:
            raise not_now

    def forget(self) -> None:
        """There is nothing that it remembers of messages; the pace that an office keeps is true all the same."""

    def _deliver(
        self, account_id: UUID, message_id: UUID, cause: Recorded, away: dict[Carrier, CarrierUnavailable]
    ) -> None:
        """Raises CarrierUnavailable, and notes the carrier where nothing can be handed to it now."""
        going_on()
        errand = self._errand(account_id, message_id, cause)
        if errand is not None and errand.message.state is MessageState.QUEUED:
            self._pace.take(errand.office, self._arrears.clock.now())
            self._check(self._carrier(errand), away)
            claimed_at = self._arrears.clock.now()
            outcome = self._issue("dispatch", errand, DispatchMessage(account_id=account_id, message_id=message_id))
            errand = self._errand(account_id, message_id, cause)
            if errand is not None and errand.message.state is MessageState.DISPATCHED and isinstance(outcome, Accepted):
                self._send(errand, claimed_at)
                return
        if errand is not None and errand.message.state is MessageState.DISPATCHED:
            self._clear_up(errand)

    @staticmethod
    def _check(carrier: Carrier, away: dict[Carrier, CarrierUnavailable]) -> None:
        if carrier in away:
            raise away[carrier]
        try:
            carrier.check()
        except CarrierUnavailable as error:
            away[carrier] = error
            raise

    def _carrier(self, errand: Errand) -> Carrier:
        return self._carriers.of(errand.message.channel)

    def _clear_up(self, errand: Errand) -> None:
        """A claim without a result: ask the carrier what became of it, unless it said that it did not take it."""
        claim = self._claim(errand)
        if errand.message.id in self._not_taken:
            self._try_again(errand, claim.recorded_at)
            return
        carrier, taken = self._carrier(errand), self._took(errand, claim)
        if isinstance(taken, Letter):
            self._report_sent(errand, taken, reference=None)
        elif carrier.is_idempotent:
            self._send_again(errand, claim)
        elif claim.meta.command_id != self._command_id("dispatch", errand.message):
            self._give_up(errand, claim)
        elif taken is False:
            self._send(errand, claim.recorded_at)
        else:
            self._report_uncertain(errand)

    def _try_again(self, errand: Errand, claimed_at: datetime) -> None:
        """By the owner of the claim, of what has certainly not left. Whether it still may leave is looked at first."""
        message = errand.message
        self._looks += 1
        self._issue(
            f"reconsider-{self._looks}",
            errand,
            ReconsiderMessage(account_id=errand.account.id, message_id=message.id),
        )
        again = self._errand(errand.account.id, message.id, errand.cause)
        if again is None or again.message.state is not MessageState.DISPATCHED:
            self._not_taken.discard(message.id)
        else:
            self._send(again, claimed_at)

    def _took(self, errand: Errand, claim: Recorded) -> Letter | bool | None:
        def letter() -> Letter | None:
            with suppress(RenderingProblem):
                return self._render(errand)
            return None

        return self._carrier(errand).took(errand.message.id, Attempt(claim.recorded_at, letter))

    def _give_up(self, errand: Errand, claim: Recorded) -> None:
        """Another's claim. Until it ends, its owner may be about to say what became of it."""
        claim_ends = claim.recorded_at + TO_CALL + self._carrier(errand).answers_within
        if claim_ends > self._arrears.clock.now():
            self._wait_until(claim_ends)
        if not self._is_open(errand):
            return
        taken = self._took(errand, claim)
        if isinstance(taken, Letter):
            self._report_sent(errand, taken, reference=None)
        else:
            self._report_uncertain(errand)

    def _send(self, errand: Errand, claimed_at: datetime) -> None:
        """By the owner of the claim. One that was held up for so long that others may have given it up looks first."""
        try:
            letter = self._render(errand)
            if self._arrears.clock.now() - claimed_at > TO_CALL and not self._is_open(errand):
                _log.warning("a message was given up before it was sent", message_id=str(errand.message.id))
                self._not_taken.discard(errand.message.id)
                return
            reference = self._hand_over(errand, letter)
        except (RenderingProblem, CarrierRefused) as error:
            self._report_failed(errand, error.code, error.detail)
        else:
            self._report_sent(errand, letter, reference)

    def _hand_over(self, errand: Errand, letter: Letter) -> str:
        """From here on nobody knows whether it left, unless the carrier says that it certainly did not take it."""
        message_id = errand.message.id
        self._not_taken.discard(message_id)
        try:
            return self._carrier(errand).send(message_id, letter)
        except CarrierUnavailable:
            self._not_taken.add(message_id)
            raise

    def _send_again(self, errand: Errand, claim: Recorded) -> None:
        """To a carrier that takes an id once. What left is what it took first, which may be another's text."""
        try:
            letter = self._render(errand)
            reference = self._carrier(errand).send(errand.message.id, letter)
        except (RenderingProblem, CarrierRefused) as error:
            self._report_failed(errand, error.code, error.detail)
        else:
            taken = self._took(errand, claim)
            self._report_sent(errand, taken if isinstance(taken, Letter) else letter, reference)

    # --- claims ---

    def _is_open(self, errand: Errand) -> bool:
        """Whether the message is claimed still, and nobody has said what became of it."""
        now = self._errand(errand.account.id, errand.message.id, errand.cause)
        return now is not None and now.message.state is MessageState.DISPATCHED

    def _command_id(self, act: str, message: MessageUnderWay) -> UUID:
        """Two owners claim by two commands, of which one is accepted; what became of a message is said once."""
        owner = (self._owner,) if act == "dispatch" or act.startswith("reconsider") else ()
        return identifier("delivery", act, message.id, *owner)

    def _claim(self, errand: Errand) -> Recorded:
        """The event by which a message was claimed."""
        history = self._arrears.history(Account, errand.account.id)
        return next(
            each
            for each in reversed(history)
            if isinstance(each.event, MessageDispatched) and each.event.message_id == errand.message.id
        )

    def _render(self, errand: Errand) -> Letter:
        """Raises RenderingProblem: whatever goes wrong in making a text is wrong with this message alone."""
        campaign_id = errand.message.campaign_id
        campaign = self._arrears.load(Campaign, campaign_id) if campaign_id is not None else None
        today = local_date(self._arrears.clock.now(), errand.office.zone)
        try:
            return render(
                errand.account,
                errand.office,
                campaign,
                errand.message,
                today,
                renderer=self._renderer,
                files=self._files,
            )
        except RenderingProblem:
            raise
        except Exception as error:
            if not is_poison(error):
                raise
            raise RenderingProblem("bad-template", f"no text can be made ({type(error).__name__})") from error

    def _report_failed(self, errand: Errand, code: str, detail: str) -> None:
        """The log of the process says which message and why, without its text."""
        message = errand.message
        _log.warning(
            "a message failed",
            message_id=str(message.id),
            campaign_id=str(message.campaign_id) if message.campaign_id is not None else None,
            plan_version=message.plan_version,
            step=message.step_id,
            language=message.language,
            code=code,
        )
        self._issue(
            "failed",
            errand,
            ReportFailed(account_id=errand.account.id, message_id=message.id, code=code, detail=detail),
        )

    def _report_sent(self, errand: Errand, letter: Letter, reference: str | None) -> None:
        self._issue(
            "sent",
            errand,
            ReportSent(
                account_id=errand.account.id,
                message_id=errand.message.id,
                subject=letter.subject,
                body=letter.body,
                body_sha256=letter.body_sha256,
                carrier_reference=reference,
                sent_at=self._arrears.clock.now(),
            ),
        )

    def _report_uncertain(self, errand: Errand) -> None:
        self._issue("uncertain", errand, ReportUncertain(account_id=errand.account.id, message_id=errand.message.id))

    def _issue(self, act: str, errand: Errand, command: Command) -> Outcome:
        (outcome,) = self._arrears.handle(
            [
                Issued(
                    command=command,
                    command_id=self._command_id(act, errand.message),
                    actor=ACTOR,
                    causation_id=errand.cause.event_id,
                    correlation_id=errand.cause.meta.correlation_id,
                    traceparent=errand.cause.meta.traceparent,
                )
            ]
        )
        if act in {"sent", "failed", "uncertain"}:
            self._not_taken.discard(errand.message.id)
            count_delivery(errand.message.channel, act)
        return outcome

    def _errand(self, account_id: UUID, message_id: UUID, cause: Recorded) -> Errand | None:
        account = self._arrears.load(Account, account_id)
        message = account.messages.under_way.get(message_id)
        office_id = account.customer.office_id
        if message is None or office_id is None:
            return None
        return Errand(account, self._arrears.load(Office, office_id), message, cause)
