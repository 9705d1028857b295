"""Which shared values an expression needs on every path, and which on some path only."""

from collections.abc import Iterable, Mapping

from chalicelib.language.tree import Choice, Either, Every, FirstValue, Lookup, Loop, Node, Shared, children, walk


class Needs:
    """Answers for one program's shared definitions."""

    def __init__(self, shared: Mapping[str, Node]) -> None:
        self._certain = {name: _certain(node) for name, node in shared.items()}
        self._possible = {name: _possible(node) for name, node in shared.items()}

    def of(self, roots: Iterable[Node]) -> tuple[set[str], set[str]]:
        """The shared names that evaluating all ``roots`` needs for certain, and those it may need, transitively."""
        roots = list(roots)
        certain = _closure({name for root in roots for name in _certain(root)}, self._certain)
        possible = _closure({name for root in roots for name in _possible(root)}, self._possible)
        return certain, possible


def _closure(names: set[str], needs: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(needs[name])
    return found


def _possible(node: Node) -> set[str]:
    return {part.name for part in walk(node) if isinstance(part, Shared)}


def _certain(node: Node) -> set[str]:
    found: set[str] = set()
    pending = [node]
    while pending:
        match pending.pop():
            case Shared(name=name):
                found.add(name)
            case Every(arguments=parts) | Either(arguments=parts) | FirstValue(arguments=parts):
                pending.append(parts[0])
            case Choice(arms=arms):
                pending.append(arms[0][0])
            case Lookup(key=key):
                pending.append(key)
            case Loop(source=source, start=start):
                # The list may be empty.
                pending.extend((source,) if start is None else (source, start))
            case other:
                pending.extend(children(other))
    return found
