"""Which places a condition proves not to be null: ``{"!=": [x, null]}`` guards the uses of x behind it."""

from chalicelib.language.places import NOTHING, Narrowed, place
from chalicelib.language.tree import Apply, Either, Every, Form, Node


def proves(condition: Node, *, holds: bool) -> Narrowed:
    """The places that are not null whenever ``condition`` evaluates to ``holds``."""
    match condition:
        case Apply(function=function, arguments=(argument,)) if function.form is Form.IS_NULL:
            known = place(argument)
            return frozenset({known}) if known is not None and not holds else NOTHING
        case Apply(function=function, arguments=(argument,)) if function.form is Form.NOT:
            return proves(argument, holds=not holds)
        case Every(arguments=parts) | Either(arguments=parts):
            each = [proves(part, holds=holds) for part in parts]
            # A true `and` proves what each part proves; a false one only what all of them prove. `or` mirrors it.
            certain = isinstance(condition, Every) is holds
            return NOTHING.union(*each) if certain else each[0].intersection(*each[1:])
    return NOTHING
