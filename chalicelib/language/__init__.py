"""The strict JsonLogic dialect of rules: documents are parsed, checked, lowered, emitted and loaded as functions.

Pure: a decision depends on the document, the record, the date and the code tables that are given, on nothing else.

Reading records and documents is imported with this package; the compiler, which is most of it, with the first rule that
is compiled: many a process never compiles one (cold start budget).
"""

from chalicelib.language.cases import CaseResult
from chalicelib.language.compile import compile_expression, compile_fields, compile_ruleset
from chalicelib.language.compiled import Compiled
from chalicelib.language.declared import Aggregate, Declared, DeclaredOutput
from chalicelib.language.faults import DecisionRefused, InputRefused, RuleFault, RuleRefused
from chalicelib.language.kinds import CodeTables, Value, json_value
from chalicelib.language.parse import parse_json

__all__ = [
    "Aggregate",
    "CaseResult",
    "CodeTables",
    "Compiled",
    "DecisionRefused",
    "Declared",
    "DeclaredOutput",
    "InputRefused",
    "RuleFault",
    "RuleRefused",
    "Value",
    "compile_expression",
    "compile_fields",
    "compile_ruleset",
    "json_value",
    "parse_json",
]
