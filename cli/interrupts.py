"""The signals by which a person, a terminal or a service manager ends a command: none is lost, none comes too early."""

import signal
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_came: list[int] = []


class Interrupted(BaseException):
    """A signal ends the command.

    Not a KeyboardInterrupt: Python remembers one that passed through ``exec``, as dataclasses use it, and ends the
    process by the signal although it was answered.
    """


def hold_back() -> None:
    """From now on keep them waiting, until ``let_through``. Call it before any thread or process is started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def let_through() -> None:
    """Have them delivered, those that wait as well."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def raise_the_first() -> None:
    """Raise Interrupted at the first of them; those that follow must not disturb the stopping."""
    for number in _ENDING:
        signal.signal(number, _interrupt)


def check() -> None:
    """Raise Interrupted when a signal came: what a signal raises may be lost in a callback that nobody waits for."""
    if _came:
        raise Interrupted


def ignore() -> None:
    """Nothing ends this process any more but its own end."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    ignore()
    _came.append(number)
    raise Interrupted
