"""What a key may do, and what each role and each partner may be given at most."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Scope(StrEnum):
    """One right, as it is written in a key and in the OpenAPI document."""

    PARTNERS_READ = "partners:read"
    PARTNERS_ADMIN = "partners:admin"
    PROGRAMS_READ = "programs:read"
    PROGRAMS_ADMIN = "programs:admin"
    MEMBERS_READ = "members:read"
    #: Names, mail, phone and address unmasked.
    MEMBERS_PERSONAL = "members:personal"
    MEMBERS_WRITE = "members:write"
    #: Erase what is known of a person, for ever.
    MEMBERS_ERASE = "members:erase"
    #: The retailer's articles, prices and stock.
    CATALOG_READ = "catalog:read"
    CATALOG_WRITE = "catalog:write"
    #: Customers of the store, as outside systems know them.
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    ACCRUALS_READ = "accruals:read"
    ACCRUALS_WRITE = "accruals:write"
    LEDGER_READ = "ledger:read"
    #: Correct what was given: adjust, take back an accrual, run an expiry.
    LEDGER_ADJUST = "ledger:adjust"
    #: Decide about an adjustment that somebody else asked for.
    LEDGER_APPROVE = "ledger:approve"
    #: Recompute the ledger and its hash chain.
    LEDGER_VERIFY = "ledger:verify"
    #: Say what SAP or NetSuite did with a document of the books.
    POSTINGS_ANSWER = "postings:answer"
    #: Hold, redeem and refund a member's points: the store's and the order system's right, not a partner's.
    POINTS_SPEND = "points:spend"
    #: Ask for more points or pieces for a member.
    INCREASES_WRITE = "increases:write"
    #: Decide about such a request of somebody else: a manager of the partner.
    INCREASES_APPROVE = "increases:approve"
    FILES_READ = "files:read"
    #: Mend, resubmit, try and upload files.
    FILES_WRITE = "files:write"
    #: Take back everything that a file brought.
    FILES_ROLLBACK = "files:rollback"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_WRITE = "deliveries:write"
    RULES_READ = "rules:read"
    RULES_WRITE = "rules:write"
    #: Be the second person behind a rule.
    RULES_APPROVE = "rules:approve"
    USERS_ADMIN = "users:admin"
    KEYS_ADMIN = "keys:admin"
    #: Exchange the secret of one's own keys.
    KEYS_ROTATE = "keys:rotate"
    AUDIT_READ = "audit:read"
    SCHEDULES_READ = "schedules:read"
    #: Have one of the hub's jobs run now.
    SCHEDULES_RUN = "schedules:run"
    #: Say how long each class of data is kept.
    RETENTION_ADMIN = "retention:admin"


class Role(StrEnum):
    """What a user is; it bounds the scopes of the user's keys."""

    ADMIN = "admin"
    #: Writes rules and what they are part of, and gives nobody a key: so another person can approve them.
    AUTHOR = "author"
    OPERATOR = "operator"
    APPROVER = "approver"
    VIEWER = "viewer"


_READS: Final = frozenset(
    {
        Scope.PARTNERS_READ,
        Scope.PROGRAMS_READ,
        Scope.MEMBERS_READ,
        Scope.CATALOG_READ,
        Scope.ACCRUALS_READ,
        Scope.LEDGER_READ,
        Scope.FILES_READ,
        Scope.DELIVERIES_READ,
        Scope.RULES_READ,
        Scope.SCHEDULES_READ,
    }
)

#: The most that a user's keys may carry, by the user's role.
ROLE_SCOPES: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(Scope),
        Role.AUTHOR: _READS
        | {Scope.PARTNERS_ADMIN, Scope.PROGRAMS_ADMIN, Scope.RULES_WRITE, Scope.AUDIT_READ, Scope.KEYS_ROTATE},
        Role.OPERATOR: _READS
        | {
            Scope.MEMBERS_PERSONAL,
            Scope.MEMBERS_WRITE,
            Scope.CATALOG_WRITE,
            Scope.CUSTOMERS_READ,
            Scope.CUSTOMERS_WRITE,
            Scope.ACCRUALS_WRITE,
            Scope.LEDGER_ADJUST,
            Scope.POINTS_SPEND,
            Scope.POSTINGS_ANSWER,
            Scope.INCREASES_WRITE,
            Scope.FILES_WRITE,
            Scope.DELIVERIES_WRITE,
            Scope.SCHEDULES_RUN,
            Scope.KEYS_ROTATE,
        },
        Role.APPROVER: _READS
        | {Scope.RULES_APPROVE, Scope.LEDGER_APPROVE, Scope.INCREASES_APPROVE, Scope.AUDIT_READ, Scope.KEYS_ROTATE},
        Role.VIEWER: _READS | {Scope.KEYS_ROTATE},
    }
)

#: The most that a partner's own key may carry: its own data, no administration.
PARTNER_SCOPES: Final = (_READS - {Scope.RULES_READ, Scope.SCHEDULES_READ}) | {
    Scope.MEMBERS_PERSONAL,
    Scope.MEMBERS_WRITE,
    Scope.ACCRUALS_WRITE,
    Scope.INCREASES_WRITE,
    Scope.INCREASES_APPROVE,
    Scope.FILES_WRITE,
    Scope.KEYS_ROTATE,
}
