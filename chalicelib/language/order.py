"""The order in which ``let`` and tables are checked: each after what it needs, whatever order the document has.

A store may reorder an object's keys, so the document's order means nothing.
"""

from collections.abc import Iterable, Mapping

from chalicelib.language.faults import Report

Needs = Mapping[str, Iterable[str]]


def dependency_order(needs: Needs, pointers: Mapping[str, str], report: Report) -> list[str]:
    """The names of ``needs``, each after those it needs; the members of a cycle are noted and left out."""
    order: list[str] = []
    state: dict[str, bool] = {}  # False while it is being visited, True when it is done
    for root in needs:
        pending: list[tuple[str, bool]] = [(root, False)]
        while pending:
            name, visited = pending.pop()
            if visited:
                state[name] = True
                order.append(name)
            elif name not in state:
                state[name] = False
                pending.append((name, True))
                pending.extend((other, False) for other in needs[name] if other in needs and other not in state)
    return _without_cycles(order, needs, pointers, report)


def _without_cycles(order: list[str], needs: Needs, pointers: Mapping[str, str], report: Report) -> list[str]:
    done: set[str] = set()
    broken: set[str] = set()
    for name in order:
        others = {other for other in needs[name] if other in needs}
        # In a dependency order only a member of a cycle needs something that comes later.
        if others - done - broken:
            expected = "a definition that does not lead back to itself"
            report.add(pointers[name], "cycle", "this is defined by itself", expected=expected, found="a cycle")
            broken.add(name)
        elif others & broken:
            broken.add(name)
        else:
            done.add(name)
    return [name for name in order if name in done]
