"""The records of the hub are the standard library's dataclasses in everything but when their methods are written."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import sys
from dataclasses import FrozenInstanceError, field, replace
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest

import chalicelib
from chalicelib.records import dataclass as ours

_STANDARD = dataclasses.dataclass


@ours(frozen=True, slots=True)
class Kept:
    """A record that is pickled by its name."""

    name: str
    amount: Decimal = Decimal(1)


def _made(decorator: Any, **options: bool) -> Any:
    class Record:
        """Every kind of field there is."""

        name: str
        amount: Decimal = Decimal("1.5")
        notes: list[str] = field(default_factory=list)
        seen: int = field(default=0, compare=False, repr=False)
        counted: int = field(init=False, default=7)
        last: str = field(default="", kw_only=True)

    return decorator(**options)(Record)


OPTIONS = [
    {"frozen": True, "slots": True},
    {"slots": True},
    {"frozen": True, "slots": True, "eq": False},
    {"slots": True, "eq": False, "repr": False},
    {"frozen": True, "slots": True, "kw_only": True},
    {"frozen": True, "slots": True, "order": True},
    {"frozen": True, "eq": False},
]


def _told(kind: Any) -> dict[str, Any]:
    """Everything that can be seen of a class and its instances."""

    def outcome(work: Any) -> Any:
        try:
            return work()
        except (TypeError, AttributeError) as error:
            return type(error).__name__, str(error)

    one, same, other = kind(name="a"), kind(name="a", seen=9), kind(name="b", amount=Decimal(2), notes=["x"], last="z")
    return {
        "fields": [(each.name, each.type, each.kw_only, each.init) for each in dataclasses.fields(kind)],
        "slots": getattr(kind, "__slots__", None),
        "matched": kind.__match_args__,
        "equal": (outcome(lambda: one == same), outcome(lambda: one == other), outcome(lambda: one == 3)),
        "ordered": outcome(lambda: one < other) if kind.__dataclass_params__.order else None,
        "hashed": outcome(lambda: hash(kind(name="a", notes=()))) if kind.__hash__ is not object.__hash__ else None,
        "shown": repr(other) if kind.__dataclass_params__.repr else None,
        "values": dataclasses.asdict(other),
        "replaced": replace(one, name="c", last="y").name,
        "own lists": one.notes is not same.notes,
        "set": outcome(lambda: setattr(kind(name="a"), "name", "q")),
        "deleted": outcome(lambda: delattr(kind(name="a"), "name")),
        "copied": copy.copy(other).notes,
        "missing": outcome(kind)[0],
        "unknown": outcome(lambda: kind(name="a", other=1))[0],
        "initialised": outcome(lambda: kind(name="a", counted=1))[0],
        "many": outcome(lambda: kind("a", 1, [], 2, 3, 4, 5))[0],
        "parameters": str(kind.__dataclass_params__),
        "signature": str(inspect.signature(kind)),
    }


class TestRecords:
    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    def test_are_as_the_standard_library_makes_them(self, options):
        assert _told(_made(ours, **options)) == _told(_made(_STANDARD, **options))

    def test_are_checked_after_their_making_where_they_say_so(self):
        @ours(frozen=True, slots=True)
        class Checked:
            """Refuses what is negative."""

            number: int

            def __post_init__(self) -> None:
                if self.number < 0:
                    raise ValueError("negative")

        assert Checked(1).number == 1
        with pytest.raises(ValueError, match="negative"):
            Checked(-1)

    def test_keep_what_a_class_writes_itself(self):
        @ours(frozen=True, slots=True)
        class Secret:
            """Does not show itself."""

            value: str

            def __repr__(self) -> str:
                return "***"

        assert repr(Secret("a")) == "***"
        assert Secret("a") == Secret("a")

    def test_can_be_derived_from(self):
        @ours(frozen=True, slots=True)
        class Base:
            """One field."""

            first: int

        @ours(frozen=True, slots=True)
        class Derived(Base):
            """Two fields."""

            second: int

        assert repr(Derived(1, 2)).endswith("Derived(first=1, second=2)")
        assert Derived(1, 2) == Derived(1, 2) != Derived(1, 3)
        with pytest.raises(FrozenInstanceError):
            Derived(1, 2).second = 3

    def test_are_pickled_and_copied(self):
        before = Kept("a", Decimal(3))
        assert pickle.loads(pickle.dumps(before)) == before  # noqa: S301 - our own bytes
        assert copy.deepcopy(before) == before

    def test_are_written_once_by_threads_that_begin_together(self):
        kind, start, made = _made(ours, frozen=True, slots=True), Barrier(8), []

        def make(number: int) -> None:
            start.wait()
            made.append(kind(name=str(number)))

        threads = [Thread(target=make, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(each.name for each in made) == [str(number) for number in range(8)]

    def test_write_nothing_before_they_are_used(self):
        kind = _made(ours, frozen=True, slots=True)
        waiting = {name: vars(kind)[name] for name in ("__init__", "__repr__", "__eq__", "__hash__")}
        kind(name="a")
        assert all(vars(kind)[name] is not first for name, first in waiting.items())


class TestTheRooms:
    def test_make_their_records_with_it(self):
        """A class that the standard decorator writes while it is imported costs a cold start half a millisecond."""
        for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
            importlib.import_module(found.name)
        direct = [
            name
            for name, module in sorted(sys.modules.items())
            if name.startswith("chalicelib.") and name != ours.__module__ and vars(module).get("dataclass") is _STANDARD
        ]
        assert direct == []
