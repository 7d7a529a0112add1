"""Our `dataclass` does what the standard one does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import field
from typing import Any

import pytest

from importer.dataclass import dataclass as ours

Decorator = Callable[..., Any]


def made(decorator: Decorator, **options: bool) -> Any:
    """The same class by either decorator."""

    class Thing:
        """A thing."""

        name: str
        size: int = 3
        parts: list[str] = field(default_factory=list)
        note: str = field(default="", repr=False, compare=False)
        cache: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError(self.size)

    Thing.__qualname__ = "Thing"
    return decorator(**options)(Thing)


def said(action: Callable[[], object]) -> object:
    """What an action gives, or the error that it raises."""
    try:
        return action()
    except Exception as error:
        return type(error), str(error)


OPTIONS = [
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": False},
    {"frozen": False, "slots": True},
    {"frozen": False, "slots": False},
]
ACTIONS: dict[str, Callable[[Any], object]] = {
    "repr": lambda made: repr(made("a", parts=["x"], note="not shown")),
    "missing": lambda made: made(),
    "unknown": lambda made: made("a", other=1),
    "no parameter": lambda made: made("a", cache={}),
    "post init": lambda made: made("a", -1),
    "equal": lambda made: (made("a") == made("a", note="n"), made("a") == made("b"), made("a") == "a"),
    "own lists": lambda made: made("a").parts is made("b").parts,
    "hash": lambda made: hash(made("a", parts=())) == hash(made("a", parts=())),
    "hash of a list": lambda made: hash(made("a")),
    "assigned": lambda made: setattr(made("a"), "size", 4),
    "deleted": lambda made: delattr(made("a"), "size"),
    "replaced": lambda made: repr(dataclasses.replace(made("a"), size=5)),
    "dict": lambda made: dataclasses.asdict(made("a", parts=["x"])),
    "match": lambda made: made.__match_args__,
    "copied": lambda made: repr(copy.copy(made("a", 7))),
    "deeply copied": lambda made: repr(copy.deepcopy(made("a", 7))),
    "slots": lambda made: hasattr(made("a"), "__dict__"),
    "init": lambda made: (made("a"), made.__init__.__qualname__)[1],
}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("action", ACTIONS)
def test_it_does_what_the_standard_one_does(action: str, options: dict[str, bool]) -> None:
    act = ACTIONS[action]
    wanted = said(lambda: act(made(dataclasses.dataclass, **options)))
    assert said(lambda: act(made(ours, **options))) == wanted


@ours(frozen=True, slots=True)
class Kept:
    """A class that can be pickled."""

    name: str
    parts: tuple[str, ...] = ()


@ours(frozen=True, slots=True)
class Single:
    """A class of one field."""

    name: str


@ours
class Named:
    """A class with an __eq__ of its own, and a base."""

    name: str

    def __eq__(self, other: object) -> bool:
        return True


class Child(Named):
    """A class that is not decorated itself."""


def test_an_instance_is_pickled_and_comes_back_equal() -> None:
    one = Kept("a", ("b",))
    assert pickle.loads(pickle.dumps(one)) == one


def test_one_field_hashes_as_a_tuple() -> None:
    assert hash(Single("a")) == hash(("a",))


def test_methods_of_the_class_itself_stay() -> None:
    assert Named("a") == Named("b")


def test_a_class_that_inherits_it_gets_its_parameters() -> None:
    assert Child("a").name == "a"
    assert repr(Child("a")) == "Child(name='a')"
