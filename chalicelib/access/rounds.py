"""A job's round over programs, partners or people: what fails for one of them does not keep the others from their turn.

Whatever the failure is, it is logged where it happens and the round goes on; at its end it raises, so the run counts as
failed and its heartbeat says so. Only when nothing answers any more, the round ends at once: the next run goes on.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from chalicelib.errors import Broken, Unavailable

log = logging.getLogger(__name__)

#: After so many turns in a row that found the database or a store unavailable, nobody else's is begun.
_UNAVAILABLE_MAX: Final = 3


class SomeFailed(Broken):
    """A job failed for some of those whom it is for, and was done for all others; the log says for whom, and why."""

    code = "some_failed"


class Round:
    """One round of a job; ``failed`` are those for whom it failed so far. Its block raises SomeFailed at its end."""

    def __init__(self, schedule: str) -> None:
        """``schedule`` names the job in the log."""
        self._schedule = schedule
        self._unavailable = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        """Begin the round."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """End the round; say so when it failed for anybody."""
        if error is None and self.failed:
            message = f"The job {self._schedule} failed for {len(self.failed)}, and was done for the others."
            raise SomeFailed(message)

    @contextmanager
    def turn(self, whose: str) -> Iterator[None]:
        """The turn of one: ``whose`` is a code or a public id.

        Raises Unavailable when nothing has answered for some turns in a row.
        """
        try:
            yield
        except Exception as error:
            self._unavailable = self._unavailable + 1 if isinstance(error, Unavailable) else 0
            if self._unavailable == _UNAVAILABLE_MAX:
                raise
            log.exception("A job failed for one of many.", extra={"schedule": self._schedule, "whose": whose})
            self.failed.append(whose)
        else:
            self._unavailable = 0
