"""Who causes an effect, as it is written into the audit trail and beside the data."""

from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """``actor`` is ``usr_…``, a partner's ``key_…`` or ``system:<handler>``; ``correlation_id`` joins logs and rows."""

    actor: str
    correlation_id: str
