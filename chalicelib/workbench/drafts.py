"""The version that is tried, with everything that its decisions need, loaded once for many events."""

from collections.abc import Mapping
from dataclasses import field

from sqlalchemy.engine import Connection

from chalicelib.files.intake.applying import Work
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.deciding.aggregates import PeriodTotals, Span
from chalicelib.points.deciding.deciding import Bench
from chalicelib.records import dataclass
from chalicelib.rules import code_tables, versions
from chalicelib.rules.versions import LiveVersion
from chalicelib.workbench.backtests import Backtest


@dataclass(slots=True)
class Draft:
    """The version, the partner's programs by id, and a bench that remembers from batch to batch.

    Code tables are read as known when the back-test was asked for: it then says the same however long it takes.
    """

    asked: Backtest
    version: LiveVersion
    partner: Partner
    programs: Mapping[bytes, Program]
    #: The periods over which the version sums.
    periods: tuple[Span, ...]
    _bench: Bench
    #: How the rows of each file are read.
    works: dict[bytes, Work] = field(default_factory=dict)

    @classmethod
    def load(cls, db: Connection, asked: Backtest) -> "Draft":
        """Everything that is needed to decide as the draft would. Raises RuleRefused when it does not compile."""
        version = versions.version(db, asked.version_id)
        compiled = version.compiled
        names = tuple(sorted(compiled.code_tables))
        bench = Bench(db, PeriodTotals(()))
        if names:
            bench.tables[names] = code_tables.dated(db, names, known_at=asked.created_at)
        return cls(
            asked,
            version,
            directory.known(db, asked.partner_id),
            {program.id: program for program in programs.of_partner(db, asked.partner_id).values()},
            tuple(sorted({Span.of(aggregate) for aggregate in compiled.aggregates.values()})),
            bench,
        )

    def bench(self, db: Connection) -> Bench:
        """A bench on which nothing has been earned yet."""
        return Bench(db, PeriodTotals(self.periods), self._bench.ways, self._bench.tables)
