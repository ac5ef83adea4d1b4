"""Taking mail out of mailboxes: a thread of the one process, or a process of its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.inbound.polling import Polling
    from api.processes.core import Core

NAME = "receive"


def polling_of(core: "Core") -> "Polling | None":
    """None where no mailbox is set up, and no text comes in either. Raises InboundMisconfigured."""
    from adapters.inbound.mailboxes import mailboxes_of
    from adapters.inbound.polling import Polling
    from adapters.inbound.receiver import Receiver
    from adapters.inbound.setup import doors_of

    mailboxes = mailboxes_of(core.env)
    if not mailboxes and not doors_of(core.env).takes_twilio:
        return None
    return Polling(Receiver(core.arrears, core.database), mailboxes, core.clock)
