"""What was approved is what decides: entries of code tables do not move while a version is activated, nor after."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from chalicelib.access import users
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import Role
from chalicelib.errors import NotPermitted
from chalicelib.rules import activation, approvals, code_table_editing, rulesets
from chalicelib.rules.code_table_editing import Wanted, Way
from chalicelib.storage.ids import public_id, raw_id
from tests.factories.access import make_user, make_user_key
from tests.factories.rules import AUTHOR, accrual_document, code_table, table_document

ACME = b"acme" * 4
JANUARY = date(2026, 1, 1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
CODE = "acme.accrual"

pytestmark = pytest.mark.usefixtures("approval_required")


def looking_up(rate: str = "1") -> dict:
    """Points by the entry `active` of `acme.grade`, times a rate."""
    found = {"parse_decimal": [{"lookup": ["acme.grade", {"var": "status"}]}]}
    written = accrual_document(CODE, rate=rate)
    written["outputs"]["points"]["expr"] = {"*": [{"var": "quantity"}, found]}
    for case in written["cases"]:
        case["code_tables"] = {"acme.grade": {"active": rate}}
    return written


def approved(db, written) -> rulesets.LiveVersion:
    """A saved version that another person stands behind."""
    saved = rulesets.save(db, written, partner_id=ACME, caller=AUTHOR, now=NOW)
    version = rulesets.version(db, saved.version_id)
    approver = Caller(public_id("usr", make_user(db, Role.APPROVER).id), "test-tables")
    user = users.find(db, raw_id("usr", approver.actor), partner_id=None)
    key_id = make_user_key(db, user=user)[0].id
    approvals.approve(db, version, evidence=None, effective_from=JANUARY, key_id=key_id, caller=approver, now=NOW)
    return version


def activate(db, version) -> bool:
    return activation.activate(db, CODE, version.version_id, effective_from=JANUARY, caller=AUTHOR, now=NOW)


def put(db, value: str) -> bool:
    edited = code_table_editing.put(
        db, "acme.grade", Wanted("active", value), way=Way.REFUSE, partner_id=None, caller=AUTHOR, now=LATER
    )
    return edited.changed


@pytest.fixture
def version(mariadb_database):
    # SQLite has one writer at a time anyway.
    with mariadb_database.write() as db:
        code_table(db, ACME, table_document(entries={"active": "1"}))
        return approved(db, looking_up())


class TestAtOnce:
    def test_who_activates_waits_for_an_entry_that_is_being_set_and_then_finds_the_approval_void(
        self, mariadb_database, version
    ):
        with ThreadPoolExecutor(1) as pool:
            with mariadb_database.write() as db:
                assert put(db, "9")
                activating = pool.submit(mariadb_database.run, lambda db: activate(db, version))
                with pytest.raises(TimeoutError):
                    activating.result(timeout=0.5)
            with pytest.raises(NotPermitted) as refused:
                activating.result(timeout=30)

        assert refused.value.code == "approval_void"
        assert [fault.pointer for fault in refused.value.faults] == ["/approval/code_tables"]

    def test_who_sets_an_entry_waits_for_an_activation_and_then_needs_approval(self, mariadb_database, version):
        with ThreadPoolExecutor(1) as pool:
            with mariadb_database.write() as db:
                assert activate(db, version)
                setting = pool.submit(mariadb_database.run, lambda db: put(db, "9"))
                with pytest.raises(TimeoutError):
                    setting.result(timeout=0.5)
            with pytest.raises(NotPermitted) as refused:
                setting.result(timeout=30)

        assert refused.value.code == "approval_required"

    def test_of_many_who_do_both_what_decides_is_what_was_approved(self, mariadb_database, version):
        def setting(number: int) -> str:
            try:
                return f"set {mariadb_database.run(lambda db: put(db, str(number)))}"
            except NotPermitted as refusal:
                return refusal.code

        def activating(_: int) -> str:
            try:
                return f"activated {mariadb_database.run(lambda db: activate(db, version))}"
            except NotPermitted as refusal:
                return refusal.code

        with ThreadPoolExecutor(6) as pool:
            said = [
                each.result()
                for number in range(12)
                for each in (pool.submit(activating, number), pool.submit(setting, 1 + number % 2))
            ]

        # Either one activation came while the table said what was approved, and nobody changed it since, or none did.
        live = any(each.startswith("activated") for each in said)
        with mariadb_database.read() as db:
            standing = approvals.standing(db, version, evidence=None, now=NOW)
        assert standing.valid or not live
        assert {each for each in said if each.startswith("activated")} <= {"activated True", "activated False"}


class TestTakenBack:
    def test_a_table_of_a_version_that_a_rollback_brings_back_stays_as_it_was_approved(self, database):
        with database.write() as db:
            code_table(db, ACME, table_document(entries={"active": "1"}))
            assert activate(db, approved(db, looking_up()))
            # The version that follows decides every day, and looks nothing up.
            assert activate(db, approved(db, accrual_document(CODE, rate="2")))

            with pytest.raises(NotPermitted) as refused:
                put(db, "9")
            activation.roll_back(db, CODE, effective_from=JANUARY, reason="wrong", caller=AUTHOR, now=LATER)

        assert refused.value.code == "approval_required"
        assert CODE in refused.value.message

    def test_a_table_that_only_drafts_look_up_in_is_free(self, database):
        with database.write() as db:
            code_table(db, ACME, table_document(entries={"active": "1"}))
            approved(db, looking_up())
            assert put(db, "9")

    def test_a_table_that_is_named_in_a_sentence_only_is_free(self, database):
        with database.write() as db:
            code_table(db, ACME, table_document(entries={"active": "1"}))
            assert activate(db, approved(db, accrual_document(CODE, why="Not by acme.grade any more.")))
            assert put(db, "9")
