"""What an e-mail says, however it is written; and what hostile mail does not do."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from adapters.carrier_codes import refusal_receipt, refusal_status
from adapters.inbound.incoming import LONGEST_TEXT, IncomingMessage, IncomingReceipt
from adapters.inbound.mail import as_message, read_mail
from aggregates.account.inbound import Incoming, Receipt, ReceiveMessage
from aggregates.kernel.command import identifier
from tests.adapters.inbound.mails import a_bounce, a_complaint, a_mail

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
OURS = identifier("a message of ours")
ACCOUNT = identifier("an account")


def message(raw: bytes) -> IncomingMessage:
    """Whatever it says, the account takes it."""
    read = read_mail(raw, NOW)
    assert isinstance(read, IncomingMessage)
    ReceiveMessage(
        account_id=ACCOUNT,
        channel=read.channel,
        sender=read.sender,
        text=read.text,
        subject=read.subject,
        source=read.source,
        source_id=read.source_id,
    )
    return read


def receipt(raw: bytes) -> IncomingReceipt:
    [read] = read_mail(raw, NOW)  # type: ignore[misc]
    assert isinstance(read, IncomingReceipt)
    return read


# --- messages ------------------------------------------------------------------------------------------


def test_a_mail_says_who_wrote_what_and_which_of_ours_it_answers() -> None:
    read = message(
        a_mail("Dear all,\r\nI paid. שלום", References=f"<x@y> <{OURS}@example.com>", In_Reply_To="<other@z>")
    )
    assert (read.channel, read.sender, read.subject) == (Incoming.EMAIL, "anna@example.org", "Re: You owe")
    assert read.text == "Dear all,\nI paid. שלום\n"
    assert read.answers == (OURS,)
    assert not read.is_automatic


def test_the_plain_form_is_read_and_pages_where_there_is_no_other() -> None:
    both = "--b\r\nContent-Type: text/html\r\n\r\n<p>page</p>\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b--"
    alternative = {"Content_Type": 'multipart/alternative; boundary="b"', "MIME_Version": "1.0"}
    assert message(a_mail(both, **alternative)).text.strip() == "plain"
    page = (
        "<html><head><title>x</title><style>p {}</style></head><body><p>STOP&nbsp;please</p><script>evil()</script>"
        "<div>now</div><blockquote><p>reply with UNSUBSCRIBE</p></blockquote></body></html>"
    )
    read = message(a_mail(page, Content_Type="text/html; charset=utf-8"))
    assert read.text.split("\n") == ["STOP please", "now", "> reply with UNSUBSCRIBE"]


@pytest.mark.parametrize(
    "part",
    [
        "<a b=",
        "<",
        "<!--",
        "<a b b ",
        '<a b="',
        "<![",
        "<![x>",
        "</",
        "<?",
        "<a b='>",
        "<script>",
        "<blockquote>",
        "&#",
    ],
)
def test_a_page_of_anything_is_read_in_a_time_that_grows_with_its_length(part: str) -> None:
    """Some of these would take an hour, one would be given up."""
    page = f"<p>STOP</p>{part * (400_000 // len(part))}"
    assert message(a_mail(page, Content_Type="text/html; charset=utf-8")).text.split("\n")[0] == "STOP"


def test_comments_and_what_is_declared_are_not_what_a_page_says() -> None:
    page = (
        "<!DOCTYPE html><!--[if mso]><p>x < y</p><![endif]--><?xml version='1'?><p>1 < 2 <b>STOP</b></p><!-- not this"
    )
    assert message(a_mail(page, Content_Type="text/html; charset=utf-8")).text == "1 2 STOP"


def test_a_header_of_many_parameters_is_read_up_to_a_length() -> None:
    raw = a_mail("STOP", Content_Type="text/plain; " + "; " * 500_000)
    assert message(raw).text.strip() == "STOP"


def test_words_and_headers_in_other_charsets_are_read() -> None:
    encoded = b64encode("Grüße aus Köln".encode("iso-8859-1")).decode()
    read = message(
        a_mail(
            encoded,
            sender="=?utf-8?B?" + b64encode("Jürgen".encode()).decode() + "?= <j@example.org>",
            Subject="=?iso-8859-1?Q?Gr=FC=DFe?=",
            Content_Type="text/plain; charset=iso-8859-1",
            Content_Transfer_Encoding="base64",
        )
    )
    assert (read.sender, read.subject, read.text) == ("j@example.org", "Grüße", "Grüße aus Köln")


@pytest.mark.parametrize(
    "header",
    [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"X_Autoreply": "yes"}, {"Return_Path": "<>"}],
)
def test_a_machines_mail_is_known_as_one(header: dict[str, str]) -> None:
    assert message(a_mail(**header)).is_automatic


def test_the_same_mail_by_two_ways_is_one_and_another_of_the_same_id_is_not() -> None:
    one = message(b"Received: from a\r\n" + a_mail()).source_id
    assert one == message(b"Received: from b\r\n" + a_mail()).source_id
    assert one != message(a_mail(sender="eve@example.org")).source_id


# --- hostile mail --------------------------------------------------------------------------------------

HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no mail at all": lambda: bytes(range(256)) * 50,
    "a huge header": lambda: a_mail(Subject="x" * 2_000_000),
    "many headers": lambda: b"".join(b"X-%d: y\r\n" % n for n in range(5_000)) + a_mail(),
    "many encoded words": lambda: a_mail(Subject="=?utf-8?B?QQ==?= " * 20_000),
    "deep nesting": lambda: b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(3_000)
    ),
    "nesting beside a long text": lambda: a_mail(
        "".join(f'--b{n}\r\nContent-Type: multipart/mixed; boundary="b{n + 1}"\r\n\r\n' for n in range(500))
        + "x\r\n" * 500_000,
        Content_Type='multipart/mixed; boundary="b0"',
        MIME_Version="1.0",
    ),
    "many parts": lambda: a_mail(
        "--b\r\n\r\nx\r\n" * 20_000 + "--b--", Content_Type='multipart/mixed; boundary="b"', MIME_Version="1.0"
    ),
    "no such charset": lambda: a_mail("caf\u00e9", Content_Type="text/plain; charset=klingon"),
    "a codec that is none": lambda: a_mail("eJwDAAAAAAE=", Content_Type="text/plain; charset=zlib"),
    "punycode": lambda: a_mail("a" * 400_000, Content_Type="text/plain; charset=punycode"),
    "utf-7": lambda: a_mail("+ADw-script+AD4-", Content_Type="text/plain; charset=utf-7"),
    "broken base64": lambda: a_mail("!!!=", Content_Transfer_Encoding="base64"),
    "broken utf-8": lambda: a_mail("x") + b"\xff\xfe\xed\xa0\x80",
    "control characters": lambda: a_mail("a\x00b\x1b[31mc\x07", Subject="a\x00b\x1b[31mc"),
    "turned directions": lambda: a_mail("\u202egpj.exe\u202c \u2066x\u2069"),
    "a subject of two lines": lambda: a_mail(Subject="a\r\n\tb\u2028Bcc: eve@example.org"),
    "no sender": lambda: a_mail(sender=""),
    "a long sender": lambda: a_mail(sender="a" * 5_000 + "@example.org"),
    "a text without end": lambda: a_mail("x" * 3_000_000),
    "a page without end": lambda: a_mail("<div>" * 20_000, Content_Type="text/html"),
    "a bomb": lambda: a_mail("PK\x03\x04" * 1_000, Content_Type='application/zip; name="42.zip"'),
    "a report of nothing": lambda: a_mail(
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n--b--", Content_Type='multipart/report; boundary="b"'
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_mail_is_kept_and_does_no_harm(what: str) -> None:
    read = message(HOSTILE[what]())
    assert read.sender
    assert len(read.text) <= LONGEST_TEXT
    shown = f"{read.sender}{read.subject}{read.text}"
    assert not set(shown) & set("\x00\x1b\x07\u202e\u2066\u2028")


@settings(max_examples=30)
@for_any(st.binary(max_size=500))
def test_whatever_comes_is_a_message(raw: bytes) -> None:
    message(raw)
    message(a_mail() + raw)


# --- reports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        ("failed", "5.1.1", Receipt.HARD_BOUNCED),
        ("failed", "5.1.10", Receipt.HARD_BOUNCED),
        ("failed", "5.2.2", Receipt.SOFT_BOUNCED),
        ("failed", "4.4.7", Receipt.SOFT_BOUNCED),
        ("failed", "5.7.1", Receipt.FAILED),
        ("delayed", "4.4.1", Receipt.SOFT_BOUNCED),
        ("delivered", "2.0.0", Receipt.DELIVERED),
        ("relayed", "2.0.0", Receipt.DELIVERED),
    ],
)
@pytest.mark.parametrize("headers_only", [True, False])
def test_a_delivery_status_says_what_became_of_ours(
    action: str, status: str, expected: Receipt, headers_only: bool
) -> None:
    read = receipt(a_bounce(OURS, action=action, status=status, headers_only=headers_only))
    assert (read.message_id, read.receipt, read.code) == (OURS, expected, status)
    assert read.point is None, "whose address it is, the log knows better than a mail"


def test_whoever_calls_it_spam_complains() -> None:
    read = receipt(a_complaint(OURS))
    assert (read.message_id, read.receipt, read.code) == (OURS, Receipt.COMPLAINED, "abuse")
    assert isinstance(read_mail(a_complaint(OURS, "not-spam"), NOW), IncomingMessage)


def test_a_report_about_what_is_not_ours_is_a_message() -> None:
    foreign = a_bounce(OURS).replace(f"<{OURS}@".encode(), b"<foreign@")
    read = read_mail(foreign, NOW)
    assert isinstance(read, IncomingMessage)
    assert read.is_automatic
    assert as_message(a_bounce(OURS), NOW).text.startswith("I'm sorry")


@pytest.mark.parametrize(
    ("said", "status", "receipt"),
    [
        ("5.1.1 <anna@example.org>: user unknown", "5.1.1", Receipt.HARD_BOUNCED),
        ("5.4.1 Relay Access Denied", "5.4.1", Receipt.FAILED),
        ("5.1.0 Sender rejected", "5.1.0", Receipt.FAILED),
        ("5.7.1 see our answer to 5.1.1", "5.7.1", Receipt.FAILED),
    ],
)
def test_a_refusal_at_once_is_about_the_address_only_where_it_says_that_there_is_none(
    said: str, status: str, receipt: Receipt
) -> None:
    assert refusal_status(said) == status
    assert refusal_receipt(status) is receipt


def test_a_status_is_what_a_refusal_begins_with() -> None:
    assert refusal_status("no mailbox, says 5.1.1") is None
