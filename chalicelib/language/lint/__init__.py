"""Lints: what a rule says that its author cannot have meant. Pure; the rule has been checked and loads.

Modules: ``findings`` (codes), ``reach`` (a walk over conditions and branches), ``reasoning`` and ``assuming`` (what
values an expression can have, given what is known), ``tables``, ``rows`` and ``witness`` (decision tables), ``unused``,
``conflicts`` (several rulesets).
"""

from chalicelib.language.lint.conflicts import Deciding, conflicts
from chalicelib.language.lint.examine import Examined, examine
from chalicelib.language.lint.findings import CODES, Code, Finding, Severity, in_order, of_fault
from chalicelib.language.lint.subject import Subject

__all__ = [
    "CODES",
    "Code",
    "Deciding",
    "Examined",
    "Finding",
    "Severity",
    "Subject",
    "conflicts",
    "examine",
    "in_order",
    "of_fault",
]
