"""The program tree as Python source. Every name is checked to be one of ours before it is written."""

import re
from collections.abc import Iterator, Sequence

from chalicelib.errors import Broken
from chalicelib.language.code import (
    Assign,
    Attempt,
    Bound,
    Break,
    Call,
    Compare,
    Comprehension,
    Contained,
    Display,
    Do,
    Expr,
    For,
    If,
    Is,
    Joined,
    Local,
    Not,
    Null,
    Record,
    Return,
    Routine,
    Stmt,
    Subscript,
    Ternary,
)

_NAME = re.compile(r"[a-z]{1,12}(?:_[a-z]{1,12})?_[0-9]{1,6}|facts|as_of|code_tables")
_SYMBOLS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_WORDS = frozenset({"and", "or"})
INDENT = " "


def source(routines: Sequence[Routine]) -> str:
    """The text of a module with these routines."""
    return "\n".join(line for routine in routines for line in _routine(routine)) + "\n"


def _routine(routine: Routine) -> Iterator[str]:
    parameters = ", ".join(_name(parameter.name) for parameter in routine.parameters)
    yield f"def {_name(routine.name)}({parameters}):"
    yield from _block(routine.body, 1)


def _block(body: Sequence[Stmt], depth: int) -> Iterator[str]:
    for statement in body:
        yield from _statement(statement, depth)


def _statement(statement: Stmt, depth: int) -> Iterator[str]:
    indent = INDENT * depth
    match statement:
        case Assign(target=target, value=value):
            yield f"{indent}{_name(target.name)} = {expr(value)}"
        case Return(value=value):
            yield f"{indent}return {expr(value)}"
        case Do(call=call):
            yield f"{indent}{expr(call)}"
        case If():
            yield from _if(statement, depth)
        case For(target=target, source=source, body=body):
            yield f"{indent}for {_name(target.name)} in {expr(source)}:"
            yield from _block(body, depth + 1)
        case Break():
            yield f"{indent}break"
        case Attempt(body=body, failures=failures, rescue=rescue):
            yield f"{indent}try:"
            yield from _block(body, depth + 1)
            yield f"{indent}except {_name(failures.name)}:"
            yield from _statement(rescue, depth + 1)


def _if(statement: If, depth: int) -> Iterator[str]:
    indent = INDENT * depth
    word = "if"
    while True:
        yield f"{indent}{word} {expr(statement.condition)}:"
        yield from _block(statement.then, depth + 1)
        match statement.otherwise:
            case ():
                return
            case (If() as following,):
                statement, word = following, "elif"
            case otherwise:
                yield f"{indent}else:"
                yield from _block(otherwise, depth + 1)
                return


def expr(item: Expr) -> str:  # noqa: PLR0911 - one return for each construct
    """The text of an expression, in parentheses wherever it has parts."""
    match item:
        case Local(name=name) | Bound(name=name):
            return _name(name)
        case Null():
            return "None"
        case Call(function=function, arguments=arguments):
            return f"{_name(function.name)}({_listed(arguments)})"
        case Subscript(container=container, key=key):
            return f"{expr(container)}[{expr(key)}]"
        case Compare(symbol=symbol, operands=operands):
            return "(" + f" {_word(symbol, _SYMBOLS)} ".join(map(expr, operands)) + ")"
        case Joined(word=word, operands=operands):
            return "(" + f" {_word(word, _WORDS)} ".join(map(expr, operands)) + ")"
        case Not(operand=operand):
            return f"(not {expr(operand)})"
    return _rest(item)


def _rest(item: Expr) -> str:
    match item:
        case Is(left=left, right=right):
            return f"({expr(left)} is {expr(right)})"
        case Contained(item=member, container=container):
            return f"({expr(member)} in {expr(container)})"
        case Ternary(condition=condition, value=value, otherwise=otherwise):
            return f"({expr(value)} if {expr(condition)} else {expr(otherwise)})"
        case Display(items=items, pair=pair):
            return f"({_listed(items)},)" if pair else f"[{_listed(items)}]"
        case Comprehension():
            return _comprehension(item)
        case Record(entries=entries):
            return "{" + ", ".join(f"{_name(key.name)}: {expr(value)}" for key, value in entries) + "}"
    raise Broken(f"a {type(item).__name__} cannot be emitted")


def _comprehension(item: Comprehension) -> str:
    condition = "" if item.condition is None else f" if {expr(item.condition)}"
    text = f"{expr(item.value)} for {_name(item.target.name)} in {expr(item.source)}{condition}"
    return f"({text})" if item.lazy else f"[{text}]"


def _listed(items: Sequence[Expr]) -> str:
    return ", ".join(map(expr, items))


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise Broken("a name that is not the compiler's own was about to be emitted")
    return name


def _word(word: str, allowed: frozenset[str]) -> str:
    if word not in allowed:
        raise Broken("a symbol that is not the compiler's own was about to be emitted")
    return word
