"""Whose account a row of an export is about, told by the names that the row has."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy.engine import Connection

from chalicelib.files.exporting.registry import Asked, Row
from chalicelib.partners import directory
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.storage import bulk


def accounts_of(db: Connection, asked: Asked, rows: Sequence[Row]) -> Iterator[tuple[bytes, Row]]:
    """The account of each row by ``employee_id``, ``program_code`` and, in files of all partners, ``partner_code``.

    Rows whose names name nothing any more are left out.
    """
    by_partner: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        by_partner[None if asked.partner is not None else row["partner_code"]].append(row)
    for code, of_partner in by_partner.items():
        partner = asked.partner if code is None else directory.by_code(db, code)
        if partner is None:
            continue
        known = programs.of_partner(db, partner.id)
        for some in bulk.in_chunks(of_partner):
            people = members.by_employee(db, partner.id, {row["employee_id"] for row in some})
            for row in some:
                member, program = people.get(row["employee_id"]), known.get(row["program_code"])
                if member is not None and program is not None:
                    yield account_id(program.id, MEMBER, member.id), row
