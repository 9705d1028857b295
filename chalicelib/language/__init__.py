"""The strict JsonLogic dialect of rules: a document becomes a function from a record to a decision.

Pure: a decision depends on the document, the record, the date and the code tables that are given, on nothing else.

The way of a document, one module each; what stands below a step is its own::

    compile       the three documents that hold rules, and what every kind decides
    parse         JSON text -> document -> trees of operators           bounds: how large they may be
      declarations, declared    inputs, outputs, aggregates
      cases                     examples that must come true
    build         names and their order -> a checked program            order, outputs, shaping
      check                     types and nullability of expressions    names, places, narrow, kinds, conversions
      operators/                the registry: what each takes, gives and does
      tables, hit_policies, intervals       decision tables
      months, patterns, rounding, memo      what operators compute with
    lint/         what a rule says that nobody can have meant           coverage: what its cases do not reach
    lower         program (tree) -> code (code)                         lower_loops, lower_parts, lower_tables, needs
    emit          code -> Python source of whitelisted syntax
    load          source -> function, with no builtins
    compiled      the rule that others hold: read, decide, explain, lint, coverage, run_cases

The way of a record::

    reading       raw values -> typed facts, strictly
    (the loaded function)                                               budget: what one decision may spend
    interpret     the second reader: every fault of a record, and the trace of an explanation
      recording, explain, telling, wording  what was met, as JSON and in sentences
    faults        how all of them say what is wrong

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
