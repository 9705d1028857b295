"""The rows are applied: prove that nothing was lost, terminate whom a snapshot leaves out, and then say processed."""

import json
import logging
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.files import conserving, layouts, turns
from chalicelib.files.holding import Holding, caller_of
from chalicelib.files.turns import Turn
from chalicelib.partners import members
from chalicelib.partners.directory import Partner

log = logging.getLogger(__name__)
_REASON_LENGTH_MAX = 500


def settle(holding: Holding, partner: Partner) -> None:
    """Move an applied file to ``processed``, or to ``broken`` when its figures do not add up. One transaction."""
    holding.run(lambda db, turn, now: _settle(db, turn, partner, now))


def _settle(db: Connection, turn: Turn, partner: Partner, now: datetime) -> Turn:
    file = turn.file
    turns.lock(db, turn)
    breaks = conserving.breaks(db, file)
    if breaks:
        log.error("The figures of a file do not add up.", extra={"file_id": file.public_id, "count": len(breaks)})
        reason = f"The figures of this file do not add up ({'; '.join(breaks)}); an engineer has to look at it."
        values = {"state": "broken", "reason_code": "not_conserved", "reason": reason[:_REASON_LENGTH_MAX]}
        return turns.write(db, turn, values, now=now)
    values = {"state": "processed", **_absences(db, turn, partner, now)}
    return turns.write(db, turn, values, now=now)


def _absences(db: Connection, turn: Turn, partner: Partner, now: datetime) -> dict[str, Any]:
    file = turn.file
    reading = layouts.reading_of(db, file, partner)
    if reading.layout.spec.mode != "snapshot":
        return {}
    if file.rows_unnamed:
        warnings = json.loads(file.warnings or "[]")
        warnings.append(
            f"{file.rows_unnamed} rejected rows do not say whom they are about: nobody was terminated for being absent."
        )
        return {"warnings": json.dumps(warnings, ensure_ascii=False)}
    terminated = members.terminate_absent(
        db,
        partner,
        file.id,
        effective_date=reading.day,
        changed_until=file.arrived_at,
        caller=caller_of(file),
        now=now,
    )
    return {"rows_absent": terminated}
