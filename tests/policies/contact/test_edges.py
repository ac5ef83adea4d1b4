"""Every rule of the table on both sides of its edge: what it just refuses, and what it just lets go."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from policies.contact.case import (
    Debtor,
    Entry,
    Flag,
    Kind,
    Medium,
    Phone,
    Place,
    Purpose,
    Recipient,
    RuleSetting,
    VoicemailPart,
)
from policies.contact.messages import assumed_receipt
from policies.contact.rule import Basis
from policies.contact.table import RULES, TABLE, setting_fault
from tests.policies.contact.asking import FIRST, MAIL, NOW, PHONE, THIRD, asked, call, calls, local, said, sent

HOME, MOBILE, WORK = "+12015550101", "+12015550102", "+12015550103"
JERSEY = Debtor(state="NJ", phones=(Phone(HOME, Place.HOME), Phone(MOBILE, Place.MOBILE), Phone(WORK, Place.WORK)))
CALL, SMS, EMAIL, LETTER = Medium.CALL, Medium.SMS, Medium.EMAIL, Medium.LETTER
MA, WA, DC, WV, FL = (Debtor(state=code) for code in ("MA", "WA", "DC", "WV", "FL"))
NYC = Debtor(state="NY", zip_code="10001")
ALBANY = Debtor(state="NY", zip_code="12207")
YESTERDAY = NOW - timedelta(days=1)
TEXTS = said(local("2026-03-01 12:00"), Kind.CONSENT, channel=SMS, to=PHONE)
MAILS = said(local("2026-03-01 12:00"), Kind.CONSENT, channel=EMAIL, to=MAIL)


@dataclass(frozen=True)
class Ask:
    """A question of `asked`."""

    at: datetime = NOW
    channel: Medium = CALL
    history: Sequence[Entry] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def refusals(self) -> dict[str, Any]:
        return asked(self.at, self.channel, history=self.history, **self.more)


def ask(at: datetime = NOW, channel: Medium = CALL, history: Sequence[Entry] = (), **more: Any) -> Ask:
    return Ask(at, channel, tuple(history), {"debtor": JERSEY, **more})


def fact(kind: Kind, at: datetime = YESTERDAY, **more: Any) -> Entry:
    return said(at, kind, **more)


def withdrawn(kind: Kind, at: datetime = NOW, **more: Any) -> Entry:
    return said(at, Kind.WITHDRAWN, withdraws=kind, **more)


def stop(words: str = "STOP", at: datetime = YESTERDAY, **more: Any) -> Entry:
    return sent(at, SMS, is_inbound=True, words=words, to=PHONE, **more)


def text(**more: Any) -> dict[str, Any]:
    return {"channel": SMS, "to": PHONE, **more}


def mail(**more: Any) -> dict[str, Any]:
    return {"channel": EMAIL, "to": MAIL, **more}


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


GOOD_VOICEMAIL = (
    VoicemailPart.BUSINESS_NAME,
    VoicemailPart.REPLY_REQUEST,
    VoicemailPart.PERSON_NAME,
    VoicemailPart.TELEPHONE_NUMBER,
    VoicemailPart.GREETING,
    VoicemailPart.DATE_AND_TIME,
    VoicemailPart.REPLY_TIMES,
)
OFF = {"attorney": RuleSetting(is_on=False)}
NIGHT = local("2026-03-10 21:00")
NOTICE = local("2026-02-02 12:00")
"""A Monday: with five days without weekends, received on the ninth; the period ends on 2026-03-11."""
PACIFIC = "America/Los_Angeles"
CONFIRMS = Purpose.OPT_OUT_CONFIRMATION
VALIDATES = Purpose.VALIDATION_NOTICE
PLACED = [fact(Kind.PLACEMENT, local("2026-03-01 08:00"), debts=("D1",))]

EDGES: list[tuple[str, Ask, Ask]] = [
    (
        "bankruptcy",
        ask(history=[fact(Kind.BANKRUPTCY)]),
        ask(history=[fact(Kind.BANKRUPTCY), withdrawn(Kind.BANKRUPTCY)]),
    ),
    ("bankruptcy", ask(debtor=Debtor(state="NJ", flags=frozenset({Flag.BANKRUPTCY}))), ask()),
    ("deceased", ask(history=[fact(Kind.DECEASED)]), ask(history=[fact(Kind.DECEASED, NOW + timedelta(seconds=1))])),
    ("deceased", ask(debtor=Debtor(state="NJ", flags=frozenset({Flag.DECEASED}))), ask()),
    ("cease", ask(history=[fact(Kind.CEASE)]), ask(history=[fact(Kind.CEASE, is_written=False)])),
    ("cease", ask(history=[fact(Kind.CEASE)]), ask(history=[fact(Kind.CEASE)], purpose=Purpose.EFFORTS_END)),
    ("cease", ask(history=[fact(Kind.CEASE)]), ask(history=[fact(Kind.CEASE)], purpose=Purpose.REMEDY_NOTICE)),
    ("cease", ask(history=[fact(Kind.CEASE)]), ask(history=[fact(Kind.CEASE), withdrawn(Kind.CEASE)])),
    ("cease", ask(debtor=Debtor(state="NJ", flags=frozenset({Flag.CEASE_CONTACT}))), ask()),
    (
        "cease-refusal-to-pay",
        ask(history=[fact(Kind.CEASE, is_refusal_to_pay=True)]),
        ask(history=[fact(Kind.CEASE, is_refusal_to_pay=True, is_written=False)]),
    ),
    (
        "cease-verbal",
        ask(history=[fact(Kind.CEASE, is_written=False)], settings={"cease-verbal": RuleSetting(is_on=True)}),
        ask(history=[fact(Kind.CEASE, is_written=False)]),
    ),
    (
        "attorney",
        ask(history=[fact(Kind.ATTORNEY_CONSENT, days_ago(2)), fact(Kind.ATTORNEY)]),
        ask(history=[fact(Kind.ATTORNEY), fact(Kind.ATTORNEY_CONSENT, NOW)]),
    ),
    (
        "attorney",
        ask(
            history=[fact(Kind.ATTORNEY), fact(Kind.ATTORNEY_SILENT, NOW)],
            settings={"attorney": RuleSetting(figures={"exceptions": 0})},
        ),
        ask(history=[fact(Kind.ATTORNEY), fact(Kind.ATTORNEY_SILENT, NOW)]),
    ),
    ("attorney", ask(debtor=Debtor(state="NJ", flags=frozenset({Flag.ATTORNEY}))), ask()),
    (
        "dispute",
        ask(
            local("2026-03-12 12:00"),
            LETTER,
            [fact(Kind.VALIDATION_NOTICE, NOTICE), fact(Kind.DISPUTE, local("2026-03-11 23:00"))],
        ),
        ask(
            local("2026-03-12 12:00"),
            LETTER,
            [fact(Kind.VALIDATION_NOTICE, NOTICE), fact(Kind.DISPUTE, local("2026-03-12 00:00"))],
        ),
    ),
    (
        "dispute",
        ask(history=[fact(Kind.DISPUTE, debts=("D1",))]),
        ask(history=[fact(Kind.DISPUTE, debts=("D1",))], is_about_undisputed_part=True),
    ),
    (
        "dispute",
        ask(history=[fact(Kind.VERIFICATION, days_ago(2)), fact(Kind.DISPUTE, debts=("D1",))]),
        ask(history=[fact(Kind.DISPUTE, debts=("D1",)), fact(Kind.VERIFICATION, NOW)]),
    ),
    ("dispute", ask(history=[fact(Kind.DISPUTE, debts=("D1",))]), ask(history=[fact(Kind.DISPUTE, debts=("D2",))])),
    ("dispute", ask(history=[fact(Kind.DISPUTE)]), ask(history=[fact(Kind.DISPUTE, is_written=False)])),
    ("dispute", ask(debtor=Debtor(state="NJ", flags=frozenset({Flag.DISPUTE}))), ask(purpose=Purpose.VERIFICATION)),
    (
        "dispute-late",
        ask(
            local("2026-03-12 12:00"),
            LETTER,
            [fact(Kind.VALIDATION_NOTICE, NOTICE), fact(Kind.DISPUTE, local("2026-03-12 00:00"))],
        ),
        ask(
            local("2026-03-12 12:00"),
            LETTER,
            [fact(Kind.VALIDATION_NOTICE, NOTICE), fact(Kind.DISPUTE, local("2026-03-11 23:00"))],
        ),
    ),
    ("medium-refused", ask(history=[fact(Kind.OPT_OUT, channel=CALL)]), ask(history=[fact(Kind.OPT_OUT, channel=SMS)])),
    (
        "medium-refused",
        ask(
            history=[
                fact(Kind.OPT_OUT, days_ago(3), channel=CALL),
                fact(Kind.CONSENT, days_ago(2), channel=CALL),
                withdrawn(Kind.CONSENT, days_ago(1)),
            ]
        ),
        ask(history=[fact(Kind.OPT_OUT, days_ago(3), channel=CALL), fact(Kind.CONSENT, days_ago(2), channel=CALL)]),
    ),
    (
        "medium-refused",
        ask(history=[stop("Stop calling me")], to=HOME),
        ask(history=[stop("Stop texting me")], to=HOME),
    ),
    (
        "medium-refused",
        ask(history=[TEXTS, sent(YESTERDAY, CALL, is_inbound=True, words="Stop texting me", to=HOME)], **text()),
        ask(history=[TEXTS, sent(YESTERDAY, CALL, is_inbound=True, words="Stop calling me", to=HOME)], **text()),
    ),
    (
        "medium-refused",
        ask(history=[fact(Kind.OPT_OUT, channel=CALL, to=HOME)], to=f"{HOME};ext=5"),
        ask(history=[fact(Kind.OPT_OUT, channel=CALL, to=HOME)], to=f"{MOBILE};ext=5"),
    ),
    (
        "wrong-number",
        ask(history=[fact(Kind.WRONG_NUMBER, to=f"{HOME};ext=7")], to=HOME),
        ask(history=[fact(Kind.WRONG_NUMBER, to=f"{HOME};ext=7")], to=MOBILE),
    ),
    (
        "wrong-number",
        ask(history=[fact(Kind.REASSIGNMENT_CHECK, to=HOME, is_reassigned=each) for each in (True, False)], to=HOME),
        ask(history=[fact(Kind.REASSIGNMENT_CHECK, to=HOME, is_reassigned=False)], to=HOME),
    ),
    (
        "attorney",
        ask(role=FIRST, history=[fact(Kind.ATTORNEY)], settings=OFF, debtor=FL),
        ask(role=FIRST, history=[fact(Kind.ATTORNEY)], settings=OFF),
    ),
    (
        "validation-notice",
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER, debts=("D1",))], channel=LETTER, debts=("D1",)),
        ask(
            history=[*PLACED, sent(local("2026-03-02 12:00"), EMAIL, is_inbound=True, to=MAIL, debts=("D1",))],
            channel=LETTER,
            debts=("D1",),
        ),
    ),
    *(
        (
            "validation-notice",
            ask(
                history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER, debts=("D1",))], channel=LETTER, debts=("D1",)
            ),
            ask(
                history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER, debts=("D1",))],
                channel=LETTER,
                debts=("D1",),
                purpose=purpose,
            ),
        )
        for purpose in (Purpose.VERIFICATION, Purpose.EFFORTS_END)
    ),
    (
        "medium-refused",
        ask(history=[fact(Kind.OPT_OUT, to=PHONE)], to=PHONE),
        ask(history=[fact(Kind.OPT_OUT, to=PHONE)], to=HOME),
    ),
    (
        "medium-refused",
        ask(history=[fact(Kind.OPT_OUT, to=PHONE)]),
        ask(history=[fact(Kind.OPT_OUT), withdrawn(Kind.OPT_OUT)]),
    ),
    (
        "medium-refused",
        ask(history=[fact(Kind.CONSENT, days_ago(2), channel=CALL), fact(Kind.OPT_OUT)]),
        ask(history=[fact(Kind.OPT_OUT), fact(Kind.CONSENT, NOW, channel=CALL)]),
    ),
    (
        "medium-refused",
        ask(history=[MAILS, sent(YESTERDAY, EMAIL, is_inbound=True, words="Unsubscribe!", to=MAIL)], **mail()),
        ask(history=[MAILS, sent(YESTERDAY, EMAIL, is_inbound=True, words="Please stop by.", to=MAIL)], **mail()),
    ),
    (
        "opt-out-confirmation",
        ask(history=[stop(at=NOW), sent(NOW, SMS, purpose=CONFIRMS, to=PHONE)], **text(purpose=CONFIRMS)),
        ask(history=[sent(days_ago(2), SMS, purpose=CONFIRMS, to=PHONE), stop(at=NOW)], **text(purpose=CONFIRMS)),
    ),
    ("opt-out-confirmation", ask(**text(purpose=CONFIRMS)), ask(history=[stop(at=NOW)], **text(purpose=CONFIRMS))),
    (
        "opt-out-confirmation-in-time",
        ask(history=[stop(at=NOW - timedelta(minutes=5, seconds=1))], **text(purpose=CONFIRMS)),
        ask(history=[stop(at=NOW - timedelta(minutes=5))], **text(purpose=CONFIRMS)),
    ),
    (
        "stop-words",
        ask(history=[TEXTS, stop()], **text()),
        ask(history=[TEXTS, stop("stop calling so early")], **text()),
    ),
    (
        "stop-words",
        ask(history=[TEXTS, stop("opt-out")], **text()),
        ask(history=[stop(), fact(Kind.CONSENT, NOW, channel=SMS, to=PHONE)], **text()),
    ),
    ("stop-words", ask(history=[stop()], to=PHONE, is_prerecorded=True), ask(history=[stop()], to=PHONE)),
    ("stop-words", ask(history=[stop()], **text()), ask(history=[stop(debts=("D2",))], **text())),
    (
        "revocation",
        ask(history=[TEXTS, fact(Kind.REVOCATION)], **text()),
        ask(history=[TEXTS, fact(Kind.REVOCATION, is_clear=False)], **text()),
    ),
    (
        "revocation",
        ask(history=[fact(Kind.REVOCATION, channel=CALL, to=PHONE)], **text()),
        ask(history=[fact(Kind.REVOCATION, to=HOME)], **text()),
    ),
    (
        "revocation-unclear",
        ask(history=[TEXTS, fact(Kind.REVOCATION, is_clear=False)], **text()),
        ask(history=[TEXTS, fact(Kind.REVOCATION, is_clear=False), withdrawn(Kind.REVOCATION)], **text()),
    ),
    ("revocation-all", ask(history=[TEXTS, stop(debts=("D2",))], **text()), ask(history=[TEXTS, stop()], **text())),
    (
        "wrong-number",
        ask(history=[fact(Kind.WRONG_NUMBER, to=PHONE)], to=PHONE),
        ask(history=[fact(Kind.WRONG_NUMBER, to=PHONE)], to=HOME),
    ),
    (
        "wrong-number",
        ask(history=[fact(Kind.REASSIGNMENT_CHECK, to=PHONE, is_reassigned=True)], to=PHONE),
        ask(
            history=[
                fact(Kind.REASSIGNMENT_CHECK, to=PHONE, is_reassigned=True),
                fact(Kind.REASSIGNMENT_CHECK, NOW, to=PHONE),
            ],
            to=PHONE,
        ),
    ),
    ("hours-8-to-21", ask(NIGHT), ask(NIGHT - timedelta(microseconds=1))),
    (
        "wa-hours",
        ask(local("2026-03-10 07:29", "America/Los_Angeles"), debtor=WA),
        ask(local("2026-03-10 07:30", "America/Los_Angeles"), debtor=WA),
    ),
    (
        "fl-hours",
        ask(NIGHT, debtor=Debtor(state="FL", zip_code="33101")),
        ask(NIGHT - timedelta(minutes=1), debtor=Debtor(state="FL", zip_code="33101")),
    ),
    ("calls-7-in-7", ask(history=calls(4, 5, 6, 7, 8, 9, 10)), ask(history=calls(3, 5, 6, 7, 8, 9, 10))),
    (
        "calls-after-conversation",
        ask(history=[call(local("2026-03-04 09:00"), is_conversation=True)]),
        ask(history=[call(local("2026-03-03 20:00"), is_conversation=True)]),
    ),
    ("ma-2-in-7", ask(debtor=MA, history=calls(4, 9)), ask(debtor=MA, history=calls(3, 9))),
    (
        "ma-2-in-7",
        ask(debtor=MA, history=[*calls(9), sent(YESTERDAY, SMS)]),
        ask(debtor=MA, history=[*calls(9), sent(YESTERDAY, EMAIL)]),
    ),
    (
        "ma-2-in-30-elsewhere",
        ask(
            debtor=Debtor(state="MA"),
            place=Place.WORK,
            history=[call(local(f"2026-02-{d:02} 12:00"), place=Place.WORK) for d in (9, 20)],
        ),
        ask(
            debtor=Debtor(state="MA"),
            place=Place.WORK,
            history=[call(local(f"2026-02-{d:02} 12:00"), place=Place.WORK) for d in (8, 20)],
        ),
    ),
    (
        "wa-3-in-7",
        ask(debtor=WA, history=[*calls(4, 8), sent(YESTERDAY, LETTER)]),
        ask(debtor=WA, history=[*calls(3, 8), sent(YESTERDAY, LETTER)]),
    ),
    ("wa-3-in-7", ask(debtor=WA, history=calls(7, 8, 9)), ask(debtor=WA, role=FIRST, history=calls(7, 8, 9))),
    (
        "wa-1-at-work",
        ask(debtor=WA, place=Place.WORK, history=[call(local("2026-03-04 12:00"), place=Place.WORK)]),
        ask(debtor=WA, place=Place.WORK, history=[call(local("2026-03-03 12:00"), place=Place.WORK)]),
    ),
    (
        "wa-1-at-work",
        ask(debtor=WA, place=Place.WORK, history=[call(YESTERDAY, place=Place.WORK)]),
        ask(debtor=WA, place=Place.HOME, history=[call(YESTERDAY, place=Place.WORK)]),
    ),
    ("dc-4-calls", ask(debtor=DC, history=calls(4, 5, 6, 7)), ask(debtor=DC, history=calls(3, 5, 6, 7))),
    (
        "dc-4-calls",
        ask(local("2023-01-01 12:00"), debtor=DC, history=calls(28, 29, 30, 31, month=12, year=2022)),
        ask(local("2022-12-31 20:00"), debtor=DC, history=calls(28, 29, 30, 31, month=12, year=2022)),
    ),
    (
        "dc-5-electronic",
        ask(history=[MAILS, *(sent(days_ago(d), EMAIL) for d in (6, 5, 4, 3, 2))], **mail(debtor=DC)),
        ask(history=[MAILS, *(sent(days_ago(d), EMAIL) for d in (7, 5, 4, 3, 2))], **mail(debtor=DC)),
    ),
    ("dc-electronic-consent", ask(**mail(debtor=DC)), ask(history=[MAILS], **mail(debtor=DC))),
    (
        "dc-electronic-consent",
        ask(
            history=[sent(days_ago(6), EMAIL, purpose=Purpose.CONSENT_REQUEST)],
            **mail(debtor=DC, purpose=Purpose.CONSENT_REQUEST),
        ),
        ask(
            history=[sent(days_ago(7), EMAIL, purpose=Purpose.CONSENT_REQUEST)],
            **mail(debtor=DC, purpose=Purpose.CONSENT_REQUEST),
        ),
    ),
    (
        "nyc-3-in-7",
        ask(local("2026-09-01 12:00"), debtor=NYC, history=calls(29, 30, 31, month=8)),
        ask(local("2026-08-31 20:00"), debtor=NYC, history=calls(29, 30, 31, month=8)),
    ),
    (
        "nyc-3-in-7",
        ask(
            local("2026-09-10 12:00"),
            debtor=NYC,
            history=[*calls(8, 9, month=9), sent(local("2026-09-04 12:00"), LETTER)],
        ),
        ask(
            local("2026-09-10 12:00"),
            debtor=NYC,
            history=[*calls(8, 9, month=9), sent(local("2026-09-03 12:00"), LETTER)],
        ),
    ),
    (
        "nyc-3-in-7",
        ask(local("2026-09-10 12:00"), debtor=NYC, history=calls(7, 8, 9, month=9)),
        ask(local("2026-09-10 12:00"), debtor=ALBANY, history=calls(7, 8, 9, month=9)),
    ),
    (
        "nyc-3-in-7",
        ask(
            local("2026-09-10 12:00"),
            debtor=NYC,
            history=calls(6, 7, 8, 9, month=9),
            settings={"nyc-3-in-7": RuleSetting(figures={"contacts": 4})},
        ),
        ask(
            local("2026-09-10 12:00"),
            debtor=NYC,
            history=calls(7, 8, 9, month=9),
            settings={"nyc-3-in-7": RuleSetting(figures={"contacts": 4})},
        ),
    ),
    ("wv-30-calls", ask(debtor=WV, history=calls(*[4] * 30)), ask(debtor=WV, history=calls(*[4] * 29))),
    (
        "wv-10-conversations",
        ask(debtor=WV, history=[call(days_ago(6), is_conversation=True)] * 10),
        ask(debtor=WV, history=[call(days_ago(6), is_conversation=True)] * 9),
    ),
    ("text-consent", ask(**text()), ask(history=[TEXTS], **text())),
    ("text-consent", ask(**text()), ask(history=[sent(YESTERDAY, SMS, is_inbound=True, to=PHONE)], **text())),
    (
        "text-consent",
        ask(history=[TEXTS], channel=SMS, to=HOME),
        ask(history=[fact(Kind.CONSENT, channel=SMS)], channel=SMS, to=HOME),
    ),
    (
        "text-consent",
        ask(history=[TEXTS, stop()], **text()),
        ask(history=[stop(), fact(Kind.CONSENT, NOW, channel=SMS)], **text()),
    ),
    (
        "text-within-60-days",
        ask(history=[sent(days_ago(60) - timedelta(seconds=1), SMS, is_inbound=True, to=PHONE)], **text()),
        ask(history=[sent(days_ago(60), SMS, is_inbound=True, to=PHONE)], **text()),
    ),
    (
        "text-within-60-days",
        ask(
            history=[
                sent(days_ago(90), SMS, is_inbound=True, to=PHONE),
                fact(Kind.REASSIGNMENT_CHECK, days_ago(61), to=PHONE),
            ],
            **text(),
        ),
        ask(
            history=[
                sent(days_ago(90), SMS, is_inbound=True, to=PHONE),
                fact(Kind.REASSIGNMENT_CHECK, days_ago(60), to=PHONE),
            ],
            **text(),
        ),
    ),
    (
        "text-consent-within-60-days",
        ask(history=[fact(Kind.CONSENT, days_ago(61), channel=SMS)], **text()),
        ask(history=[fact(Kind.CONSENT, days_ago(60), channel=SMS)], **text()),
    ),
    (
        "text-consent-within-60-days",
        ask(history=[fact(Kind.CONSENT, days_ago(90), channel=SMS), fact(Kind.REASSIGNMENT_CHECK, to=HOME)], **text()),
        ask(history=[fact(Kind.CONSENT, days_ago(90), channel=SMS), fact(Kind.REASSIGNMENT_CHECK, to=PHONE)], **text()),
    ),
    ("email-address", ask(**mail()), ask(history=[sent(days_ago(400), EMAIL, is_inbound=True, to=MAIL)], **mail())),
    ("email-address", ask(**mail()), ask(history=[fact(Kind.PRIOR_COLLECTOR, to=MAIL)], **mail())),
    (
        "email-address",
        ask(history=[fact(Kind.PRIOR_COLLECTOR, to="other@example.com")], **mail()),
        ask(history=[MAILS], **mail()),
    ),
    (
        "email-notice-35-days",
        ask(history=[fact(Kind.EMAIL_NOTICE, local("2026-02-04 00:00"), to=MAIL)], **mail()),
        ask(history=[fact(Kind.EMAIL_NOTICE, local("2026-02-03 23:59"), to=MAIL)], **mail()),
    ),
    (
        "email-at-work",
        ask(history=[fact(Kind.PRIOR_COLLECTOR, to=MAIL)], **mail(place=Place.WORK)),
        ask(
            history=[fact(Kind.PRIOR_COLLECTOR, to=MAIL), sent(YESTERDAY, EMAIL, is_inbound=True, to=MAIL)],
            **mail(place=Place.WORK),
        ),
    ),
    ("opt-out-line", ask(history=[MAILS], **mail(has_opt_out=False)), ask(history=[MAILS], **mail())),
    ("limited-content-message", ask(voicemail=GOOD_VOICEMAIL[1:]), ask(voicemail=GOOD_VOICEMAIL)),
    (
        "limited-content-message",
        ask(voicemail=(*GOOD_VOICEMAIL, VoicemailPart.OTHER)),
        ask(voicemail=GOOD_VOICEMAIL[:4]),
    ),
    ("limited-content-message", ask(voicemail=(VoicemailPart.COLLECTION_BUSINESS_NAME, *GOOD_VOICEMAIL[1:])), ask()),
    ("recorded-voice-wireless", ask(is_prerecorded=True, to=MOBILE), ask(is_prerecorded=True, to=HOME)),
    (
        "recorded-voice-wireless",
        ask(is_prerecorded=True, to=PHONE),
        ask(is_prerecorded=True, to=PHONE, history=[fact(Kind.CONSENT, channel=CALL, to=PHONE)]),
    ),
    (
        "recorded-voice-3-in-30",
        ask(
            is_prerecorded=True,
            to=HOME,
            history=[
                call(local(f"2026-02-{d:02} 12:00"), to=HOME, is_prerecorded=True, debts=("D2",)) for d in (9, 11, 13)
            ],
        ),
        ask(
            is_prerecorded=True,
            to=HOME,
            history=[call(local(f"2026-02-{d:02} 12:00"), to=HOME, is_prerecorded=True) for d in (8, 11, 13)],
        ),
    ),
    ("recorded-voice-opt-out", ask(is_prerecorded=True, to=HOME, has_opt_out=False), ask(to=HOME, has_opt_out=False)),
    (
        "validation-notice",
        ask(local("2026-03-10 08:00"), LETTER, [*PLACED, sent(local("2026-03-04 12:00"), LETTER)]),
        ask(local("2026-03-09 20:00"), LETTER, [*PLACED, sent(local("2026-03-04 12:00"), LETTER)]),
    ),
    (
        "validation-notice",
        ask(history=[*PLACED, call(local("2026-03-02 12:00"), is_message=True)]),
        ask(history=[*PLACED, call(local("2026-03-02 12:00"), is_message=True, is_limited_content=True)]),
    ),
    (
        "validation-notice",
        ask(channel=LETTER, history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER)]),
        ask(
            channel=LETTER,
            history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER), fact(Kind.VALIDATION_NOTICE, debts=("D1",))],
        ),
    ),
    (
        "validation-notice",
        ask(channel=LETTER, history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER)]),
        ask(channel=LETTER, history=[sent(local("2026-03-02 12:00"), LETTER)]),
    ),
    (
        "validation-esign",
        ask(history=[MAILS, sent(YESTERDAY, LETTER)], **mail(purpose=VALIDATES)),
        ask(history=[MAILS], **mail(purpose=VALIDATES)),
    ),
    (
        "validation-esign",
        ask(history=[MAILS, sent(YESTERDAY, LETTER)], **mail(purpose=VALIDATES)),
        ask(history=[MAILS, sent(YESTERDAY, LETTER), fact(Kind.ESIGN_CONSENT)], **mail(purpose=VALIDATES)),
    ),
    (
        "validation-can-be-kept",
        ask(channel=LETTER, purpose=VALIDATES, can_be_kept=False),
        ask(channel=LETTER, purpose=VALIDATES),
    ),
    ("no-offer", ask(has_offer=True), ask()),
    # What a reply's words say.
    (
        "revocation",
        ask(history=[TEXTS, stop("Please stop texting me")], **text()),
        ask(history=[TEXTS, stop("Please text me")], **text()),
    ),
    ("revocation", ask(history=[TEXTS, stop("StopAll")], **text()), ask(history=[TEXTS, stop("All")], **text())),
    (
        "revocation-unclear",
        ask(history=[TEXTS, stop("no more texts")], **text()),
        ask(history=[TEXTS, stop("one more text")], **text()),
    ),
    (
        "medium-refused",
        ask(history=[TEXTS, stop("\uff33\uff34\uff2f\uff30")], **text()),
        ask(history=[TEXTS, stop("\uff2f\uff2b")], **text()),
    ),
    (
        "stop-words",
        ask(history=[TEXTS, sent(YESTERDAY, EMAIL, is_inbound=True, words="STOP", to=MAIL)], **text()),
        ask(history=[TEXTS, sent(YESTERDAY, EMAIL, is_inbound=True, words="Hello", to=MAIL)], **text()),
    ),
    # Whose words they are.
    (
        "text-consent",
        ask(history=[sent(YESTERDAY, SMS, is_inbound=True, person="spouse")], **text()),
        ask(history=[sent(YESTERDAY, SMS, is_inbound=True)], **text()),
    ),
    (
        "email-address",
        ask(history=[sent(YESTERDAY, EMAIL, is_inbound=True, person="spouse")], **mail()),
        ask(history=[sent(YESTERDAY, EMAIL, is_inbound=True)], **mail()),
    ),
    (
        "text-consent",
        ask(history=[stop(at=days_ago(2)), withdrawn(Kind.OPT_OUT)], **text()),
        ask(history=[stop("Hello", at=days_ago(2)), withdrawn(Kind.OPT_OUT)], **text()),
    ),
    # What answers one dispute answers no other.
    (
        "dispute",
        ask(
            local("2026-03-20 12:00"),
            LETTER,
            [
                fact(Kind.VALIDATION_NOTICE, NOTICE),
                fact(Kind.DISPUTE, local("2026-02-20 12:00")),
                fact(Kind.DISPUTE, local("2026-03-15 12:00")),
            ],
        ),
        ask(
            local("2026-03-20 12:00"),
            LETTER,
            [
                fact(Kind.VALIDATION_NOTICE, NOTICE),
                fact(Kind.DISPUTE, local("2026-02-20 12:00")),
                fact(Kind.VERIFICATION, local("2026-03-01 12:00")),
                fact(Kind.DISPUTE, local("2026-03-15 12:00")),
            ],
        ),
    ),
    (
        "dispute",
        ask(history=[fact(Kind.DISPUTE), fact(Kind.VERIFICATION), withdrawn(Kind.VERIFICATION)]),
        ask(history=[fact(Kind.DISPUTE), fact(Kind.VERIFICATION)]),
    ),
    # What collects nothing.
    (
        "dispute",
        ask(channel=LETTER, history=[fact(Kind.DISPUTE)]),
        ask(channel=LETTER, history=[fact(Kind.DISPUTE)], purpose=VALIDATES),
    ),
    (
        "dispute",
        ask(history=[TEXTS, fact(Kind.DISPUTE), stop()], **text()),
        ask(history=[TEXTS, fact(Kind.DISPUTE), stop()], **text(purpose=CONFIRMS)),
    ),
    (
        "validation-notice",
        ask(history=[*PLACED, TEXTS, sent(local("2026-03-02 12:00"), LETTER), stop()], **text()),
        ask(history=[*PLACED, TEXTS, sent(local("2026-03-02 12:00"), LETTER), stop()], **text(purpose=CONFIRMS)),
    ),
    (
        "opt-out-confirmation",
        ask(
            channel=LETTER,
            history=[fact(Kind.OPT_OUT, channel=LETTER), sent(NOW, LETTER, purpose=CONFIRMS)],
            purpose=CONFIRMS,
        ),
        ask(channel=LETTER, history=[fact(Kind.OPT_OUT, channel=LETTER)], purpose=CONFIRMS),
    ),
    # A contact that names no debt may be about any.
    (
        "calls-7-in-7",
        ask(history=[*calls(4, 5, 6, 7, 8, 9, 10), fact(Kind.CALL_CONSENT, debts=("D2",))], debts=()),
        ask(history=[*calls(4, 5, 6, 7, 8, 9, 10), fact(Kind.CALL_CONSENT, debts=("D1",))], debts=()),
    ),
    (
        "dispute",
        ask(history=[fact(Kind.DISPUTE, debts=("D1",)), fact(Kind.VERIFICATION, NOW, debts=("D2",))], debts=()),
        ask(history=[fact(Kind.DISPUTE, debts=("D1",)), fact(Kind.VERIFICATION, NOW, debts=("D1",))], debts=()),
    ),
    (
        "validation-notice",
        ask(
            history=[
                *PLACED,
                sent(local("2026-03-02 12:00"), LETTER),
                fact(Kind.VALIDATION_NOTICE, local("2026-03-03 12:00"), debts=("D2",)),
            ],
            debts=(),
        ),
        ask(
            history=[
                *PLACED,
                sent(local("2026-03-02 12:00"), LETTER),
                fact(Kind.VALIDATION_NOTICE, local("2026-03-03 12:00"), debts=("D1",)),
            ],
            debts=(),
        ),
    ),
    # The clock of the validation notice.
    (
        "validation-notice",
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER)]),
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER, purpose=VALIDATES)]),
    ),
    (
        "validation-notice",
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER)]),
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER, recipient=Recipient.CREDITOR)]),
    ),
    (
        "validation-notice",
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER)]),
        ask(history=[*PLACED, sent(local("2026-03-02 12:00"), LETTER, person="neighbour")]),
    ),
    (
        "validation-esign",
        ask(
            history=[
                MAILS,
                *PLACED,
                sent(local("2026-03-02 12:00"), LETTER),
                fact(Kind.PLACEMENT, local("2026-03-05 12:00"), debts=("D2",)),
            ],
            **mail(purpose=VALIDATES),
        ),
        ask(history=[MAILS, sent(local("2026-02-02 12:00"), LETTER), *PLACED], **mail(purpose=VALIDATES)),
    ),
    (
        "email-notice-35-days",
        ask(history=[fact(Kind.EMAIL_NOTICE, days_ago(5), to=MAIL)], **mail()),
        ask(history=[fact(Kind.EMAIL_NOTICE, days_ago(each), to=MAIL) for each in (40, 5)], **mail()),
    ),
    (
        "wa-hours",
        ask(local("2026-03-10 22:00", PACIFIC), history=[fact(Kind.HOURS_CONSENT)], debtor=WA),
        ask(local("2026-03-10 20:59", PACIFIC), debtor=WA),
    ),
]


@pytest.mark.parametrize(("rule", "refuses", "allows"), EDGES, ids=[f"{n}-{edge[0]}" for n, edge in enumerate(EDGES)])
def test_each_rule_refuses_up_to_its_edge_and_not_beyond(rule: str, refuses: Ask, allows: Ask):
    assert rule in refuses.refusals()
    assert rule not in allows.refusals()


def test_every_rule_of_the_table_has_an_edge_here():
    assert {rule for rule, _, _ in EDGES} == {rule.id for rule in TABLE} == RULES.keys()


@pytest.mark.parametrize(("rule", "refuses", "allows"), EDGES, ids=[f"{n}-{edge[0]}" for n, edge in enumerate(EDGES)])
def test_from_the_moment_that_a_refusal_names_that_rule_allows_and_not_before(rule: str, refuses: Ask, allows: Ask):
    moment = refuses.refusals()[rule].allowed_from
    if moment is None:
        return
    assert moment > refuses.at
    assert rule not in Ask(moment, refuses.channel, refuses.history, refuses.more).refusals()
    assert rule in Ask(moment - timedelta(microseconds=1), refuses.channel, refuses.history, refuses.more).refusals()


def test_every_row_says_what_a_reader_wants_to_know():
    for rule in TABLE:
        assert rule.says.endswith((".", ")."))
        assert rule.source
        assert rule.binds or rule.is_house
        assert not rule.may_override or rule.is_house
        assert all(each.least <= each.default <= each.most for each in rule.figures)
        assert rule.is_on or rule.is_setting


def test_what_is_not_certain_is_a_setting_and_law_is_not():
    assert setting_fault("wa-hours", RuleSetting(is_on=False)) is not None
    assert setting_fault("nyc-3-in-7", RuleSetting(is_on=False)) is None
    assert setting_fault("nyc-3-in-7", RuleSetting(figures={"contacts": 0})) == "figures: contacts: expected 1 to 100"
    assert setting_fault("nyc-3-in-7", RuleSetting(figures={"calls": 1})) is not None
    assert setting_fault("calls-8-in-8", RuleSetting(is_on=False)) is not None
    off = {"nyc-3-in-7": RuleSetting(is_on=False)}
    assert "nyc-3-in-7" not in asked(
        local("2026-09-10 12:00"), debtor=NYC, history=calls(7, 8, 9, month=9), settings=off
    )


def test_a_verdict_has_every_rule_that_refuses_in_the_order_of_the_table():
    history = [*calls(4, 5, 6, 7, 8, 9, 10), fact(Kind.CEASE), fact(Kind.OPT_OUT), fact(Kind.ATTORNEY)]
    assert list(asked(NIGHT, history=history)) == [
        "cease",
        "attorney",
        "medium-refused",
        "hours-8-to-21",
        "calls-7-in-7",
    ]


def test_the_order_of_a_history_does_not_matter():
    history = [*calls(4, 5, 6, 7, 8, 9, 10), fact(Kind.CONSENT, channel=CALL), fact(Kind.OPT_OUT, days_ago(3))]
    assert asked(history=history) == asked(history=history[::-1])


def test_the_attorney_and_the_creditor_are_free_to_be_asked():
    from policies.contact.case import Recipient

    history = [fact(Kind.ATTORNEY), *calls(4, 5, 6, 7, 8, 9, 10)]
    assert asked(history=history)
    assert not asked(history=history, recipient=Recipient.ATTORNEY)
    assert not asked(history=history, recipient=Recipient.CREDITOR)


@pytest.mark.parametrize(
    ("rule", "day", "basis"),
    [
        ("stop-words", "2025-04-10", Basis.HOUSE),
        ("stop-words", "2025-04-11", Basis.LAW),
        ("revocation-all", "2027-01-30", Basis.HOUSE),
        ("revocation-all", "2027-01-31", Basis.LAW),
    ],
)
def test_revocation_is_law_from_its_days_on_and_house_policy_before(rule: str, day: str, basis: Basis):
    now = local(f"{day} 12:00")
    debt = ("D2",) if rule == "revocation-all" else ("D1",)
    history = [stop(at=now - timedelta(hours=1), debts=debt)]
    for role in (FIRST, THIRD):
        assert asked(now, SMS, to=PHONE, role=role, history=history)[rule].basis is basis


def test_a_creditor_is_bound_by_massachusetts_and_the_agency_by_its_own_regulation():
    assert asked(debtor=MA, history=calls(4, 9), role=FIRST)["ma-2-in-7"].source == "940 CMR 7.04(1)(f)"
    assert asked(debtor=MA, history=calls(4, 9))["ma-2-in-7"].source == "940 CMR 7.04(1)(f); 209 CMR 18.16"


def test_a_receipt_is_assumed_after_five_days_without_weekends_and_federal_holidays():
    assert assumed_receipt(date(2026, 2, 2), 5) == date(2026, 2, 9)
    assert assumed_receipt(date(2026, 2, 12), 5) == date(2026, 2, 20)  # Washington's Birthday is the sixteenth
    assert assumed_receipt(date(2026, 12, 31), 5) == date(2027, 1, 8)  # and the first of January
