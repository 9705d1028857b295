"""A second person: another user than the author, in reach, bound to what was seen; any change makes the word void."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select, update

from chalicelib.access import keys, users
from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event, user_account
from chalicelib.access.scopes import ROLE_SCOPES, Role
from chalicelib.errors import NotPermitted
from chalicelib.rules import approvals, golden, rulesets, versions
from chalicelib.rules.approvals import Evidence
from chalicelib.rules.gates import GatesClosed
from chalicelib.rules.models import ruleset_activation, ruleset_approval, ruleset_version
from chalicelib.storage.ids import public_id
from tests.factories.access import make_partner_key, make_user, make_user_key
from tests.factories.rules import AUTHOR, accrual_document, code_table, document, golden_case, table_document

ACME = b"acme" * 4
OTHER = b"othr" * 4
JANUARY = date(2026, 1, 1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SEEN = Evidence(b"b" * 16, b"d" * 32, b"r" * 32)

pytestmark = pytest.mark.usefixtures("approval_required")


def draft(db, written=None, *, partner_id=ACME, caller=AUTHOR):
    saved = rulesets.save(db, written or accrual_document(), partner_id=partner_id, caller=caller, now=NOW)
    return rulesets.version(db, saved.version_id)


def person(db, role=Role.APPROVER, partner_id=None) -> Caller:
    return Caller(public_id("usr", make_user(db, role, partner_id=partner_id).id), "test-approvals")


def approve(db, version, caller, evidence: Evidence | None = SEEN) -> approvals.Approval:
    return approvals.approve(db, version, evidence=evidence, caller=caller, now=NOW)


def activate(db, version, evidence: Evidence | None = SEEN) -> bool:
    return rulesets.activate(
        db,
        version.ruleset_code,
        version.version_id,
        effective_from=JANUARY,
        backtested=lambda _, __: evidence,
        caller=AUTHOR,
        now=NOW,
    )


def refusal(db, version, evidence: Evidence | None = SEEN) -> NotPermitted:
    with pytest.raises(NotPermitted) as refused:
        activate(db, version, evidence)
    assert db.execute(select(func.count()).select_from(ruleset_activation)).scalar_one() == 0
    return refused.value


class TestWithoutApproval:
    def test_nothing_is_activated(self, database):
        with database.write() as db:
            refused = refusal(db, draft(db))

        assert refused.code == "approval_required"
        assert "second person" in refused.message

    def test_the_word_for_another_version_does_not_count_and_the_refusal_says_so(self, database):
        with database.write() as db:
            approve(db, draft(db), person(db))
            refused = refusal(db, draft(db, accrual_document(rate="2")))

        assert refused.code == "approval_required"
        assert "is of version 1: the rule has changed" in refused.message


class TestWhoApproves:
    def test_another_person_can(self, database):
        with database.write() as db:
            version, approver = draft(db), person(db)
            approve(db, version, approver)

            assert activate(db, version) is True
            assert db.execute(select(ruleset_activation.c.approved_by)).scalar_one() == approver.actor

    def test_the_author_cannot(self, database):
        with database.write() as db:
            author = person(db, Role.ADMIN)
            version = draft(db, caller=author)
            with pytest.raises(NotPermitted) as refused:
                approve(db, version, author)

        assert refused.value.code == "own_approval"

    def test_the_author_cannot_with_another_key(self, database):
        with database.write() as db:
            author = make_user(db, Role.ADMIN)
            texts = [make_user_key(db, user=author)[1] for _ in range(2)]
            first, second = (Caller(keys.authenticate(db, text, now=NOW).actor, "test") for text in texts)
            version = draft(db, caller=first)
            with pytest.raises(NotPermitted) as refused:
                approve(db, version, second)

        assert refused.value.code == "own_approval"

    def test_a_partners_key_is_nobody(self, database):
        with database.write() as db:
            text = make_partner_key(db, ACME)[1]
            caller = Caller(keys.authenticate(db, text, now=NOW).actor, "test")
            with pytest.raises(NotPermitted) as refused:
                approve(db, draft(db), caller)

        assert refused.value.code == "not_an_approver"

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
    def test_other_roles_cannot(self, database, role):
        with database.write() as db, pytest.raises(NotPermitted) as refused:
            approve(db, draft(db), person(db, role))

        assert refused.value.code == "not_an_approver"

    def test_another_partners_user_cannot(self, database):
        with database.write() as db, pytest.raises(NotPermitted) as refused:
            approve(db, draft(db), person(db, partner_id=OTHER))

        assert refused.value.code == "not_an_approver"

    def test_a_partners_user_can_for_its_own_but_not_for_what_all_partners_use(self, database):
        with database.write() as db:
            own = person(db, partner_id=ACME)
            assert approve(db, draft(db), own).approved_by == own.actor
            shared = draft(db, accrual_document("shared_rule", partner=None), partner_id=None)
            with pytest.raises(NotPermitted) as refused:
                approve(db, shared, own)

        assert refused.value.code == "not_an_approver"

    def test_a_disabled_user_cannot(self, database):
        with database.write() as db:
            caller = person(db)
            db.execute(update(user_account).values(status=users.DISABLED))
            with pytest.raises(NotPermitted):
                approve(db, draft(db), caller)

    def test_the_roles_that_may_have_the_scope(self):
        assert {role for role, scopes in ROLE_SCOPES.items() if "rules:approve" in scopes} == {
            Role.ADMIN,
            Role.APPROVER,
        }


class TestWhatIsApproved:
    def test_could_decide(self, database):
        red = accrual_document()
        red["cases"][0]["expect"] = {"points": "1.00"}
        with database.write() as db, pytest.raises(GatesClosed):
            approve(db, draft(db, red), person(db))

    def test_the_same_word_again_is_the_same_approval(self, database):
        with database.write() as db:
            version, approver = draft(db), person(db)
            first = approve(db, version, approver)

            assert approve(db, version, approver) == first
            assert db.execute(select(func.count()).select_from(ruleset_approval)).scalar_one() == 1

    def test_is_in_the_audit_trail(self, database):
        with database.write() as db:
            approver = person(db)
            made = approve(db, draft(db), approver)
            [entry] = db.execute(select(audit_event).where(audit_event.c.action == "ruleset.approved")).all()

        assert (entry.actor, entry.subject) == (approver.actor, "acme.accrual")
        assert made.bound_hash.hex() in entry.after

    def test_without_a_back_test_is_bound_to_there_being_none(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db), None)

            assert refusal(db, version).code == "approval_void"
            assert activate(db, version, None) is True


class TestAVoidApproval:
    @pytest.mark.parametrize(
        ("evidence", "changed"),
        [
            (Evidence(b"c" * 16, b"D" * 32, b"r" * 32), {"data"}),
            (Evidence(b"c" * 16, b"d" * 32, b"R" * 32), {"result"}),
            (Evidence(b"c" * 16, b"D" * 32, b"R" * 32), {"data", "result"}),
            (None, {"data", "result"}),
        ],
    )
    def test_by_another_back_test(self, database, evidence, changed):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))
            refused = refusal(db, version, evidence)

        assert refused.code == "approval_void"
        assert {fault.pointer for fault in refused.faults} == {f"/approval/{what}" for what in changed}

    def test_but_not_by_a_back_test_that_read_and_gave_the_same(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))

            assert activate(db, version, Evidence(b"c" * 16, SEEN.data_hash, SEEN.result_hash)) is True

    def test_by_a_case_that_was_added(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))
            golden.put(db, "acme.accrual", "four-hours", golden_case(), caller=AUTHOR, now=NOW)
            refused = refusal(db, version)

        assert (refused.code, [fault.pointer for fault in refused.faults]) == ("approval_void", ["/approval/tests"])
        assert "its cases" in refused.message

    def test_by_a_code_table_that_changed(self, database):
        with database.write() as db:
            code_table(db, ACME, document("code-tables/harbor-hotels.grade-allowance"))
            version = draft(db, document("rulesets/harbor-hotels.accrual"))
            approve(db, version, person(db))
            code_table(db, ACME, table_document("harbor-hotels.other"))
            standing = approvals.standing(db, version, evidence=SEEN)
            code_table(db, ACME, table_document("harbor-hotels.grade-allowance", {"E1": "1"}))
            refused = refusal(db, version)

        assert standing.valid
        assert [fault.pointer for fault in refused.faults] == ["/approval/code_tables"]

    def test_by_text_that_was_changed_past_the_hub(self, database, monkeypatch):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))
            content = db.execute(select(ruleset_version.c.content)).scalar_one()
            db.execute(update(ruleset_version).values(content=content.replace('"why":"A rule', '"why":"Another rule')))
            # Another process, which does not know the version yet.
            monkeypatch.setattr(versions, "_cache", type(versions._cache)())
            refused = refusal(db, rulesets.version(db, version.version_id))

        assert "/approval/rule" in [fault.pointer for fault in refused.faults]

    def test_by_an_approver_who_may_not_any_more(self, database):
        with database.write() as db:
            version, approver = draft(db), person(db)
            approve(db, version, approver)
            db.execute(update(user_account).values(role=Role.VIEWER.value))
            refused = refusal(db, version)

        assert [fault.pointer for fault in refused.faults] == ["/approval/approver"]

    def test_is_mended_by_a_new_one(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))
            golden.put(db, "acme.accrual", "four-hours", golden_case(), caller=AUTHOR, now=NOW)
            assert refusal(db, version).code == "approval_void"
            approve(db, version, person(db))

            assert activate(db, version) is True


class TestWhatDecidesAlready:
    def test_is_not_asked_for_approval_again(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))
            activate(db, version)

            assert activate(db, version, None) is False
