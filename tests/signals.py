"""Signals that are ignored where tests are started (`nohup`, a script's `&`) reach the processes that tests start."""

import signal

_ENDING = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


def keep_from_children() -> None:
    """Ignores them by a handler of our own: a process inherits what is ignored, but no handlers."""
    for each in _ENDING:
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, _ignored)


def _ignored(*_: object) -> None:
    """As before."""
