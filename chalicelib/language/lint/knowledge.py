"""What is known on the way to a place of a rule: what fields can hold, and how two of them compare."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from chalicelib.language.lint.domains import Domain
from chalicelib.language.tree import Apply, Const, Fact, Form, Function, Item, Node, Shared
from chalicelib.records import dataclass

# Expressions that say the same have the same number, wherever they stand: the language has no side effects.
Key = int
Signs = frozenset[str]
ANY_SIGN: Signs = frozenset("<=>")
_MIRRORED = {"<": ">", "=": "=", ">": "<"}


def mirrored(signs: Signs) -> Signs:
    """How the second compares with the first, where the first compares by ``signs`` with the second."""
    return frozenset(_MIRRORED[sign] for sign in signs)


class Keys:
    """Numbers expressions by what they say."""

    def __init__(self) -> None:
        self._by_shape: dict[object, Key] = {}
        # The node is kept, so that its identity is not given to another one.
        self._by_node: dict[int, tuple[Key, Node]] = {}

    def of(self, node: Node) -> Key:
        """The number of ``node``."""
        known = self._by_node.get(id(node))
        if known is None:
            known = self._by_node[id(node)] = (self._by_shape.setdefault(self._shape(node), len(self._by_shape)), node)
        return known[0]

    def applied(self, function: Function, arguments: Sequence[Node]) -> Key:
        """The number of a function of these arguments."""
        shape = (function.form, id(function), *(self.of(part) for part in arguments))
        return self._by_shape.setdefault(shape, len(self._by_shape))

    def _shape(self, node: Node) -> object:  # noqa: PLR0911 - one return for each construct
        match node:
            case Const(value=list()):
                return id(node)
            case Const(value=value):
                return ("const", type(value), value)
            case Fact(name=name):
                return ("fact", name)
            case Shared(name=name):
                return ("shared", name)
            case Item(slot=slot):
                return ("item", slot)
            case Apply(function=function):
                # Operators with constants of their own are told apart, even where the constants are the same.
                which = function.name if function.form in _PLAIN else id(function)
                return (function.form, which, *(self.of(part) for part in node.arguments))
        return id(node)


_PLAIN = frozenset({Form.COMPARE, Form.NOT, Form.IS_NULL, Form.CONTAINED, Form.SUBSCRIPT, Form.FOLD})


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """Never changed; more of it is another one. ``cache`` is for who reasons from it.

    ``open``: conditions that may say more once more is known, as (node, whether it holds): one of several parts holds,
    nobody knows which, or what is compared is computed.
    """

    domains: Mapping[Key, Domain] = field(default_factory=dict)
    signs: Mapping[tuple[Key, Key], Signs] = field(default_factory=dict)
    open: tuple[tuple[Node, bool], ...] = ()
    cache: dict[int, Domain] = field(default_factory=dict)

    def with_domain(self, key: Key, domain: Domain) -> "Knowledge":
        """Also that the place ``key`` holds one of ``domain``."""
        known = self.domains.get(key)
        met = domain if known is None else known.meet(domain)
        return self if met == known else Knowledge({**self.domains, key: met}, self.signs, self.open)

    def with_signs(self, left: Key, right: Key, signs: Signs) -> "Knowledge":
        """Also how two places compare."""
        met = self.compared(left, right) & signs
        pair = (left, right) if left < right else (right, left)
        return Knowledge(self.domains, {**self.signs, pair: met if left < right else mirrored(met)}, self.open)

    def with_open(self, node: Node, *, holds: bool) -> "Knowledge":
        """Also that ``node`` comes out as ``holds``, for one reason or another."""
        return Knowledge(self.domains, self.signs, (*self.open, (node, holds)))

    def compared(self, left: Key, right: Key) -> Signs:
        """The ways in which two places may compare, also through others that lie between them."""
        if left == right:
            return frozenset("=")
        signs = self._told(left, right)
        if len(self.signs) > 1 and len(signs) > 1:
            signs &= self._through(left, right) & mirrored(self._through(right, left))
        return signs

    def _told(self, left: Key, right: Key) -> Signs:
        if left < right:
            return self.signs.get((left, right), ANY_SIGN)
        return mirrored(self.signs.get((right, left), ANY_SIGN))

    def _through(self, left: Key, right: Key) -> Signs:
        """What follows when a chain of "at most" leads from ``left`` to ``right``."""
        places = {place for pair in self.signs for place in pair}
        strict = {left: False}
        pending = [left]
        while pending:
            place = pending.pop()
            for other in places - {place}:
                signs = self._told(place, other)
                less = strict[place] or "=" not in signs
                if ">" not in signs and (other not in strict or (less and not strict[other])):
                    strict[other] = less
                    pending.append(other)
        if right not in strict:
            return ANY_SIGN
        return frozenset("<") if strict[right] else frozenset("<=")

    def join(self, other: "Knowledge") -> "Knowledge":
        """What is known when one of both is the case."""
        if self is other:
            return self
        domains = {key: domain.join(other.domains[key]) for key, domain in self.domains.items() if key in other.domains}
        signs = {pair: signs | other.signs[pair] for pair, signs in self.signs.items() if pair in other.signs}
        return Knowledge(domains, signs, tuple(one for one in self.open if one in other.open))
