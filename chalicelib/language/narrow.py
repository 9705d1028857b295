"""Which places a condition proves not to be null: ``{"!=": [x, null]}`` guards the uses of x behind it."""

from collections.abc import Mapping

from chalicelib.language.places import NOTHING, Narrowed, place
from chalicelib.language.tree import Apply, Either, Every, Form, Node, Shared

# Definitions that name one another are followed so far.
_FOLLOWED_MAX = 12


def proves(condition: Node, shared: Mapping[str, Node | None], *, holds: bool, followed: int = 0) -> Narrowed:
    """The places that are not null whenever ``condition`` evaluates to ``holds``; ``shared``: what names stand for."""
    match condition:
        case Shared(name=name) if followed < _FOLLOWED_MAX:
            definition = shared.get(name)
            return NOTHING if definition is None else proves(definition, shared, holds=holds, followed=followed + 1)
        case Apply(function=function, arguments=(argument,)) if function.form is Form.IS_NULL:
            known = place(argument)
            return frozenset({known}) if known is not None and not holds else NOTHING
        case Apply(function=function, arguments=(argument,)) if function.form is Form.NOT:
            return proves(argument, shared, holds=not holds, followed=followed)
        case Every(arguments=parts) | Either(arguments=parts):
            each = [proves(part, shared, holds=holds, followed=followed) for part in parts]
            # A true `and` proves what each part proves; a false one only what all of them prove. `or` mirrors it.
            certain = isinstance(condition, Every) is holds
            return NOTHING.union(*each) if certain else each[0].intersection(*each[1:])
    return NOTHING
