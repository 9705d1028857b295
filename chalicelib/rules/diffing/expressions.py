"""What differs between two expressions, told by the smallest parts that say something by themselves."""

from collections.abc import Iterator, Sequence

from chalicelib.language.parse import Call, Items, Literal, Tree
from chalicelib.records import dataclass
from chalicelib.rules.diffing.change import Change, Kind, Pair
from chalicelib.rules.diffing.forms import Forms
from chalicelib.rules.rendering.words import Words

#: Of a longer expression only the part that differs is told.
_CONTEXT_CHARACTERS_MAX = 100
_LEAVES = frozenset({"var", "table", "lookup"})
_IF = frozenset({"if", "?:"})


@dataclass(frozen=True, slots=True)
class Expressions:
    """Compares expressions of two documents."""

    pair: Pair
    before: Forms
    after: Forms
    words: Words

    def same(self, left: Tree, right: Tree) -> bool:
        """Whether two expressions decide alike."""
        return self.before.of(left) == self.after.of(right)

    def condition(self, left: Tree | None, right: Tree | None, kind: Kind, subject: str) -> Iterator[Change]:
        """What was added to a condition, taken from it, or changed in it."""
        if left is None or right is None:
            yield from self._absent(left, right, kind, subject)
            return
        if self.same(left, right):
            return
        operator = _connective(left) or _connective(right)
        if operator is not None and _connective(left) in {None, operator} and _connective(right) in {None, operator}:
            yield from self._joined(_parts(self.before, left), _parts(self.after, right), operator, kind, subject)
            return
        yield from self.value(left, right, kind, subject)

    def value(self, left: Tree, right: Tree, kind: Kind, subject: str) -> Iterator[Change]:
        """What differs between two values."""
        for one, other, whole_one, whole_other in self._differing(left, right, left, right):
            told, now = self._context(one, whole_one), self._context(other, whole_other)
            yield self.pair.change(kind, f"{subject}: {told} → {now}", one.pointer, other.pointer)

    def _absent(self, left: Tree | None, right: Tree | None, kind: Kind, subject: str) -> Iterator[Change]:
        for tree, verb, forms in ((left, "no longer", self.before), (right, "new", self.after)):
            if tree is None:
                continue
            parts = _parts(forms, tree) if _connective(tree) == "and" else [tree]
            for part in parts:
                told = f"{verb} {subject}: {self.words.held(part).text}"
                was, now = (part.pointer, None) if tree is left else (None, part.pointer)
                yield self.pair.change(kind, told, was, now)

    def _joined(
        self, left: Sequence[Tree], right: Sequence[Tree], operator: str, kind: Kind, subject: str
    ) -> Iterator[Change]:
        """The parts of ``and`` and ``or``: each is there or not, wherever it stands."""
        forms = {self.after.of(part) for part in right}
        gone = [part for part in left if self.before.of(part) not in forms]
        forms = {self.before.of(part) for part in left}
        new = [part for part in right if self.after.of(part) not in forms]
        if not gone and not new:
            first, last = left[0], right[0]
            told = f"{subject}: the same parts in another order, which counts where one of them may refuse a record"
            yield self.pair.change(kind, told, first.pointer, last.pointer)
            return
        for part in gone:
            other = next((one for one in new if self._akin(part, one)), None)
            if other is None:
                told = f"no longer {_part_of(subject, operator)}: {self.words.held(part).text}"
                yield self.pair.change(kind, told, part.pointer, None)
                continue
            new.remove(other)
            told = f"{self.words.held(part).text} → {self.words.held(other).text}"
            yield self.pair.change(kind, f"{subject}: {told}", part.pointer, other.pointer)
        for part in new:
            told = f"new {_part_of(subject, operator)}: {self.words.held(part).text}"
            yield self.pair.change(kind, told, None, part.pointer)

    def _akin(self, left: Tree, right: Tree) -> bool:
        """Whether two conditions test the same thing."""
        if not isinstance(left, Call) or not isinstance(right, Call) or not left.arguments or not right.arguments:
            return False
        if isinstance(left.arguments[0], Literal):
            return left.operator == right.operator
        return self.same(left.arguments[0], right.arguments[0])

    def _differing(
        self, left: Tree, right: Tree, whole_left: Tree, whole_right: Tree
    ) -> Iterator[tuple[Tree, Tree, Tree, Tree]]:
        """The smallest pairs of parts that differ, each with what it stands in."""
        if self.same(left, right):
            return
        alike = (
            isinstance(left, Call)
            and isinstance(right, Call)
            and _spelling(left) == _spelling(right)
            and left.operator not in _LEAVES
            and len(left.arguments) == len(right.arguments)
            and self.before.options(left) == self.after.options(right)
        )
        if not alike or not isinstance(left, Call) or not isinstance(right, Call):
            yield left, right, whole_left, whole_right
            return
        pairs = [
            (one, other)
            for one, other in zip(left.arguments, right.arguments, strict=True)
            if not self.same(one, other)
        ]
        if not pairs or (len(pairs) > 1 and _spelling(left) != "if"):
            yield left, right, whole_left, whole_right
            return
        for one, other in pairs:
            yield from self._differing(one, other, left, right)

    def _context(self, tree: Tree, whole: Tree) -> str:
        """A part in words; a constant with what it stands in, if that is short."""
        told = self.words.tree(tree)
        if (
            isinstance(tree, Literal | Items)
            and whole is not tree
            and not (isinstance(whole, Call) and whole.operator in _IF)
        ):
            around = self.words.tree(whole)
            return around if len(around) <= _CONTEXT_CHARACTERS_MAX else told
        return told


def _connective(tree: Tree) -> str | None:
    return tree.operator if isinstance(tree, Call) and tree.operator in {"and", "or"} else None


def _parts(forms: Forms, tree: Tree) -> list[Tree]:
    return forms.parts(tree) if isinstance(tree, Call) and _connective(tree) else [tree]


def _spelling(call: Call) -> str:
    return "if" if call.operator in _IF else call.operator


def _part_of(subject: str, operator: str) -> str:
    return subject if operator == "and" else f"alternative of {subject}"
