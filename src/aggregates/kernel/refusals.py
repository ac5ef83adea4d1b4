"""Every reason for which a command is refused: its code, a sentence for people, and the HTTP status it becomes."""

from collections.abc import Iterable
from dataclasses import dataclass

NOT_FOUND, CONFLICT = 404, 409


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """One kind of refusal. The code is stable: programs go by it."""

    code: str
    sentence: str
    status: int = CONFLICT


def catalogue(codes: Iterable[RefusalCode]) -> dict[str, RefusalCode]:
    """By code. Raises ValueError for a code that stands twice."""
    found: dict[str, RefusalCode] = {}
    for each in codes:
        if each.code in found:
            raise ValueError(f"the refusal {each.code!r} stands twice in the catalogue")
        found[each.code] = each
    return found


REFUSALS: dict[str, RefusalCode] = catalogue(
    (
        # Something named is not there.
        RefusalCode("unknown-attachment", "The account has no such attachment.", NOT_FOUND),
        RefusalCode("unknown-account", "There is no such account.", NOT_FOUND),
        RefusalCode("unknown-activity", "There is no such activity on the account.", NOT_FOUND),
        RefusalCode("unknown-agent", "Nobody who did anything is called so.", NOT_FOUND),
        RefusalCode("unknown-call", "No such call is without an end.", NOT_FOUND),
        RefusalCode("unknown-agency", "The office has no such agency.", NOT_FOUND),
        RefusalCode("unknown-bulk", "There is no such bulk action.", NOT_FOUND),
        RefusalCode("unknown-bulkschedule", "There is no such schedule of a bulk action.", NOT_FOUND),
        RefusalCode("unknown-bulk-kind", "There is no bulk action of this kind.", NOT_FOUND),
        RefusalCode("unknown-campaign", "There is no such campaign.", NOT_FOUND),
        RefusalCode("unknown-contact-fact", "No such fact about contact stands.", NOT_FOUND),
        RefusalCode("unknown-complaint", "No such complaint is open.", NOT_FOUND),
        RefusalCode("unknown-complaint-kind", "There is no such kind of complaint.", NOT_FOUND),
        RefusalCode("unknown-contact-point", "The channel cannot use this address or number.", NOT_FOUND),
        RefusalCode("unknown-credit", "The account has no credit of this number.", NOT_FOUND),
        RefusalCode("unknown-disposition", "The office defines no such disposition.", NOT_FOUND),
        RefusalCode("unknown-dispute", "No such dispute is open.", NOT_FOUND),
        RefusalCode("unknown-dispute-reason", "The office has no such reason of disputes.", NOT_FOUND),
        RefusalCode("unknown-fee-service-type", "The office has no such service type of fees.", NOT_FOUND),
        RefusalCode("unknown-filter", "The office keeps no filter of this name.", NOT_FOUND),
        RefusalCode("unknown-flag", "The office defines no such flag.", NOT_FOUND),
        RefusalCode("unknown-follow-up", "No such follow-up is open.", NOT_FOUND),
        RefusalCode("unknown-freeze-reason", "The office freezes accounts for no such reason.", NOT_FOUND),
        RefusalCode("unknown-inbound-message", "No such message of the customer's is to be read.", NOT_FOUND),
        RefusalCode("unknown-unmatched-message", "There is no message without an account by this id.", NOT_FOUND),
        RefusalCode("unknown-write-off", "The account has no write-off of this number.", NOT_FOUND),
        RefusalCode("unknown-write-off-reason", "The office writes nothing off for such a reason.", NOT_FOUND),
        RefusalCode("unknown-hold", "No such hold is in force.", NOT_FOUND),
        RefusalCode("unknown-invoice", "The account has no invoice of this number.", NOT_FOUND),
        RefusalCode("unknown-legal-case", "No such legal case is open.", NOT_FOUND),
        RefusalCode("unknown-message", "No such message is under way.", NOT_FOUND),
        RefusalCode("unknown-office", "There is no such office.", NOT_FOUND),
        RefusalCode("unknown-payment-claim", "No such payment claim is open.", NOT_FOUND),
        RefusalCode("unknown-payment", "The account has no payment of this number.", NOT_FOUND),
        RefusalCode("unknown-placementfile", "There is no such placement file.", NOT_FOUND),
        RefusalCode("unknown-subscription", "The account has no subscription of this number.", NOT_FOUND),
        RefusalCode("unknown-template", "The office has no such template.", NOT_FOUND),
        RefusalCode("unknown-promise", "There is no such promise.", NOT_FOUND),
        RefusalCode("unknown-work", "There is no such work.", NOT_FOUND),
        RefusalCode("unknown-worklist-item", "Nothing with this id has to be done about the account.", NOT_FOUND),
        # It is there already.
        RefusalCode("claimed-already", "All of it is said to be paid already, which is checked."),
        RefusalCode("campaign-exists", "The office has a campaign of this title; revise it."),
        RefusalCode("duplicate", "Another command has this natural key already."),
        RefusalCode("duplicate-credit", "A credit of this number is on the account already; correct it."),
        RefusalCode("duplicate-invoice", "An invoice of this number is on the account already; correct it."),
        RefusalCode("duplicate-payment", "A payment of this number is on the account already; correct it."),
        RefusalCode("duplicate-promise", "The promise was made already; reschedule it."),
        RefusalCode("duplicate-write-off", "A write-off of this number is on the account already."),
        RefusalCode("office-exists", "The office is open with other settings; change those instead."),
        # It is over, or not yet so far.
        RefusalCode("already-claimed", "The message was claimed for sending before."),
        RefusalCode("bulk-cancelled", "The bulk action was cancelled; preview it anew."),
        RefusalCode("bulk-finished", "The bulk action is finished: nothing of it is left to confirm or to stop."),
        RefusalCode("bulk-not-done", "A bulk action that was never confirmed has nothing to undo."),
        RefusalCode("bulk-not-undoable", "What a bulk action of this kind did cannot be taken back."),
        RefusalCode("bulk-running", "A bulk action is undone once it has ended."),
        RefusalCode("bulk-without-text", "A text is shown of bulk actions that send messages."),
        RefusalCode("bulk-too-old", "An account undoes only the latest bulk actions that changed it."),
        RefusalCode("contact-of-another", "Whoever made a contact says how it ended; it is given to nobody else."),
        RefusalCode("contacts-undocumented", "A day is closed once every contact that was made is documented."),
        RefusalCode("campaign-retired", "The campaign has ended for good."),
        RefusalCode(
            "corrected-already", "The activity was corrected already; its last correction is corrected instead."
        ),
        RefusalCode("credit-reversed", "The credit was taken back already."),
        RefusalCode("invoice-withdrawn", "The invoice was withdrawn already."),
        RefusalCode("changed-since-preview", "What is confirmed is what was shown; some accounts changed since."),
        RefusalCode("frozen-already", "It is frozen for another reason; roll that back first."),
        RefusalCode("subscription-cancelled", "The subscription is cancelled: it is neither frozen nor rolled back."),
        RefusalCode("flag-retired", "No account is given a retired flag any more."),
        RefusalCode("discount-bore-fee", "A subscription's initial discount bears one fee, unless that is withdrawn."),
        RefusalCode("fee-of-another-balance", "A fee is added to the account as it was when the fee was worked out."),
        RefusalCode("no-fee", "Nothing is owed that the fee could be taken of, or the office's rules leave none."),
        RefusalCode("not-a-fee", "Only a fee can be waived; of another invoice that is a credit note."),
        RefusalCode("not-claimed", "A message is claimed before it is sent."),
        RefusalCode("not-open", "The invoice has no open amount."),
        RefusalCode("settled-already", "The message was assigned to an account or discarded before."),
        RefusalCode("stop-undecided", "Whoever reads a message that may be an opt-out says whether it is one."),
        RefusalCode("not-uncertain", "Only of an uncertain message a person says what became of it."),
        RefusalCode("not-transferred", "The payment did not come from another account."),
        RefusalCode("no-single-item", "With its resolution only what is disputed of one open invoice is credited."),
        RefusalCode("nothing-owed", "Nothing is owed that could be paid already."),
        RefusalCode("nothing-to-dispute", "No open invoice is left that is not disputed already."),
        RefusalCode("disputed-in-part", "A part of the invoice is disputed already; that dispute is resolved first."),
        RefusalCode("dispute-too-large", "More would be disputed of the invoice than is open."),
        RefusalCode("paused-now", "A pause is in force now; resume first."),
        RefusalCode("nothing-went-back", "Nothing of that day and amount went back of the payment or credit."),
        RefusalCode("payment-moved", "The payment was booked here by mistake, and is on another account."),
        RefusalCode("payment-not-reversed", "A payment comes in again once it was taken back."),
        RefusalCode(
            "payment-transferred", "Money of the payment went to another account; withdraw the transfer first."
        ),
        RefusalCode("payment-reversed", "The payment was taken back already."),
        RefusalCode("payment-waits", "The payment waits for its day; it can be moved from then on."),
        RefusalCode("placed-already", "An agency has the account; its stage follows from that until it is recalled."),
        RefusalCode("not-placed", "The account is not with the agency."),
        RefusalCode("not-placeable", "In bankruptcy or dispute, after a death, or with a promise nothing is placed."),
        RefusalCode("nothing-to-place", "Only what is owed is placed."),
        RefusalCode("itemization-missing", "An agency is given what its validation notice has to say."),
        RefusalCode("agency-key", "Files are encrypted with a public OpenPGP key that can do so now."),
        RefusalCode("agency-retired", "Nothing more is placed with a retired agency."),
        RefusalCode("placement-file-delivered", "The placement file was delivered, and is not sent again."),
        RefusalCode("placement-file-waits", "The placement file is not delivered yet."),
        RefusalCode("promise-settled", "The promise is kept, broken or withdrawn already."),
        RefusalCode("transferred-here", "The money is of a payment on another account, and is dealt with there."),
        RefusalCode("work-cancelled", "The work was cancelled."),
        RefusalCode("work-of-bulk", "The work of a bulk action ends with it; cancel the bulk action."),
        RefusalCode("work-finished", "The work is finished."),
        RefusalCode("write-off-recovered", "All of the write-off was recovered; nothing is left to be restored."),
        RefusalCode("write-off-reversed", "The write-off was reversed already."),
        # Days, amounts and currencies that do not go together.
        RefusalCode("amount-too-fine", "An amount has at most as many decimal places as its currency."),
        RefusalCode("allocation-day", "Money is put against an invoice once both are there, and not in the future."),
        RefusalCode("allocation-too-large", "No more than the money and the invoice have that nobody decided about."),
        RefusalCode("fee-limits-currency", "Limits of fees hold for accounts in the office's own currency."),
        RefusalCode("faulty-contact-settings", "What is law is not turned off, and rules have the figures they have."),
        RefusalCode("agency-payment-day", "What an agency collected was paid today or on an earlier day."),
        RefusalCode("commission-too-large", "A commission is a part of what was collected."),
        RefusalCode("complaint-day", "A complaint is received, then answered, and neither lies in the future."),
        RefusalCode("dispute-day", "A dispute is to be resolved on the day of its opening or later."),
        RefusalCode("faulty-plan", "A plan names what its office knows, and its templates can be filled in."),
        RefusalCode("day-not-begun", "An agent closes the day that it is, or an earlier one."),
        RefusalCode("follow-up-day", "The day of a follow-up is that of its moment, where one is said."),
        RefusalCode("follow-up-past", "A follow-up lies today or later."),
        RefusalCode("future-contact", "A contact, or what was said of it, is recorded once it was."),
        RefusalCode("future-correction", "What was recorded is corrected to today or an earlier day."),
        RefusalCode("future-reversal", "A payment is taken back today or on an earlier day."),
        RefusalCode("future-receipt", "A payment comes in again today or on an earlier day."),
        RefusalCode("future-refund", "Money is given back today or on an earlier day."),
        RefusalCode("gone-in-part", "What is said of money leaves as much of it as went back already."),
        RefusalCode("hold-future", "A hold begins today or on an earlier day."),
        RefusalCode("hold-past", "A hold ends today or later."),
        RefusalCode("legal-day", "What is said of a legal case is of a day since its last state, up to today."),
        RefusalCode("legal-state", "A legal case goes from state to state in the order of its kind."),
        RefusalCode("other-amount", "A promise is rescheduled for the same amount in total."),
        RefusalCode("other-office", "Money goes between accounts of one office."),
        RefusalCode("payment-claim-future", "What is paid already was paid today or on an earlier day."),
        RefusalCode("pause-ends-first", "A pause ends after it has begun."),
        RefusalCode("promise-empty", "Each instalment is of more than zero."),
        RefusalCode("promise-past", "Each instalment is due on the day of the promise or later."),
        RefusalCode("promise-too-large", "No more can be promised than is owed and not promised yet."),
        RefusalCode("received-again-first", "A payment comes in again on the day it was taken back or later."),
        RefusalCode("refund-too-large", "No more is given back than is unapplied on that day and ever since."),
        RefusalCode("reversed-in-part", "A payment that was recorded in error is taken out whole; correct its amount."),
        RefusalCode("reversed-too-much", "No more of a payment is taken back than did not go back before."),
        RefusalCode("several-instalments", "The invoice is owed in instalments, and one of them has to be named."),
        RefusalCode("reversed-first", "A payment is taken back on the day of its receipt or later."),
        RefusalCode("snooze-past", "What is put off is put off until a later moment."),
        RefusalCode("several-went-back", "Several went back of it; the day and the amount say which is meant."),
        RefusalCode("same-account", "Money goes to another account than the payment's own."),
        RefusalCode("transfer-day", "Money is transferred on the day of its receipt or later, and not in the future."),
        RefusalCode("transfer-too-large", "No more is transferred than is put against nothing from that day on."),
        RefusalCode("nothing-to-write-off", "Only what is owed is written off, and money at hand pays first."),
        RefusalCode("not-a-small-balance", "Only balances below the amount that was said are written off."),
        RefusalCode("write-off-day", "A write-off is reversed from its own day on, and not in the future."),
        RefusalCode("write-off-too-large", "No more is written off than is owed."),
        RefusalCode("not-a-country", "There is no country with this code."),
        RefusalCode("too-many-changed", "A bulk action leaves out so many accounts that changed, and no more."),
        RefusalCode("wrong-currency", "An account and its office work in one currency."),
        # Messages by hand.
        RefusalCode(
            "faulty-template",
            "A template has texts that can be filled in, and of an e-mail a subject.",
        ),
        RefusalCode("faulty-text", "A text has placeholders that there are, and can be filled in."),
        RefusalCode("sms-too-long", "An SMS has at most 140 characters, with everything filled in."),
        RefusalCode("other-channel", "A template is for messages over its own channel."),
        RefusalCode("template-retired", "The template was retired; save it again to use it."),
        RefusalCode("preferred-channel", "The customer prefers another channel; whoever ignores that says why."),
        # Attachments.
        RefusalCode("attachment-type", "A file is of a type that is taken, by its content and by its name."),
        RefusalCode("attachment-gone", "The file cannot be read any more: it was erased, or its bytes are not there."),
        RefusalCode("attachments-not-carried", "E-mails take files with them, letters PDF files; nothing else does."),
        RefusalCode("schedule-in-the-past", "What is scheduled is to come."),
        RefusalCode("too-many-filters", "An office keeps so many filters and no more."),
        RefusalCode("filter-out-of-date", "A filter says what the report does not know any more."),
        RefusalCode("filter-keeps-no-text", "A text that may be a name is not kept in a filter."),
        RefusalCode("too-many-contact-points", "A customer has so many numbers, or addresses, and no more."),
        RefusalCode("too-many-attachments", "An account, and a message, has so many attachments and no more."),
        # Statements and copies of invoices.
        RefusalCode("not-printable", "What stands on a paper is in characters that its fonts have."),
        # What cannot be asked of every account.
        RefusalCode("personal-argument", "Personal text is never said to every account: it would be kept in the open."),
        RefusalCode("no-such-command", "What is asked of every account is a command."),
        # Calls that a carrier places.
        RefusalCode("call-too-old", "A call is placed when it begins, and not later."),
        RefusalCode("dialled-already", "A carrier is asked once to place a call."),
        RefusalCode("no-voice-carrier", "No carrier is set up that places calls; the number is dialled by hand."),
        # Fees.
        RefusalCode(
            "fee-not-allowed",
            "A fee on a consumer's debt that is collected for others needs an agreement or law that allows it.",
        ),
        # Contact rules.
        RefusalCode("contact-refused", "A contact rule, or the customer's wish, forbids the contact or message."),
        RefusalCode("notes-required", "A contact that ended so is recorded with notes."),
        # Who asks, and why.
        RefusalCode("no-consent-kept", "Consent is kept for numbers and e-mail addresses; opt out of other channels."),
        RefusalCode("office-not-named", "There are several offices, and one has to be named."),
        RefusalCode("rows-not-as-frozen", "The rows of a preview are not those that were shown; preview it anew."),
        RefusalCode("no-office", "There is no office yet."),
        RefusalCode(
            "no-rules",
            "This process decides nothing that needs rules it has not: of auto-collection, contact, templates.",
        ),
        RefusalCode("not-a-person", "Only people decide this."),
        RefusalCode("reason-required", "People have to say why."),
        RefusalCode("stage-is-judged", "Auto-collection stages follow from status and rules; nobody sets them."),
    )
)
"""The catalogue. A decision can refuse with nothing that is not in it."""


class Refusal(Exception):
    """A decision's no: raised inside a decision, given to the caller as `Rejected`. The code is in `REFUSALS`."""

    def __init__(self, reason_code: str, detail: str) -> None:
        super().__init__(f"{reason_code}: {detail}")
        if reason_code not in REFUSALS:
            raise LookupError(f"no refusal has the code {reason_code!r}")
        self.reason_code = reason_code
        self.detail = detail
