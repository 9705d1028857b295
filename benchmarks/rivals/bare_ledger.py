"""The bound of ``benchmarks.ledger``: the same rows by hand, with a conditional UPDATE in place of every check.

PyMySQL, one transaction an operation, statements that are known beforehand: no rule is asked, no lot is looked for, no
key is compared, nothing is read at all. What remains is the price of the rows.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pymysql

_DAY = date(2026, 11, 20)
_EXPIRES = date(2028, 11, 30)
_ACCOUNT = """UPDATE account SET entry_no = LAST_INSERT_ID(entry_no + %s), hold_changes = hold_changes + %s,
 debits_pending = debits_pending + %s, debits_posted = debits_posted + %s, credits_posted = credits_posted + %s,
 unearned_minor = unearned_minor + %s, changed_at = %s
 WHERE id = %s AND credits_posted - debits_posted - debits_pending >= %s"""
_DELIVERY = """INSERT INTO delivery (id, partner_id, target_id, kind, entity, entity_key, unclaimed, state, attempts,
 failures, next_at, created_at, changed_at) VALUES (%s,%s,%s,'state','balance',%s,1,'ready',0,0,%s,%s,%s)
 ON DUPLICATE KEY UPDATE changed_at = VALUES(changed_at)"""
_TRANSFER = """INSERT INTO transfer (id, partner_id, program_id, account_id, entry_no, version, debit_account_id,
 credit_account_id, amount_minor, kind, source_id, business_date, posted_at)
 VALUES (%s,%s,%s,%s,LAST_INSERT_ID(),LAST_INSERT_ID(),%s,%s,1,%s,%s,%s,%s)"""
_EVENT = """INSERT INTO accrual_event (id, partner_id, event_id, content_hash, program_id, member_id, account_id,
 event_type, event_date, outcome, points_minor, ruleset_version_id, facts, actor, correlation_id, received_at)
 VALUES (%s,%s,%s,%s,%s,%s,%s,'HOURS',%s,'posted',1,%s,%s,'bench','bench',%s)"""
_ACCOUNTS = """INSERT INTO account (id, partner_id, program_id, kind, owner_id, created_at, changed_at, entry_no,
 credits_posted, credits_pending, debits_pending, debits_posted, hold_changes, overdrawn_minor, unearned_minor)
 VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s) ON DUPLICATE KEY UPDATE entry_no = entry_no + VALUES(entry_no),
 credits_posted = credits_posted + VALUES(credits_posted), changed_at = VALUES(changed_at)"""
# PyMySQL sends many rows at once only where nothing but placeholders are between the brackets.
_EVENTS = """INSERT INTO accrual_event (id, partner_id, event_id, content_hash, program_id, member_id, account_id,
 event_type, event_date, outcome, points_minor, ruleset_version_id, facts, actor, correlation_id, received_at)
 VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)"""
_TRANSFERS = """INSERT INTO transfer (id, partner_id, program_id, account_id, entry_no, version, debit_account_id,
 credit_account_id, amount_minor, kind, source_id, business_date, posted_at)
 VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)"""
_LOTS = """INSERT INTO lot (id, partner_id, account_id, expires_on, amount_minor, remaining_minor, held_minor)
 VALUES (%s,%s,%s,%s,%s,%s,%s)"""
_DELIVERIES = """INSERT INTO delivery (id, partner_id, target_id, kind, entity, entity_key, unclaimed, state, attempts,
 failures, next_at, created_at, changed_at) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)
 ON DUPLICATE KEY UPDATE changed_at = VALUES(changed_at)"""
_LOT = """INSERT INTO lot (id, partner_id, account_id, expires_on, amount_minor, remaining_minor, held_minor)
 VALUES (%s,%s,%s,'2028-11-30',1,1,0)"""
_HOLD = """INSERT INTO hold (id, partner_id, program_id, account_id, reference, amount_minor, captured_minor,
 released_minor, state, actor, correlation_id, created_at, changed_at)
 VALUES (%s,%s,%s,%s,%s,1,0,0,'open','bench','bench',%s,%s)"""
_HOLD_LOT = """INSERT INTO hold_lot (hold_id, lot_id, partner_id, amount_minor, captured_minor, released_minor)
 VALUES (%s,%s,%s,1,0,0)"""
_COVER = "UPDATE lot SET held_minor = held_minor + 1 WHERE id = %s AND remaining_minor > held_minor"
_TAKE = "UPDATE lot SET held_minor = held_minor - 1, remaining_minor = remaining_minor - 1 WHERE id = %s"
_GIVE = "UPDATE lot SET remaining_minor = remaining_minor + 1 WHERE id = %s"
_CAPTURED = """UPDATE hold SET captured_minor = captured_minor + 1, state = 'captured', changed_at = %s
 WHERE id = %s AND amount_minor > captured_minor + released_minor"""
_CAPTURED_LOT = "UPDATE hold_lot SET captured_minor = captured_minor + 1 WHERE hold_id = %s AND lot_id = %s"
_REDEMPTION = """INSERT INTO redemption (id, partner_id, program_id, account_id, within_id, reference, hold_id,
 transfer_id, amount_minor, business_date, actor, correlation_id, redeemed_at)
 VALUES (%s,%s,%s,%s,%s,%s,%s,%s,1,%s,'bench','bench',%s)"""
_LINE = """INSERT INTO redemption_line (redemption_id, line_no, partner_id, line, amount_minor, refunded_minor)
 VALUES (%s,1,%s,'all',1,0)"""
_USE = "INSERT INTO lot_use (transfer_id, lot_id, partner_id, amount_minor) VALUES (%s,%s,%s,%s)"
_REFUND = """INSERT INTO refund (id, partner_id, redemption_id, reference, transfer_id, amount_minor, business_date,
 actor, correlation_id, refunded_at) VALUES (%s,%s,%s,%s,%s,1,%s,'bench','bench',%s)"""
_REFUND_LINE = """INSERT INTO refund_line (refund_id, redemption_id, line_no, partner_id, amount_minor)
 VALUES (%s,%s,1,%s,1)"""
_REFUNDED = """UPDATE redemption_line SET refunded_minor = refunded_minor + 1
 WHERE redemption_id = %s AND amount_minor > refunded_minor"""


@dataclass(frozen=True, slots=True)
class Member:
    """Whose rows are written: the account, its owner, and a lot with points in it."""

    account_id: bytes
    member_id: bytes
    lot_id: bytes


class Bare:
    """One connection that does each operation for one minor unit; all ids are given."""

    def __init__(self, options: Mapping[str, Any], ids: Mapping[str, bytes], facts: str) -> None:
        self._connection = pymysql.connect(**options)
        self._connection.cursor().execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self._ids = ids
        self._facts = facts

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def accrue(self, of: Member, event_id: bytes) -> None:
        """One accrual: event, transfer, lot, account, delivery."""
        now, partner, program = self._start()
        transfer = uuid.uuid4().bytes
        version = self._ids["version"]
        event = (event_id, partner, event_id.hex(), bytes(32), program, of.member_id, of.account_id, _DAY, version)
        self._commit(
            of,
            now,
            (1, 0, 0, 0, 1, 0),
            [
                (_EVENT, (*event, self._facts, now)),
                self._transfer(transfer, of, "issuance", "accrual", event_id, now),
                (_LOT, (transfer, partner, of.account_id)),
            ],
        )

    def accrue_slice(self, of: Sequence[Member], event_ids: Sequence[bytes]) -> None:
        """The same for many events in one transaction: each table's rows in one statement, sorted by account."""
        now, partner, program = self._start()
        cursor = self._connection.cursor()
        owners = {each.account_id: each.member_id for each in of}
        names = sorted(owners)
        listed = ",".join(["%s"] * len(names))
        cursor.execute(f"SELECT id, entry_no FROM account WHERE id IN ({listed}) ORDER BY id FOR UPDATE", names)  # noqa: S608 - placeholders
        entry_no: dict[bytes, int] = dict(cursor.fetchall())
        events, transfers, lots = [], [], []
        gained = dict.fromkeys(names, 0)
        for member, event_id in sorted(zip(of, event_ids, strict=True), key=lambda pair: pair[0].account_id):
            account, transfer = member.account_id, uuid.uuid4().bytes
            gained[account] += 1
            number = entry_no[account] + gained[account]
            events.append((event_id, partner, event_id.hex(), bytes(32), program, member.member_id, account, "HOURS",
                           _DAY, "posted", 1, self._ids["version"], self._facts, "bench", "bench", now))  # fmt: skip
            transfers.append((transfer, partner, program, account, number, number, self._ids["issuance"], account, 1,
                              "accrual", event_id, _DAY, now))  # fmt: skip
            lots.append((transfer, partner, account, _EXPIRES, 1, 1, 0))
        cursor.executemany(_EVENTS, events)
        cursor.executemany(_TRANSFERS, transfers)
        cursor.executemany(_LOTS, lots)
        cursor.executemany(
            _ACCOUNTS,
            [
                (each, partner, program, "member", owners[each], now, now, gained[each], gained[each], *[0] * 6)
                for each in names
            ],
        )
        state = (partner, self._ids["target"], "state", "balance")
        cursor.executemany(
            _DELIVERIES,
            [(uuid.uuid4().bytes, *state, each.hex(), 1, "ready", 0, 0, now, now, now) for each in names],
        )
        self._connection.commit()

    def hold(self, of: Member, hold_id: bytes) -> None:
        """One hold: hold, its lot, the lot, account, delivery."""
        now, partner, program = self._start()
        self._commit(
            of,
            now,
            (0, 1, 1, 0, 0, 0),
            [
                (_HOLD, (hold_id, partner, program, of.account_id, hold_id.hex(), now, now)),
                (_HOLD_LOT, (hold_id, of.lot_id, partner)),
                (_COVER, (of.lot_id,)),
            ],
            needed=1,
        )

    def capture(self, of: Member, hold_id: bytes) -> None:
        """One capture: transfer, redemption with its line, lots, hold, account, delivery."""
        now, partner, program = self._start()
        redemption, transfer = hold_id[::-1], uuid.uuid4().bytes
        ids = (redemption, partner, program, of.account_id, hold_id, "all", hold_id, transfer)
        self._commit(
            of,
            now,
            (1, 0, -1, 1, 0, 0),
            [
                self._transfer(transfer, of, "redemption", "redemption", redemption, now, gained=False),
                (_REDEMPTION, (*ids, _DAY, now)),
                (_LINE, (redemption, partner)),
                (_USE, (transfer, of.lot_id, partner, 1)),
                (_TAKE, (of.lot_id,)),
                (_CAPTURED, (now, hold_id)),
                (_CAPTURED_LOT, (hold_id, of.lot_id)),
            ],
        )

    def refund(self, of: Member, hold_id: bytes) -> None:
        """One refund of such a capture: transfer, refund with its line, lots, account, delivery."""
        now, partner, _ = self._start()
        redemption, transfer, refund = hold_id[::-1], uuid.uuid4().bytes, uuid.uuid4().bytes
        self._commit(
            of,
            now,
            (1, 0, 0, 0, 1, 1),
            [
                self._transfer(transfer, of, "redemption", "refund", refund, now),
                (_REFUND, (refund, partner, redemption, "all", transfer, _DAY, now)),
                (_REFUND_LINE, (refund, redemption, partner)),
                (_REFUNDED, (redemption,)),
                (_USE, (transfer, of.lot_id, partner, -1)),
                (_GIVE, (of.lot_id,)),
            ],
        )

    def _start(self) -> tuple[datetime, bytes, bytes]:
        return datetime.now(UTC).replace(tzinfo=None), self._ids["partner"], self._ids["program"]

    def _transfer(
        self, transfer: bytes, of: Member, house: str, kind: str, source: bytes, now: datetime, *, gained: bool = True
    ) -> tuple[str, Sequence[object]]:
        sides = (self._ids[house], of.account_id) if gained else (of.account_id, self._ids[house])
        ids = (transfer, self._ids["partner"], self._ids["program"], of.account_id)
        return _TRANSFER, (*ids, *sides, kind, source, _DAY, now)

    def _commit(
        self,
        of: Member,
        now: datetime,
        counters: Sequence[int],
        statements: Sequence[tuple[str, Sequence[object]]],
        *,
        needed: int = -(10**18),
    ) -> None:
        cursor = self._connection.cursor()
        if cursor.execute(_ACCOUNT, (*counters, now, of.account_id, needed)) != 1:
            raise RuntimeError("The conditional update found no points.")
        for statement, values in statements:
            if cursor.execute(statement, values) != 1:
                raise RuntimeError(f"A statement wrote nothing: {statement}")
        delivery = (uuid.uuid4().bytes, self._ids["partner"], self._ids["target"], of.account_id.hex(), now, now, now)
        cursor.execute(_DELIVERY, delivery)
        self._connection.commit()
