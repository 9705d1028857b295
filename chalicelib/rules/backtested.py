"""What back-tests say for a version, as far as an approval is bound to it. A higher room makes it, which knows them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from chalicelib.records import dataclass
from chalicelib.rules import canonical


@dataclass(frozen=True, slots=True)
class Run:
    """One finished back-test: whose events it read, and the hashes of what it read and gave."""

    backtest_id: bytes
    partner_id: bytes
    data_hash: bytes
    result_hash: bytes
    finished_at: datetime

    @property
    def place(self) -> tuple[datetime, bytes]:
        """Where it stands among others: the later one is greater."""
        return self.finished_at, self.backtest_id


@dataclass(frozen=True, slots=True)
class Evidence:
    """All finished back-tests of one version that count for it, in any order; at least one."""

    runs: tuple[Run, ...]

    @property
    def latest(self) -> tuple[Run, ...]:
        """The latest of each partner, by partner: what an approval is bound to."""
        latest = {run.partner_id: run for run in sorted(self.runs, key=lambda run: run.place)}
        return tuple(latest[partner_id] for partner_id in sorted(latest))

    def of(self, backtest_ids: Collection[bytes]) -> tuple[Run, ...]:
        """Those with these ids, by partner."""
        return tuple(
            sorted((run for run in self.runs if run.backtest_id in backtest_ids), key=lambda run: run.partner_id)
        )


def data_hash(runs: Sequence[Run]) -> bytes | None:
    """Of what the back-tests read, of each partner once; None: there is none."""
    return _together([run.data_hash for run in runs])


def result_hash(runs: Sequence[Run]) -> bytes | None:
    """Of what they gave; None: there is none."""
    return _together([run.result_hash for run in runs])


def newer_than(evidence: Evidence | None, backtest_ids: Collection[bytes]) -> list[tuple[Run, Run | None]]:
    """The back-tests that finished after those with these ids, each with the one of its partner that it came after."""
    if evidence is None:
        return []
    bound = {run.partner_id: run for run in evidence.of(backtest_ids)}
    found = []
    for run in evidence.runs:
        before = bound.get(run.partner_id)
        if before is None or run.place > before.place:
            found.append((run, before))
    return found


def _together(hashes: Sequence[bytes]) -> bytes | None:
    if len(hashes) < 2:
        return hashes[0] if hashes else None
    return canonical.digest(canonical.text([each.hex() for each in hashes]))
