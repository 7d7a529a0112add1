"""Check the tables of a mapping file with pydantic.

A module of its own, because pydantic is slow to import and only mappings that people wrote are checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from functools import cache
from typing import Annotated, Any, Literal, LiteralString, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from importer.contracts import FieldKind
from importer.mapping import dates
from importer.mapping.person_names import NameRule
from importer.mapping.rules import (
    Condition,
    CustomRule,
    FieldRule,
    HeaderMatch,
    Held,
    MappingFile,
    ReadingRules,
    RegionColumn,
    as_several,
    as_text,
    as_text_by_text,
    field_kinds,
    keys_of,
    with_own_columns,
)


def checked(table: Mapping[str, Any]) -> MappingFile:
    """Return the mapping of a table of TOML. Raises pydantic's ValidationError with all of its mistakes."""
    table_model(MappingFile).model_validate(table)
    return MappingFile.of_table(table)


class MappingTable(BaseModel):
    """A table of a mapping file. It takes only the keys named in its rule, each of its own type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class ConditionTable(MappingTable):
    """The table of a Condition."""

    @model_validator(mode="after")
    def _has_one_test(self: Any) -> Any:
        given = [one for one in (self.is_, self.is_not, self.filled) if one is not None]
        if len(given) != 1:
            raise PydanticCustomError("condition", "", {})
        return self


class FieldTable(MappingTable):
    """The table of a FieldRule."""

    @model_validator(mode="after")
    def _is_fed(self: Any) -> Any:
        if self.constant is not None and self.source:
            raise PydanticCustomError("clash", "from, constant", {"keys": "from, constant"})
        if self.constant is None and not self.source and not self.split and self.default is None:
            raise PydanticCustomError("unfed", "", {})
        if self.join is not None and len(self.source) < 2:
            raise PydanticCustomError("join", "", {})
        return self


class FileTable(MappingTable):
    """The table of a MappingFile."""

    @model_validator(mode="wrap")
    @classmethod
    def _every_mistake(cls, table: object, handler: ModelWrapValidatorHandler[FileTable]) -> FileTable:
        """Report what is in the wrong place together with everything else that is wrong."""
        found = list(_misplacements(table)) if isinstance(table, dict) else []
        try:
            made = handler(table)
        except ValidationError as error:
            found += map(_as_raised, error.errors())
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return made

    @model_validator(mode="before")
    @classmethod
    def _own_columns(cls, table: object) -> object:
        """Give a custom field without a source the column of its own name."""
        custom = table.get("custom") if isinstance(table, dict) else None
        if not isinstance(table, dict) or not isinstance(custom, dict):
            return table
        return {**table, "custom": with_own_columns(custom)}


_BASES: Mapping[type, type[MappingTable]] = {
    Condition: ConditionTable,
    FieldRule: FieldTable,
    CustomRule: FieldTable,
    MappingFile: FileTable,
}


@cache
def table_model(rule: type) -> type[MappingTable]:
    """Return the model that checks the table of a rule."""
    types = get_type_hints(rule)
    found: dict[str, Any] = {}
    for name, key in keys_of(rule).items():
        held = types[name] if key.held is None else _held(key.held)
        alias = None if key.written == name else key.written
        if key.default is MISSING:
            found[name] = held, Field(alias=alias)
        elif key.default == {}:
            found[name] = held, Field(default_factory=dict, alias=alias)
        else:
            found[name] = held if key.default is not None else held | None, Field(key.default, alias=alias)
    base = _BASES.get(rule, MappingTable)
    return create_model(rule.__name__, __base__=base, __doc__=rule.__doc__, **found)


_Name = Annotated[str, BeforeValidator(as_text), Field(min_length=1)]
_Text = Annotated[str, BeforeValidator(as_text)]


def _held(held: Held) -> Any:
    """Return the type that pydantic checks."""
    match held:
        case Held.NAME:
            return _Name
        case Held.NAMES:
            return Annotated[tuple[_Name, ...], BeforeValidator(as_several)]
        case Held.TEXT:
            return _Text
        case Held.TEXTS:
            return Annotated[tuple[_Text, ...], BeforeValidator(as_several)]
        case Held.TEXT_BY_TEXT:
            return Annotated[Mapping[str, _Text], BeforeValidator(as_text_by_text)]
        case Held.DATE_FORMATS:
            one = Annotated[str, BeforeValidator(_date_format)]
            return Annotated[tuple[one, ...], BeforeValidator(as_several)]
        case Held.COUNTRY:
            return Annotated[str, BeforeValidator(_iso_region)]
        case Held.COUNTRY_OR_COLUMN:
            column: Any = table_model(RegionColumn)
            return Annotated[str | column, BeforeValidator(_region)]
        case Held.ROW:
            return Annotated[int | Literal["none"], BeforeValidator(_header_row)]
        case Held.PLACE:
            return Annotated[int, Field(ge=1, le=9)]
        case Held.NAME_RULE:
            return Annotated[NameRule, Field(strict=False)]
        case Held.CONDITION:
            return table_model(Condition)
        case Held.CONDITIONS:
            condition: Any = table_model(Condition)
            return Annotated[tuple[condition, ...], Field(strict=False)]
        case Held.MATCH:
            return table_model(HeaderMatch)
        case Held.READING:
            return table_model(ReadingRules)
        case Held.FIELDS:
            field: Any = table_model(FieldRule)
            return Mapping[str, field]
        case Held.CUSTOM_FIELDS:
            custom: Any = table_model(CustomRule)
            return Mapping[str, custom]


def _date_format(value: str) -> str:
    try:
        dates.pattern(value)
    except ValueError as error:
        raise PydanticCustomError("date_format", "{lacks}", {"lacks": str(error)}) from error
    return value


def _region(value: object) -> object:
    if isinstance(value, dict):
        return table_model(RegionColumn).model_validate(value)
    if isinstance(value, str):
        return _iso_region(value)
    return value


def _iso_region(value: object) -> object:
    if isinstance(value, str):
        import phonenumbers

        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise PydanticCustomError("region", "{region}", {"region": value})
    return value


def _header_row(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not number and value not in ("none", None):
        raise PydanticCustomError("header_row", "{expected}", {"expected": "1, 2, 3 …, none"})
    return value


_NAME_PARTS = ("first_name", "last_name")
_PHONES = (FieldKind.PHONE, FieldKind.DIGITS)
_KEYS_OF = {
    **dict.fromkeys(("formats", "calendar", "any_day", "mixed_dates"), (FieldKind.DATE,)),
    "separators": (FieldKind.TAGS,),
    **dict.fromkeys(("region", "country_code", "trunk_prefix", "international_prefix", "extension"), _PHONES),
}
"""Keys that only fields of some kinds may have."""


def _misplacements(table: Mapping[str, object]) -> Iterator[InitErrorDetails]:
    """Yield what no table can tell by itself: unknown fields, and keys that their field cannot have."""
    kinds = field_kinds()
    fields = table.get("fields")
    for name, rule in fields.items() if isinstance(fields, dict) else ():
        if name not in kinds:
            yield _custom_error("unknown_field", ("fields", name), field=name)
            continue
        keys = rule.keys() if isinstance(rule, dict) else frozenset[str]()
        if "split" in keys and name not in _NAME_PARTS:
            yield _custom_error("split", ("fields", name, "split"), field=name)
        elif "split" in keys and table.get("name_rule") is None:
            yield _custom_error("name_rule", ("fields", name, "split"), field=name)
        for key in sorted(keys & _KEYS_OF.keys()):
            if kinds[name] not in _KEYS_OF[key]:
                yield _misplaced("fields", name, key)
    custom = table.get("custom")
    for name, rule in custom.items() if isinstance(custom, dict) else ():
        for key in sorted(rule.keys() & _KEYS_OF.keys()) if isinstance(rule, dict) else ():
            if FieldKind.PHONE in _KEYS_OF[key]:
                yield _misplaced("custom", name, key)


def _misplaced(table: str, name: str, key: str) -> InitErrorDetails:
    fields = ", ".join(field for field, kind in field_kinds().items() if kind in _KEYS_OF[key])
    return _custom_error("misplaced", (table, name, key), fields=fields)


def _custom_error(kind: LiteralString, path: tuple[str, ...], **context: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(kind, "{}", context), loc=path, input=path[-1])


def _as_raised(found: ErrorDetails) -> InitErrorDetails:
    """Return a mistake that was told as one that can be raised again."""
    kind: Any = found["type"]
    again = PydanticCustomError(kind, found["msg"].replace("{", "(").replace("}", ")"), found.get("ctx"))
    return InitErrorDetails(type=again, loc=found["loc"], input=found["input"])
