"""Rules about what the debtor, their attorney or a court said: it stands until it is taken back."""

from datetime import datetime, timedelta

from policies.contact.case import Entry, Flag, Kind, Medium, Purpose
from policies.contact.record import is_stop, is_stop_word, may_be_stop, refuses
from policies.contact.rule import No, Situation, is_about

ROBOT_MEDIA = frozenset({Medium.SMS, Medium.CALL})
_EXTENSION = ";ext="
AFTER_A_CEASE = frozenset({Purpose.EFFORTS_END, Purpose.REMEDY_NOTICE})


def _may_be_to(entry: Entry, situation: Situation) -> bool:
    """Where a number is not known, it may be the one: no contact is the smaller mistake."""
    asked = situation.asked.to
    return entry.to is None or asked is None or _rings_at(asked, entry.to)


def _rings_at(one: str, other: str) -> bool:
    """Whether two normal forms are one line or address; who refuses it does so for every extension (RFC 3966)."""
    return one == other or one.partition(_EXTENSION)[0] == other.partition(_EXTENSION)[0]


def gives(consent: Entry, situation: Situation) -> bool:
    """Whether a consent is one to this medium at this number or address; one that names another number is none."""
    return consent.channel is situation.asked.channel and consent.to in {None, situation.asked.to}


# --- opting out ----------------------------------------------------------------------------------------


def opted_out(situation: Situation) -> Entry | None:
    """The opt-out from this medium at this number or address that is in force."""
    said = [each for each in situation.record.facts(Kind.OPT_OUT) if each.channel in {None, situation.asked.channel}]
    said += [each for each in situation.record.inbound if refuses(each, situation.asked.channel)]
    if situation.asked.channel is Medium.EMAIL:
        said += [each for each in situation.record.facts(Kind.REVOCATION) if _names_email(each)]
    said = [
        each
        for each in said
        if (_may_be_to(each, situation) or _is_over_another(each, situation)) and not _taken_back(each, situation)
    ]
    return max(said, key=lambda each: each.at, default=None)


def _is_over_another(said: Entry, situation: Situation) -> bool:
    """Whether it came over another medium than it is about: where it came from is no number or address of that."""
    return said.kind is Kind.CONTACT and said.channel is not situation.asked.channel


def _names_email(revocation: Entry) -> bool:
    """Consent to e-mail that is revoked, over the medium or at an address: no law asks for that consent, but who
    revokes it wants no e-mail."""
    return revocation.channel is Medium.EMAIL or (revocation.channel is None and "@" in (revocation.to or ""))


def _taken_back(said: Entry, situation: Situation) -> bool:
    """By a later consent to the medium, or because it was withdrawn."""
    record = situation.record
    if any(each.at > said.at and gives(each, situation) for each in record.consents):
        return True
    kinds = {said.kind, Kind.OPT_OUT} if said.kind is Kind.CONTACT else {said.kind}
    return any(
        each.withdraws in kinds and each.at >= said.at and each.to in {None, said.to}
        for each in record.facts(Kind.WITHDRAWN)
    )


def medium_refused(situation: Situation) -> No | None:
    """Never by a medium that the person asked not to be used."""
    said = opted_out(situation)
    if said is None or situation.asked.purpose is Purpose.OPT_OUT_CONFIRMATION:
        return None
    return No(f"{_what(said, situation)} was refused on {_day(said.at)}")


def one_confirmation(situation: Situation) -> No | None:
    """One confirmation of the opt-out may go out, by the medium that was refused."""
    if situation.asked.purpose is not Purpose.OPT_OUT_CONFIRMATION:
        return None
    said = opted_out(situation)
    if said is None:
        return No("there is no opt-out to confirm")
    sent = sum(
        each.at >= said.at
        and each.purpose is Purpose.OPT_OUT_CONFIRMATION
        and not each.is_inbound
        and each.channel is situation.asked.channel
        and _may_be_to(each, situation)
        for each in situation.record.communications(situation.asked.person)
    )
    return No(f"{sent} confirmation of the opt-out of {_day(said.at)} went out: at most 1") if sent else None


def confirmation_in_time(situation: Situation) -> No | None:
    """It goes out within some minutes of the opt-out."""
    said = opted_out(situation)
    if said is None or situation.asked.purpose is not Purpose.OPT_OUT_CONFIRMATION:
        return None
    minutes = situation.figures["minutes"]
    late = situation.asked.at - said.at
    if late <= timedelta(minutes=minutes):
        return None
    return No(f"{late // timedelta(minutes=1)} minutes after the opt-out: within {minutes}")


# --- revoking consent ------------------------------------------------------------------------------------


def stop_word(situation: Situation) -> No | None:
    """A reply that is one of the words that always revoke."""
    said = _revoked(situation, [each for each in situation.record.inbound if is_stop_word(each)], same_debt=True)
    return None if said is None else No(f"“{said.words}” came on {_day(said.at)}")


def revocation(situation: Situation) -> No | None:
    """Consent revoked in any reasonable words, over any channel."""
    clear = [each for each in situation.record.facts(Kind.REVOCATION) if each.is_clear]
    clear += [each for each in situation.record.inbound if is_stop(each) and not is_stop_word(each)]
    said = _revoked(situation, clear, same_debt=True)
    return None if said is None else No(f"consent was revoked on {_day(said.at)}")


def unclear_revocation(situation: Situation) -> No | None:
    """A reply that may revoke: nothing goes out until a person has read it."""
    unclear = [each for each in situation.record.facts(Kind.REVOCATION) if not each.is_clear]
    unclear += [each for each in situation.record.inbound if may_be_stop(each)]
    said = _revoked(situation, unclear, same_debt=True)
    return None if said is None else No(f"a reply of {_day(said.at)} may revoke consent: a person has to read it")


def revoked_for_another_matter(situation: Situation) -> No | None:
    """Consent revoked about another debt is revoked for this one too."""
    clear = [each for each in situation.record.facts(Kind.REVOCATION) if each.is_clear]
    clear += [each for each in situation.record.inbound if is_stop(each)]
    said = _revoked(situation, clear, same_debt=False)
    return None if said is None else No(f"consent was revoked on {_day(said.at)} about {', '.join(said.debts)}")


def _revoked(situation: Situation, said: list[Entry], *, same_debt: bool) -> Entry | None:
    """The last that is in force for a text or a prerecorded call, about one of the debts or about none of them."""
    asked = situation.asked
    is_by_robot = asked.channel is Medium.SMS or (asked.channel is Medium.CALL and asked.is_prerecorded)
    if not is_by_robot or asked.purpose is Purpose.OPT_OUT_CONFIRMATION:
        return None
    found = [
        each
        for each in said
        if (_may_be_to(each, situation) or (each.kind is Kind.CONTACT and each.channel not in ROBOT_MEDIA))
        and (each.kind is Kind.CONTACT or each.channel in {None, *ROBOT_MEDIA})
        and any(is_about(each, debt) for debt in situation.each_debt()) is same_debt
        and not _taken_back(each, situation)
    ]
    return max(found, key=lambda each: each.at, default=None)


# --- ceasing -------------------------------------------------------------------------------------------


def cease(situation: Situation) -> No | None:
    """After a written cease only: efforts end; a remedy may be, or is, invoked."""
    if situation.asked.purpose in AFTER_A_CEASE:
        return None
    said = situation.record.standing(Kind.CEASE, lambda each: each.is_written and not each.is_refusal_to_pay)
    if said is not None:
        return No(f"a written cease came on {_day(said.at)}")
    if situation.debtor.flags & {Flag.CEASE, Flag.CEASE_CONTACT}:
        return No("a cease stands on the debtor")
    return None


def refusal_to_pay(situation: Situation) -> No | None:
    """A written refusal to pay ends contact as a cease does."""
    if situation.asked.purpose in AFTER_A_CEASE:
        return None
    said = situation.record.standing(Kind.CEASE, lambda each: each.is_written and each.is_refusal_to_pay)
    return None if said is None else No(f"a written refusal to pay came on {_day(said.at)}")


def verbal_cease(situation: Situation) -> No | None:
    """A verbal one is none by law; an office may heed it."""
    if situation.asked.purpose in AFTER_A_CEASE:
        return None
    said = situation.record.standing(Kind.CEASE, lambda each: not each.is_written)
    return None if said is None else No(f"the debtor said on {_day(said.at)} that contact should cease")


# --- attorney, court, death ------------------------------------------------------------------------------


def attorney(situation: Situation) -> No | None:
    """Somebody who is represented is contacted through the attorney only."""
    record = situation.record
    said = record.standing(Kind.ATTORNEY)
    if said is None:
        return No("an attorney stands on the debtor") if Flag.ATTORNEY in situation.debtor.flags else None
    if situation.figures["exceptions"]:
        for kind in (Kind.ATTORNEY_CONSENT, Kind.ATTORNEY_SILENT):
            freed = record.standing(kind)
            if freed is not None and freed.at >= said.at:
                return None
    return No(f"an attorney has represented the debtor since {_day(said.at)}")


def bankruptcy(situation: Situation) -> No | None:
    """The automatic stay."""
    said = situation.record.standing(Kind.BANKRUPTCY)
    if said is not None:
        return No(f"the debtor has been in bankruptcy since {_day(said.at)}")
    return No("bankruptcy stands on the debtor") if Flag.BANKRUPTCY in situation.debtor.flags else None


def deceased(situation: Situation) -> No | None:
    """Whoever settles the estate is found by a person, not by a rule."""
    said = situation.record.standing(Kind.DECEASED)
    if said is not None:
        return No(f"the debtor's death was reported on {_day(said.at)}")
    return No("the debtor is deceased") if Flag.DECEASED in situation.debtor.flags else None


def wrong_number(situation: Situation) -> No | None:
    """A number of somebody else: as they said, or as the last reassignment check says."""
    asked, record = situation.asked, situation.record
    if asked.to is None or asked.channel not in ROBOT_MEDIA:
        return None
    number = asked.to

    def is_it(entry: Entry) -> bool:
        return entry.to is not None and _rings_at(number, entry.to)

    said = record.standing(Kind.WRONG_NUMBER, is_it)
    if said is not None:
        return No(f"it was somebody else's number on {_day(said.at)}")
    checks = filter(is_it, record.in_force(Kind.REASSIGNMENT_CHECK))
    checked = max(checks, key=lambda each: (each.at, each.is_reassigned), default=None)  # of one moment the stricter
    if checked is not None and checked.is_reassigned:
        return No(f"the number was assigned to somebody else by {_day(checked.at)}")
    return None


def _what(said: Entry, situation: Situation) -> str:
    medium = situation.asked.channel.value
    return medium if said.to is None or _is_over_another(said, situation) else f"{medium} at {said.to}"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d} (UTC)"
