"""A version that decided something stays as it is, whatever is done to its ruleset afterwards."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from chalicelib.partners.onboarding import onboarding
from chalicelib.rules import activation, approvals, golden, rulesets
from chalicelib.rules.models import ruleset_activation, ruleset_approval, ruleset_version
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user, make_user_key
from tests.factories.partners import program_spec
from tests.factories.points import CALLER, earn, make_earning
from tests.factories.rules import accrual_document, golden_case

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DECEMBER = date(2026, 12, 1)

pytestmark = pytest.mark.usefixtures("data_key")


def kept(db) -> set[tuple]:
    """Every version, activation and approval, whole."""
    return {
        (table.name, *row)
        for table in (ruleset_version, ruleset_activation, ruleset_approval)
        for row in db.execute(select(table))
    }


def test_no_function_of_the_rules_room_changes_a_version_that_decided(database):
    with database.write() as db:
        earning = make_earning(db)
        earn(db, earning)
        code, partner = earning.version.ruleset_code, earning.partner
        person = make_user(db)
        approver, key = type(CALLER)(public_id("usr", person.id), "test"), make_user_key(db, user=person)[0]
        before = kept(db)

        def draft(rate: str, **changes):
            written = accrual_document(code, rate=rate, **changes)
            return rulesets.save(db, written, partner_id=partner.id, caller=CALLER, now=NOW)

        def activate(version_id: bytes, day: date):
            rulesets.activate(db, code, version_id, effective_from=day, caller=CALLER, now=NOW)

        steps = [
            lambda: draft("1.5"),
            lambda: draft("2"),
            lambda: draft("1.5", why="The same rule, told otherwise."),
            lambda: golden.put(db, code, "four", golden_case(), caller=CALLER, now=NOW),
            lambda: golden.remove(db, code, "four", reason="a test", caller=CALLER, now=NOW),
            lambda: approvals.approve(db, earning.version, evidence=None, key_id=key.id, caller=approver, now=NOW),
            lambda: activate(earning.version.version_id, date(2025, 1, 1)),
            lambda: activate(draft("2").version_id, DECEMBER),
            lambda: activation.roll_back(db, code, effective_from=DECEMBER, reason="a test", caller=CALLER, now=NOW),
            lambda: onboarding.apply(
                db,
                {
                    "manifest": {
                        "code": partner.code,
                        "name": "Renamed",
                        "time_zone": partner.time_zone,
                        "programs": [{**program_spec(), "name": "Uniform", "ruleset": code}],
                    },
                    "rulesets": [accrual_document(code, rate="3")],
                },
                dry_run=False,
                caller=CALLER,
                now=NOW,
            ),
        ]
        for step in steps:
            step()
            after = kept(db)
            assert before <= after
            before = after


def test_the_same_number_or_content_cannot_be_stored_twice(database):
    with database.write() as db:
        row = make_earning(db).version.version_id
        stored = db.execute(select(ruleset_version).where(ruleset_version.c.id == row)).one()._asdict()
        for changed in ({"content_hash": b"h" * 32}, {"number": 2}):
            with pytest.raises(IntegrityError), db.begin_nested():
                db.execute(ruleset_version.insert(), {**stored, "id": b"n" * 16, **changed})
