"""Taking mail out of mailboxes: a thread of the one process, or a process of its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.inbound.polling import Polling
    from api.processes.core import Core

NAME = "receive"


def polling_of(core: "Core") -> "Polling | None":
    """None where no mailbox is set up. Raises InboundMisconfigured."""
    from adapters.inbound.mailboxes import mailboxes_of
    from adapters.inbound.polling import Polling
    from adapters.inbound.receiver import Receiver

    mailboxes = mailboxes_of(core.env)
    return Polling(Receiver(core.arrears, core.database), mailboxes, core.clock) if mailboxes else None
