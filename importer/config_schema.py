"""Check the tables of importer.toml, and the options that a program gives, with pydantic.

The keys of a table are the `key` fields of its dataclasses, and the options of a run that such a table may
set. A module of its own, because pydantic is slow to import and most commands need no table checked.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from importer.errors import SettingsError, UsageError
from importer.models import Mode, Note
from importer.option_layers import GivenOptions
from importer.option_types import (
    ChoiceValue,
    ConfigKey,
    FilesValue,
    FlagValue,
    FolderValue,
    HeaderRowValue,
    IntegerValue,
    ModeValue,
    NumberValue,
    TextValue,
    ValueKind,
    read_value,
)
from importer.options import RunOptions, declared_options
from importer.reasons import value_reason

TableKind = Literal["profile", "job"]
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def _seconds(value: object) -> object:
    """Return `90`, `90s`, `15m`, `26h`, `30d`, `4w` as seconds."""
    if isinstance(value, str):
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw])", value.strip())
        if not found:
            raise PydanticCustomError("reason-seconds", "not a span of time")
        return float(found[1]) * _UNITS[found[2]]
    return value


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*[smhdw]$"},
            ]
        }
    ),
]


class ConfigTable(BaseModel):
    """A table of importer.toml: unknown keys are mistakes, types are not bent."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """What a table says, as the values of its dataclasses."""

    values: Mapping[str, Any]
    given: GivenOptions
    """The options of a run that it names."""

    def fields_of(self, cls: type) -> dict[str, Any]:
        """Return the values of the class's keys; what the table leaves out keeps its default."""
        return {name: self.values[name] for name in _keys(cls) if name in self.values}


def check_table(
    table: Mapping[str, Any], file: object, place: str, kind: TableKind | None, *classes: type
) -> CheckedTable:
    """Check a table such as `[job.NAME]`. Its keys are those of the classes, and options of a run.

    Raises SettingsError `bad-settings` with file, key and reason; it quotes no value.
    """
    model = table_model(kind, *classes)
    try:
        found = model.model_validate(table)
    except ValidationError as error:
        raise SettingsError("bad-settings", file=file, **_first_mistake(model, error, place)) from None
    values = {name: value for cls in classes for name, value in _read(cls, found).items()}
    options = {name: getattr(found, name) for name in _option_keys(kind) if name in found.model_fields_set}
    return CheckedTable(values, GivenOptions.read(options))


def check_options(options: RunOptions) -> RunOptions:
    """Return the options of a program with their values as this one holds them: a mode's name as its mode.

    Raises UsageError `bad-option` with the option and the reason.
    """
    known = declared_options()
    chosen = {name: getattr(options, name) for name in known}
    chosen = {name: value for name, value in chosen.items() if value != known[name].default}
    plain = {name: _plain(known[name].kind, value) for name, value in chosen.items()}
    model = _options_model()
    try:
        model.model_validate(plain)
    except ValidationError as error:
        mistake = _first_mistake(model, error, "options")
        raise UsageError("bad-option", option=mistake["place"], reason=mistake["reason"]) from None
    return dataclasses.replace(
        options, **{name: read_value(known[name].kind, value) for name, value in plain.items()}
    )


def _plain(kind: ValueKind, value: object) -> object:
    """Return a value as TOML would hold it."""
    match kind, value:
        case ModeValue(), int() if value in set(Mode) and not isinstance(value, bool):
            return Mode(value).label
        case FolderValue(), os.PathLike():
            return os.fspath(value)
        case FilesValue(), tuple():
            return [os.fspath(one) if isinstance(one, os.PathLike) else one for one in value]
        case _, StrEnum():
            return value.value
    return value


@cache
def _options_model() -> type[ConfigTable]:
    keys: dict[str, Any] = {
        name: (_written(option.kind) | None, None) for name, option in declared_options().items()
    }
    return create_model("Options", __base__=ConfigTable, **keys)


@cache
def table_model(kind: TableKind | None, *classes: type) -> type[ConfigTable]:
    """Return the model of a table. `kind`: which options of a run may stand in it; None for none."""
    keys: dict[str, Any] = {}
    for cls in classes:
        for name, key in _keys(cls).items():
            if isinstance(key.written, type) and dataclasses.is_dataclass(key.written):
                inner = table_model(None, key.written)
                keys[name] = inner, inner()
            else:
                keys[name] = key.written | None, None
    if kind is not None:
        known = declared_options()
        keys |= {name: (_written(known[name].kind) | None, None) for name in _option_keys(kind)}
    return create_model(classes[0].__name__, __base__=ConfigTable, **keys)


def _option_keys(kind: TableKind | None) -> tuple[str, ...]:
    """Return the names of the options that a table of this kind may set."""
    if kind is None:
        return ()
    return tuple(one.name for one in declared_options().values() if getattr(one, kind))


def _written(kind: ValueKind) -> Any:
    """Return what TOML may hold for a value of this kind."""
    match kind:
        case FlagValue():
            return bool
        case ChoiceValue(words):
            return Literal[tuple(str(word) for word in words)]
        case ModeValue():
            return Literal[tuple(mode.label for mode in Mode)]
        case IntegerValue(least, most):
            return Annotated[int, Field(ge=least, le=most)]
        case NumberValue(seconds=True):
            return Seconds
        case NumberValue(least, most):
            return Annotated[float, Field(ge=least, le=most)]
        case HeaderRowValue():
            return Annotated[int, Field(ge=1)] | Literal["none"]
        case TextValue() | FolderValue():
            return str
        case FilesValue():
            return list[Annotated[str, Field(min_length=1)]]


def _keys(cls: type) -> dict[str, ConfigKey]:
    fields = dataclasses.fields(cls)
    return {field.name: field.metadata["key"] for field in fields if "key" in field.metadata}


def _read(cls: type, found: BaseModel) -> dict[str, Any]:
    """Return the values of the class's keys that the table names."""
    values = {}
    for name, key in _keys(cls).items():
        value = getattr(found, name)
        if isinstance(value, BaseModel):
            values[name] = key.written(**_read(key.written, value))
        elif name in found.model_fields_set and not (key.read and value == ""):
            values[name] = key.read(value) if key.read else value
    return values


def _first_mistake(model: type[BaseModel], error: ValidationError, place: str) -> dict[str, object]:
    """Return the place of the first mistake and what may stand there instead."""
    mistakes = error.errors(include_url=False, include_input=False)
    path, table = _locate(model, mistakes[0]["loc"])
    here = [one for one in mistakes if _locate(model, one["loc"])[0] == path]
    return {"place": ".".join([place, *path]), "reason": _reason(here, table)}


def _reason(mistakes: Sequence[ErrorDetails], table: type[BaseModel]) -> Note:
    """Return what is wrong in one place, as our own sentence; a choice beside other types says them all."""
    one, context = mistakes[0], mistakes[0].get("ctx") or {}
    kind = one["type"]
    choices = [choice for each in mistakes if (choice := (each.get("ctx") or {}).get("expected"))]
    if kind == "extra_forbidden":
        return Note("reason-unknown-key", (("allowed", ", ".join(table.model_fields)),))
    if choices and kind in ("int_type", "literal_error"):
        whole = ("1, 2, 3 …",) if kind == "int_type" else ()
        allowed = ", ".join((*whole, *choices)).replace("'", "").replace(" or ", ", ")
        return Note("reason-choice", (("allowed", allowed),))
    return value_reason(kind, context)


def _locate(model: type[BaseModel], place: tuple[int | str, ...]) -> tuple[list[str], type[BaseModel]]:
    """Return the path of a key, and the table that it stands in. pydantic's place may also name a type."""
    path: list[str] = []
    for part in map(str, place):
        path.append(part)
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)) or len(path) == len(place):
            break
        model = inner
    return path, model
