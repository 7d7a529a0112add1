"""`dataclass` as in the standard library, made quickly: no method is compiled before the first instance.

The standard decorator compiles six methods for each class while its module is imported, which took a sixth of
the time to start a run (docs/decisions/0012-dataclasses-made-quickly.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, slots: bool = False) -> Any:
        """Make a class a dataclass: `@dataclass` or `@dataclass(frozen=True, slots=True)`.

        Until there is an instance, `inspect` does not know the parameters of the class.
        """

        def made(cls: type) -> type:
            bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            return _with_methods(bare, frozen, slots)

        return made if cls is None else made(cls)


def _with_methods(made: type, frozen: bool, slots: bool) -> type:
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {"__init__": _first_init(made, fields), "__repr__": _repr}
    methods |= _comparison(made, tuple(one.name for one in fields if one.compare), frozen)
    if frozen:
        methods |= {"__setattr__": _set, "__delattr__": _delete}
    if frozen and slots:
        methods |= {"__getstate__": _state, "__setstate__": _set_state}
    for name, method in methods.items():
        # A class with an __eq__ of its own has None for its hash, without having said so.
        if vars(made).get(name) is None:
            setattr(made, name, method)
    return made


def _first_init(made: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """An __init__ that puts the real one in its own place."""

    def first(self: Any, /, *arguments: Any, **named: Any) -> None:
        made.__init__ = _init(made, fields)  # type: ignore[misc]
        made.__init__(self, *arguments, **named)  # type: ignore[misc]

    return first


def _init(made: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_missing": dataclasses.MISSING}
    parameters, body = ["self"], []
    for number, one in enumerate(fields):
        value = one.name
        if not one.init:
            if one.default is not dataclasses.MISSING:
                names[f"_given{number}"], value = one.default, f"_given{number}"
            elif one.default_factory is not dataclasses.MISSING:
                names[f"_made{number}"], value = one.default_factory, f"_made{number}()"
            else:
                continue
        elif one.default_factory is not dataclasses.MISSING:
            names[f"_made{number}"] = one.default_factory
            parameters.append(f"{one.name}=_missing")
            value = f"_made{number}() if {one.name} is _missing else {one.name}"
        elif one.default is not dataclasses.MISSING:
            names[f"_given{number}"] = one.default
            parameters.append(f"{one.name}=_given{number}")
        else:
            parameters.append(one.name)
        body.append(f" _set(self, {one.name!r}, {value})\n")
    if hasattr(made, "__post_init__"):
        body.append(" self.__post_init__()\n")
    # As in the standard library. Every name in it is one of a class of ours.
    exec(f"def __init__({', '.join(parameters)}):\n{''.join(body) or ' pass'}", names)  # noqa: S102
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    init.__annotations__ = {one.name: one.type for one in fields if one.init} | {"return": None}
    return init


def _comparison(made: type, names: tuple[str, ...], frozen: bool) -> dict[str, Any]:
    values = attrgetter(*names) if names else (lambda _: ())

    def equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: object) -> int:
        # One name gives its bare value, which the standard decorator puts into a tuple.
        found = values(self)
        return hash(found if len(names) != 1 else (found,))

    return {"__eq__": equal, "__hash__": hashed if frozen else None}


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
