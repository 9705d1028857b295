"""``dataclass`` as the standard library has it, whose methods are written when they are first called.

The standard decorator compiles six functions for each frozen class while its module is imported: half a millisecond,
and the hub has three hundred such classes, of which a request uses a few. This one finds the fields and makes the slots
at once; ``__init__``, ``__repr__``, ``__eq__`` and ``__hash__`` are the standard library's own, made at their first
call, and take the place of what made them. Options, fields, errors and type checks are the standard ones.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

#: What a class may write itself: the standard decorator knows all the rules for that.
_WRITTEN = frozenset(
    {"__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__getstate__", "__setstate__"}
)
#: What the decorator below knows of the standard one's options.
_OPTIONS = frozenset({"frozen", "slots", "eq", "repr", "kw_only"})


def _dataclass(cls: type | None = None, /, **options: bool) -> Any:  # noqa: ANN401 - the class, or what decorates it
    if cls is None:
        return lambda one: _dataclass(one, **options)
    derived = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
    if derived or not options.get("slots") or not options.keys() <= _OPTIONS or _WRITTEN & vars(cls).keys():
        return dataclasses.dataclass(**options)(cls)
    return _later(cls, options)


def _later(cls: type, options: dict[str, bool]) -> type:
    """The class with its fields and slots, whose methods wait for their first call."""
    frozen, compared = options.get("frozen", False), options.get("eq", True)
    made: Any = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=True, kw_only=options.get("kw_only", False)
    )(cls)
    wanted = ["__init__"]
    if options.get("repr", True):
        wanted.append("__repr__")
    if compared:
        wanted.append("__eq__")
        if frozen:
            wanted.append("__hash__")
        else:
            made.__hash__ = None
    told = made.__dataclass_params__
    told.init, told.repr, told.eq, told.frozen = True, options.get("repr", True), compared, frozen
    for name in wanted:
        setattr(made, name, _first(made, name, tuple(wanted), options))
    if frozen:
        made.__setattr__, made.__delattr__ = _refuse_to_set, _refuse_to_delete
        made.__getstate__, made.__setstate__ = _state, _take_state
    kept: type = made
    return kept


def _first(cls: Any, name: str, wanted: tuple[str, ...], options: dict[str, bool]) -> Callable[..., Any]:  # noqa: ANN401
    """What stands in the place of a method until it is called."""

    def first(self: object, *args: object, **named: object) -> Any:  # noqa: ANN401 - what the method returns
        whole = _written(cls, options)
        for each in wanted:
            setattr(cls, each, whole[each])
        return whole[name](self, *args, **named)

    first.__name__, first.__qualname__ = name, f"{cls.__qualname__}.{name}"
    return first


def _written(cls: Any, options: dict[str, bool]) -> dict[str, Callable[..., Any]]:  # noqa: ANN401 - a dataclass
    """The methods that the standard library writes for a class with these fields."""
    # ``kw_only`` is a property of each field by now.
    said: dict[str, Any] = {name: value for name, value in options.items() if name != "kw_only"}
    fields = [
        (
            each.name,
            each.type,
            dataclasses.field(
                default=each.default,
                default_factory=each.default_factory,
                init=each.init,
                repr=each.repr,
                hash=each.hash,
                compare=each.compare,
                kw_only=each.kw_only,
            ),
        )
        for each in dataclasses.fields(cls)
    ]
    after = {"__post_init__": cls.__post_init__} if hasattr(cls, "__post_init__") else {}
    twin = dataclasses.make_dataclass(cls.__name__, fields, namespace=after, **said)
    return dict(vars(twin))


def _refuse_to_set(_self: object, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:  # noqa: ANN401 - a dataclass
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _take_state(self: Any, state: list[Any]) -> None:  # noqa: ANN401 - a dataclass
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
