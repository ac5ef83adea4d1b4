"""Auto-collection of one account: judged stages, planned steps, and messages on their way."""

from datetime import UTC, datetime, time
from uuid import UUID

from aggregates.account.chase import (
    JudgeCollection,
    Judgement,
    MoveStage,
    ReviewScheduled,
    ScheduledStep,
    Stage,
    StageChanged,
    StepScheduled,
    StepsPassedOver,
    StepUnscheduled,
    Why,
)
from aggregates.account.customer_decisions import Customer
from aggregates.account.exclusion import ExcludeAccount, Excluded, Exclusion, ExclusionLifted, LiftExclusion
from aggregates.account.messages import (
    ContactRefused,
    DispatchMessage,
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageSent,
    MessageState,
    MessageUncertain,
    MessageUnderWay,
    MessageWithdrawn,
    ReportFailed,
    ReportSent,
    ReportUncertain,
    TakeStep,
)
from aggregates.campaign import Campaign, Step
from aggregates.kernel.aggregate import applies
from aggregates.kernel.command import Context, Refusal, decides, identifier
from aggregates.values.business_time import local_date, moment_at
from aggregates.values.contact import Allowed, Consent, ContactAttempt, Denied
from aggregates.values.money import Money

CHASED = (Stage.SCHEDULED, Stage.ENGAGED, Stage.FOLLOW_UP)
"""Stages in which a queued message may still leave (the last step's message leaves in follow-up)."""

NO_WAY = Denied("no-contact-point", "no address or number that may be used for this channel")


class Chased(Customer):
    """Decisions about chasing the account; the rules themselves are handed in with the context."""

    # --- judging ---

    @decides(JudgeCollection)
    def judge_collection(self, command: JudgeCollection, context: Context) -> None:
        self.require_open()
        self._settle(self._judgement(context))

    @decides(MoveStage)
    def move_stage(self, command: MoveStage, context: Context) -> None:
        self.require_open()
        stage = self.chase.stage.value if self.chase.stage else "no stage"
        why = self.chase.why.detail if self.chase.why else "nothing was judged yet"
        raise Refusal(
            "stage-is-judged",
            f"stages follow from status and rules, nobody sets them: the account is in {stage} because {why}",
        )

    def _judgement(self, context: Context) -> Judgement:
        if context.judge is None:
            raise Refusal("no-rules", "auto-collection has no rules here")
        return context.judge(self, context)

    def _settle(self, judgement: Judgement) -> None:
        """Turn a judgement into events: only what differs from what is known."""
        chase = self.chase
        if judgement.passed_over and judgement.campaign_id and judgement.plan_version and judgement.anchor_item_id:
            self.emit(
                StepsPassedOver(
                    campaign_id=judgement.campaign_id,
                    plan_version=judgement.plan_version,
                    steps=dict(judgement.passed_over),
                    item_id=judgement.anchor_item_id,
                )
            )
        planned, next_step = chase.scheduled, judgement.next_step
        if next_step is None:
            if planned is not None:
                self.emit(StepUnscheduled(step_id=planned.step_id, why=judgement.why))
        elif not self._still_planned(planned, next_step):
            self.emit(StepScheduled(step=next_step))
        if judgement.reconsider_at != chase.review_at:
            self.emit(ReviewScheduled(review_at=judgement.reconsider_at))
        known = (chase.stage, chase.why and chase.why.code, chase.campaign_id, chase.plan_version)
        if known != (judgement.stage, judgement.why.code, judgement.campaign_id, judgement.plan_version):
            self.emit(
                StageChanged(
                    stage=judgement.stage,
                    previous=chase.stage,
                    why=judgement.why,
                    ends_engagement=judgement.stage in (None, Stage.OUTSTANDING),
                    campaign_id=judgement.campaign_id,
                    plan_version=judgement.plan_version,
                )
            )

    def _still_planned(self, planned: ScheduledStep | None, wanted: ScheduledStep) -> bool:
        """The same step planned for a moment that is no later: it is not planned anew each time we look."""
        if planned is None or planned.model_copy(update={"due_at": wanted.due_at}) != wanted:
            return False
        not_before = self.chase.not_before
        return planned.due_at <= wanted.due_at and (not_before is None or planned.due_at >= not_before)

    # --- taking a step ---

    @decides(TakeStep)
    def take_step(self, command: TakeStep, context: Context) -> None:
        self.require_open()
        planned = self.chase.scheduled
        if planned is None or planned.step_id != command.step_id or planned.due_at > context.now:
            return
        judgement = self._judgement(context)
        wanted = judgement.next_step
        if wanted is None or (wanted.campaign_id, wanted.step_id) != (planned.campaign_id, planned.step_id):
            self._settle(judgement)
        elif wanted.due_at > context.now:
            self.emit(StepScheduled(step=wanted))
        else:
            self._queue(context.campaigns[wanted.campaign_id], wanted, judgement, context)
            self._settle(self._judgement(context))

    def _queue(self, campaign: Campaign, wanted: ScheduledStep, judgement: Judgement, context: Context) -> None:
        step = campaign.plan.step(wanted.step_id) if campaign.plan else None
        if step is None:
            return
        point_id, denied = self._point_for(step, context)
        if denied is not None:
            self._refuse(wanted, ContactAttempt(step.channel, point_id, context.now), denied, context)
            if denied.until is None:
                self._pass_over(wanted, denied.rule_id)
            return
        language, _ = step.template_for(self.contact.language)
        self.emit(
            MessageQueued(
                message_id=identifier("message", self.id, context.command_id),
                campaign_id=campaign.id,
                plan_version=campaign.plan_version,
                step_id=step.id,
                step_title=step.title,
                channel=step.channel,
                point_id=point_id,
                language=language,
                items=judgement.covered,
                amount=Money.total((item.open for item in judgement.covered), self.currency),
                queued_at=context.now,
                queued_on=context.today,
            )
        )

    def _point_for(self, step: Step, context: Context) -> tuple[str, Denied | None]:
        """The first address or number that may be used now, or why none may."""
        refusal = NO_WAY
        for point_id in self.contact.points(step.channel):
            if self.has_opted_out(step.channel, point_id):
                refusal = Denied("opted-out", f"the customer does not want {step.channel} at {point_id}")
            elif self.contact.consent(step.channel, point_id) is Consent.REFUSED:
                refusal = Denied("consent-refused", f"the customer refused {step.channel} at {point_id}")
            else:
                verdict = self._verdict(ContactAttempt(step.channel, point_id, context.now), context)
                if isinstance(verdict, Allowed):
                    return point_id, None
                refusal = verdict
        return "", refusal

    def _verdict(self, attempt: ContactAttempt, context: Context) -> Allowed | Denied:
        if context.contact_rules is None:
            raise Refusal("no-rules", "there are no contact rules here")
        return context.contact_rules(self, attempt, context)

    def _refuse(self, wanted: ScheduledStep, attempt: ContactAttempt, denied: Denied, context: Context) -> None:
        self.emit(
            ContactRefused(
                campaign_id=wanted.campaign_id,
                step_id=wanted.step_id,
                channel=attempt.channel,
                point_id=attempt.point_id or None,
                rule_id=denied.rule_id,
                detail=denied.detail,
                until=_as_moment(denied, context),
            )
        )

    def _pass_over(self, wanted: ScheduledStep, reason: str) -> None:
        self.emit(
            StepsPassedOver(
                campaign_id=wanted.campaign_id,
                plan_version=wanted.plan_version,
                steps={wanted.step_id: reason},
                item_id=wanted.anchor_item_id,
            )
        )

    # --- messages under way ---

    @decides(DispatchMessage)
    def dispatch(self, command: DispatchMessage, context: Context) -> None:
        """The last look before a message leaves: whoever paid, paused or opted out meanwhile is left alone."""
        self.require_open()
        message = self._message(command.message_id)
        if message.state is not MessageState.QUEUED:
            raise Refusal("already-claimed", "the message was claimed for sending before")
        why = self._why_withdrawn(message, context)
        if why is not None:
            self.emit(MessageWithdrawn(message_id=message.id, step_id=message.step_id, why=why))
            self._settle(self._judgement(context))
        else:
            self.emit(MessageDispatched(message_id=message.id))

    def _why_withdrawn(self, message: MessageUnderWay, context: Context) -> Why | None:
        campaign = context.campaigns.get(message.campaign_id)
        if context.settings.is_paused(context.now):
            return Why(code="office-paused", detail="the office's automation is paused")
        if campaign is None or not campaign.runs:
            return Why(code="campaign-ended", detail="the campaign is not running any more")
        if campaign.is_paused(context.now):
            return Why(code="campaign-paused", detail="the campaign is paused")
        if local_date(message.queued_at, context.zone) != context.today:
            return Why(code="stale", detail="it did not leave on its day, and an account gets one message a day")
        if message.items[0].item_id not in self.items:
            return Why(code="paid", detail="the oldest invoice that the message is about has been settled")
        if any(item.item_id in self.items and self.items[item.item_id].dispute_id for item in message.items):
            return Why(code="dispute", detail="an invoice that the message is about is disputed")
        judgement = self._judgement(context)
        if judgement.stage not in CHASED:
            return judgement.why
        if (judgement.campaign_id, judgement.plan_version) != (message.campaign_id, message.plan_version):
            return Why(code="campaign-changed", detail="the account is chased by another campaign or version now")
        if judgement.anchor_item_id != message.items[0].item_id:
            return Why(code="other-item", detail="another invoice is the oldest one to be chased now")
        if self.has_opted_out(message.channel, message.point_id):
            return Why(code="opted-out", detail=f"the customer does not want {message.channel} any more")
        if self.contact.consent(message.channel, message.point_id) is Consent.REFUSED:
            return Why(code="consent-refused", detail=f"the customer refused {message.channel}")
        verdict = self._verdict(ContactAttempt(message.channel, message.point_id, context.now), context)
        return Why(code=verdict.rule_id, detail=verdict.detail) if isinstance(verdict, Denied) else None

    def _message(self, message_id: UUID) -> MessageUnderWay:
        if message_id not in self.chase.messages:
            raise Refusal("unknown-message", "no such message is under way")
        return self.chase.messages[message_id]

    @decides(ReportSent)
    def report_sent(self, command: ReportSent, context: Context) -> None:
        self.require_open()
        message = self._message(command.message_id)
        if message.state is MessageState.QUEUED:
            raise Refusal("not-claimed", "a message is claimed before it is sent")
        plan = context.campaigns[message.campaign_id].plan
        step = plan.step(message.step_id) if plan else None
        self.emit(
            MessageSent(
                message_id=message.id,
                step_id=message.step_id,
                step_title=step.title if step else message.step_id,
                channel=message.channel,
                subject=command.subject,
                body=command.body,
                body_sha256=command.body_sha256,
                carrier_reference=command.carrier_reference,
                sent_at=command.sent_at,
                sent_on=local_date(command.sent_at, context.zone),
            )
        )
        self._settle(self._judgement(context))

    @decides(ReportFailed)
    def report_failed(self, command: ReportFailed, context: Context) -> None:
        self.require_open()
        message = self._message(command.message_id)
        self.emit(
            MessageFailed(
                message_id=message.id,
                step_id=message.step_id,
                channel=message.channel,
                code=command.code,
                detail=command.detail,
            )
        )
        self._settle(self._judgement(context))

    @decides(ReportUncertain)
    def report_uncertain(self, command: ReportUncertain, context: Context) -> None:
        self.require_open()
        message = self._message(command.message_id)
        if message.state is MessageState.DISPATCHED:
            self.emit(MessageUncertain(message_id=message.id, step_id=message.step_id, channel=message.channel))
            self._settle(self._judgement(context))

    # --- exclusion by hand ---

    @decides(ExcludeAccount)
    def exclude(self, command: ExcludeAccount, context: Context) -> None:
        self.require_open()
        context.require_reason()
        if self.exclusion is None:
            self.emit(Excluded(actor=context.actor, excluded_on=context.today))
            self._settle(self._judgement(context))

    @decides(LiftExclusion)
    def lift_exclusion(self, command: LiftExclusion, context: Context) -> None:
        self.require_open()
        context.require_reason()
        if self.exclusion is not None:
            self.emit(ExclusionLifted())
            self._settle(self._judgement(context))

    # --- apply ---

    @applies(StageChanged)
    def _stage_changed(self, event: StageChanged) -> None:
        chase = self.chase
        chase.stage, chase.why = event.stage, event.why
        chase.campaign_id, chase.plan_version = event.campaign_id, event.plan_version
        if event.ends_engagement:
            chase.engaged_on = None

    @applies(StepScheduled)
    def _step_scheduled(self, event: StepScheduled) -> None:
        self.chase.scheduled = event.step

    @applies(StepUnscheduled)
    def _step_unscheduled(self, event: StepUnscheduled) -> None:
        self.chase.scheduled = None

    @applies(ReviewScheduled)
    def _review_scheduled(self, event: ReviewScheduled) -> None:
        self.chase.review_at = event.review_at

    @applies(StepsPassedOver)
    def _steps_passed_over(self, event: StepsPassedOver) -> None:
        if event.item_id in self.items:
            self.items[event.item_id].steps = [*self.items[event.item_id].steps, *event.steps]
        self.chase.not_before = None

    @applies(ContactRefused)
    def _contact_refused(self, event: ContactRefused) -> None:
        self.chase.not_before = event.until

    @applies(MessageQueued)
    def _message_queued(self, event: MessageQueued) -> None:
        chase = self.chase
        chase.messages[event.message_id] = MessageUnderWay(
            id=event.message_id,
            campaign_id=event.campaign_id,
            plan_version=event.plan_version,
            step_id=event.step_id,
            channel=event.channel,
            point_id=event.point_id,
            language=event.language,
            items=event.items,
            queued_at=event.queued_at,
        )
        chase.last_message_on, chase.not_before, chase.scheduled = event.queued_on, None, None
        for covered in event.items:
            if covered.step_id is not None:
                self.items[covered.item_id].steps = [*self.items[covered.item_id].steps, covered.step_id]

    @applies(MessageDispatched)
    def _message_dispatched(self, event: MessageDispatched) -> None:
        self.chase.messages[event.message_id].state = MessageState.DISPATCHED

    @applies(MessageWithdrawn)
    def _message_withdrawn(self, event: MessageWithdrawn) -> None:
        message = self.chase.messages.pop(event.message_id)
        for covered in message.items:
            item = self.items.get(covered.item_id) or self.settled.get(covered.item_id)
            if item is not None and covered.step_id in item.steps:
                item.steps = _without_last(covered.step_id, item.steps)

    @applies(MessageSent)
    def _message_sent(self, event: MessageSent) -> None:
        self.chase.messages.pop(event.message_id)
        self.chase.engaged_on = self.chase.engaged_on or event.sent_on

    @applies(MessageFailed)
    def _message_failed(self, event: MessageFailed) -> None:
        self.chase.messages.pop(event.message_id)

    @applies(MessageUncertain)
    def _message_uncertain(self, event: MessageUncertain) -> None:
        self.chase.messages[event.message_id].state = MessageState.UNCERTAIN

    @applies(Excluded)
    def _excluded(self, event: Excluded) -> None:
        self.exclusion = Exclusion(since=event.excluded_on, actor=event.actor)

    @applies(ExclusionLifted)
    def _exclusion_lifted(self, event: ExclusionLifted) -> None:
        self.exclusion = None


def _without_last(step_id: str, steps: list[str]) -> list[str]:
    """An earlier message that covered the item by the same step still counts."""
    last = len(steps) - 1 - steps[::-1].index(step_id)
    return steps[:last] + steps[last + 1 :]


def _as_moment(denied: Denied, context: Context) -> datetime | None:
    """The UTC moment after which the contact may be tried again."""
    if denied.until is None:
        return None
    if isinstance(denied.until, datetime):
        return denied.until.astimezone(UTC)
    return moment_at(denied.until, time.min, context.zone)
