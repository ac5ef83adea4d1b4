"""Mails as mail servers hand them over."""

from uuid import UUID


def a_mail(text: str = "Hello", *, sender: str = "Anna <anna@example.org>", **headers: str) -> bytes:
    lines = {"From": sender, "To": "office@example.com", "Subject": "Re: You owe", "Message-ID": "<1@example.org>"}
    lines |= {name.replace("_", "-"): said for name, said in headers.items()}
    return ("".join(f"{name}: {said}\r\n" for name, said in lines.items()) + f"\r\n{text}\r\n").encode()


def a_bounce(message_id: UUID, *, action: str = "failed", status: str = "5.1.1", headers_only: bool = False) -> bytes:
    """RFC 3464, as Postfix writes it."""
    quoted = f"Message-ID: <{message_id}@example.com>\r\nSubject: You owe\r\n\r\n"
    kind = "text/rfc822-headers" if headers_only else "message/rfc822"
    return f"""\
From: MAILER-DAEMON@mail.example.org (Mail Delivery System)\r
To: office@example.com\r
Subject: Undelivered Mail Returned to Sender\r
Auto-Submitted: auto-replied\r
Message-ID: <bounce-{message_id}-{status}@mail.example.org>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
I'm sorry to have to inform you that your message could not be delivered.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mail.example.org\r
\r
Final-Recipient: rfc822; anna@example.org\r
Action: {action}\r
Status: {status}\r
Diagnostic-Code: smtp; 550 {status} no such user\r
\r
--b\r
Content-Type: {kind}\r
\r
{quoted}--b--\r
""".encode()


def a_complaint(message_id: UUID, kind: str = "abuse") -> bytes:
    """RFC 5965, as providers with a feedback loop write it."""
    return f"""\
From: feedback@provider.example\r
To: office@example.com\r
Subject: FW: You owe\r
Message-ID: <arf-{message_id}-{kind}@provider.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
This is an email abuse report.\r
--b\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: {kind}\r
User-Agent: SomeGenerator/1.0\r
Version: 1\r
\r
--b\r
Content-Type: message/rfc822\r
\r
From: office@example.com\r
Message-ID: <{message_id}@example.com>\r
Subject: You owe\r
\r
You owe.\r
--b--\r
""".encode()
