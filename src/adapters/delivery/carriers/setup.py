"""Which carrier carries which channel: read from the environment, and refused where it is given by half.

What no other carrier is set up for goes to the local outbox.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from adapters.clock import Clock
from adapters.delivery.carrier import Carrier, CarrierMisconfigured
from adapters.delivery.outbox import Outbox
from adapters.secret_text import SecretProblem
from aggregates.values.contact import Channel

OUTBOX = "ARREARS_OUTBOX"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Carriers:
    """A carrier for every channel: `others` carry what they declare, `outbox` the rest."""

    def __init__(self, outbox: Carrier, *others: Carrier) -> None:
        """Raises CarrierMisconfigured where two would carry the same channel."""
        self._others = others
        self._outbox = outbox
        self._of: dict[Channel, Carrier] = dict.fromkeys(Channel, outbox)
        for carrier in others:
            for channel in sorted(carrier.channels):
                if self._of[channel] is not outbox:
                    raise CarrierMisconfigured(f"{channel} has two carriers: {self._of[channel].name}, {carrier.name}.")
                self._of[channel] = carrier

    def of(self, channel: Channel) -> Carrier:
        return self._of[channel]

    def __iter__(self) -> Iterator[tuple[Channel, Carrier]]:
        return iter(self._of.items())

    def say(self) -> None:
        """Tells the log which carrier carries which channel."""
        for channel, carrier in self:
            _log.info("carrier", channel=channel, carrier=carrier.name, leads_to=carrier.leads_to)

    def close(self) -> None:
        for carrier in (*self._others, self._outbox):
            carrier.close()


def carriers_of(env: Mapping[str, str], data_dir: Path | None, clock: Clock) -> Carriers:
    """Those that the environment names. Raises CarrierMisconfigured.

    Where the clock is set, history is lived through, and nobody is written to: everything goes to the local outbox.
    """
    folder = outbox_folder(env, data_dir)
    outbox = Outbox(folder)
    if clock.is_set:
        return Carriers(outbox)
    try:
        return Carriers(outbox, *_named(env, folder, clock))
    except SecretProblem as problem:
        raise CarrierMisconfigured(str(problem)) from None


def _named(env: Mapping[str, str], outbox: Path, clock: Clock) -> Iterator[Carrier]:
    """What each needs is imported only where it is set up: some of it takes long."""
    if any(name.startswith(("ARREARS_SMTP_", "ARREARS_MAIL_")) and env[name] for name in env):
        from adapters.delivery.carriers.smtp import Smtp

        yield Smtp.from_env(env, clock)
    if any(name.startswith("ARREARS_TWILIO_") and env[name] for name in env):
        from adapters.delivery.carriers.twilio import Twilio

        yield Twilio.from_env(env)
    if any(name.startswith("ARREARS_LETTERS_") and env[name] for name in env):
        from adapters.delivery.carriers.letters_setup import letters_from_env

        yield letters_from_env(env, outbox / "letters", clock)


def outbox_folder(env: Mapping[str, str], data_dir: Path | None) -> Path:
    """Where messages are put that would be sent: ARREARS_OUTBOX, or beside the data."""
    return Path(env.get(OUTBOX) or (data_dir or Path.cwd()) / "outbox")
