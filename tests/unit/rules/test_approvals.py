"""A second person: another user than the author, in reach, bound to what was seen; any change makes the word void."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from chalicelib.access import keys, users
from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event, user_account
from chalicelib.access.scopes import ROLE_SCOPES, Role
from chalicelib.errors import InvalidInput, NotPermitted
from chalicelib.rules import activation, approvals, golden, rulesets, versions
from chalicelib.rules.backtested import Evidence, Run
from chalicelib.rules.gates import GatesClosed
from chalicelib.rules.models import ruleset_activation, ruleset_approval, ruleset_version
from chalicelib.storage.ids import public_id, raw_id
from tests.factories.access import make_partner_key, make_user, make_user_key
from tests.factories.rules import AUTHOR, accrual_document, code_table, document, golden_case, table_document

ACME = b"acme" * 4
OTHER = b"othr" * 4
JANUARY = date(2026, 1, 1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR
#: What the approver saw.
FIRST = Run(b"b" * 16, ACME, b"d" * 32, b"r" * 32, NOW - timedelta(hours=2))
SEEN = Evidence((FIRST,))

pytestmark = pytest.mark.usefixtures("approval_required")


def draft(db, written=None, *, partner_id=ACME, caller=AUTHOR):
    saved = rulesets.save(db, written or accrual_document(), partner_id=partner_id, caller=caller, now=NOW)
    return rulesets.version(db, saved.version_id)


def person(db, role=Role.APPROVER, partner_id=None) -> Caller:
    return Caller(public_id("usr", make_user(db, role, partner_id=partner_id).id), "test-approvals")


def key_of(db, caller: Caller) -> bytes:
    """A key of theirs that nobody else ever had."""
    user = users.find(db, raw_id("usr", caller.actor), partner_id=None)
    return make_user_key(db, user=user)[0].id


def approve(db, version, caller, evidence: Evidence | None = SEEN, **said) -> approvals.Approval:
    given = {"effective_from": JANUARY, "now": NOW} | said
    key_id = given.pop("key_id", None) or key_of(db, caller)
    return approvals.approve(db, version, evidence=evidence, key_id=key_id, caller=caller, **given)


def later(data: bytes = FIRST.data_hash, result: bytes = FIRST.result_hash, *, number: int = 1) -> Run:
    """A back-test that finished after the one that the approver saw."""
    return Run(bytes([number]) * 16, ACME, data, result, FIRST.finished_at + timedelta(minutes=number))


def activate(db, version, evidence: Evidence | None = SEEN, *, since: date = JANUARY, now: datetime = NOW) -> bool:
    return rulesets.activate(
        db,
        version.ruleset_code,
        version.version_id,
        effective_from=since,
        backtested=lambda _, __: evidence,
        caller=AUTHOR,
        now=now,
    )


def refusal(db, version, evidence: Evidence | None = SEEN, **asked) -> NotPermitted:
    with pytest.raises(NotPermitted) as refused:
        activate(db, version, evidence, **asked)
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
                approve(db, draft(db), caller, key_id=b"k" * 16)

        assert refused.value.code == "not_an_approver"

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUTHOR])
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
            key_id = key_of(db, caller)
            db.execute(update(user_account).values(status=users.DISABLED))
            with pytest.raises(NotPermitted):
                approve(db, draft(db), caller, key_id=key_id)

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
            (Evidence((FIRST, later(data=b"D" * 32))), {"data"}),
            (Evidence((FIRST, later(result=b"R" * 32))), {"result"}),
            (Evidence((FIRST, later(b"D" * 32, b"R" * 32))), {"data", "result"}),
            (Evidence((later(b"D" * 32), FIRST, later(number=2))), {"data"}),
            (Evidence((FIRST, replace(later(), partner_id=OTHER))), {"data", "result"}),
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

            earlier = replace(later(b"D" * 32, b"R" * 32, number=2), finished_at=FIRST.finished_at - timedelta(hours=1))

            assert activate(db, version, Evidence((earlier, FIRST, later()))) is True

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
            standing = approvals.standing(db, version, evidence=SEEN, now=NOW)
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


class TestADay:
    def test_earlier_than_the_approved_one_is_refused(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db), effective_from=date(2026, 12, 1))
            refused = refusal(db, version, since=date(2026, 11, 30))

            assert activate(db, version, since=date(2026, 12, 1)) is True

        assert (refused.code, [fault.pointer for fault in refused.faults]) == (
            "approval_void",
            ["/approval/effective_from"],
        )
        assert "for 2026-12-01 and later" in refused.message

    def test_that_nobody_names_is_the_day_of_the_approval_or_the_first_of_the_document(self, database):
        begins = accrual_document(rate="2", effective={"from": "2027-01-01"})
        with database.write() as db:
            assert approve(db, draft(db), person(db), effective_from=None).effective_from == NOW.date()
            assert approve(db, draft(db, begins), person(db), effective_from=None).effective_from == date(2027, 1, 1)

    def test_for_which_the_version_is_not_meant_is_refused(self, database):
        begins = accrual_document(effective={"from": "2027-01-01"})
        with database.write() as db, pytest.raises(InvalidInput, match="is not meant for 2026-12-31"):
            approve(db, draft(db, begins), person(db), effective_from=date(2026, 12, 31))


class TestTime:
    def test_ends_an_approval_after_thirty_days(self, database):
        with database.write() as db:
            version = draft(db)
            approve(db, version, person(db))
            refused = refusal(db, version, now=NOW + timedelta(days=30))

            assert activate(db, version, now=NOW + timedelta(days=30, microseconds=-1)) is True

        assert [fault.code for fault in refused.faults] == ["expired"]

    def test_is_given_anew_by_the_same_word(self, database):
        with database.write() as db:
            version, approver = draft(db), person(db)
            first = approve(db, version, approver)
            again = approve(db, version, approver, now=NOW + timedelta(days=31))

        assert (again.bound_hash, again.id == first.id) == (first.bound_hash, False)


class TestARollback:
    def test_uses_the_approval_up(self, database):
        with database.write() as db:
            code, first = "acme.accrual", draft(db)
            approve(db, first, person(db))
            activate(db, first)
            second, approver = draft(db, accrual_document(rate="2")), person(db)
            approve(db, second, approver)
            activate(db, second)
            activation.roll_back(db, code, effective_from=JANUARY, reason="a test", caller=AUTHOR, now=LATER)
            with pytest.raises(NotPermitted) as refused:
                activate(db, second, now=LATER)
            approve(db, second, approver, now=LATER + HOUR)

            assert activate(db, second, now=LATER + HOUR) is True

        assert [fault.pointer for fault in refused.value.faults] == ["/approval/used_up"]
