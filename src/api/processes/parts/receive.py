"""The part that takes mail out of mailboxes, and looks again for whom texts are."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.processes.parts.part import Helper, HowMany, Need, Run, Worker

if TYPE_CHECKING:
    from adapters.inbound.polling import Polling
    from api.processes.core import Core


class Receive(Worker):
    """Where no mailbox is set up, a process of its own still looks again for whom messages are: other processes take
    them in, with variables that it need not have."""

    name = "receive"
    does = "Take mail out of the mailboxes that are set up"
    at_work = "Receiving"
    how_many = HowMany.ANY
    needs = frozenset({Need.KEY, Need.TABLES})
    helper = Helper.DECIDING

    def is_wanted(self, env: Mapping[str, str]) -> bool:
        from adapters.inbound.mailboxes import mailboxes_of
        from adapters.inbound.setup import doors_of

        doors = doors_of(env)
        return bool(mailboxes_of(env)) or doors.takes_twilio or doors.takes_email

    def polling(self, core: "Core") -> "Polling":
        """Raises InboundMisconfigured."""
        from adapters.inbound.mailboxes import mailboxes_of
        from adapters.inbound.polling import Polling
        from adapters.inbound.receiver import Receiver

        return Polling(Receiver(core.arrears, core.database), mailboxes_of(core.env), core.clock)

    def in_thread(self, core: "Core", stop: threading.Event) -> Run | None:
        """Raises InboundMisconfigured."""
        del stop
        return self.polling(core).run if self.is_wanted(core.env) else None

    def alone(self, core: "Core", stop: threading.Event) -> Run:
        """Raises InboundMisconfigured."""
        del stop
        return self.polling(core).run
