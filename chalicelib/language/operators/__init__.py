"""The operator registry: every operator of the language by name, in the order in which people learn them."""

from collections.abc import Mapping
from types import MappingProxyType

from chalicelib.language.check import Operator
from chalicelib.language.operators import dates, lists, logic, lookups, matching, missing, money, numbers, objects, text
from chalicelib.language.parse import Grammar

_FAMILIES = (logic, missing, numbers, money, text, matching, dates, lists, objects, lookups)

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {operator.name: operator for family in _FAMILIES for operator in family.OPERATORS}
)
GRAMMAR: Grammar = {operator.name: (operator.arguments_min, operator.options) for operator in OPERATORS.values()}
