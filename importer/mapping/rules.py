"""The rules of a mapping: the keys that a mapping file may hold, and what they mean.

`importer.mapping.schema` checks the tables that people wrote. It needs pydantic, which costs a small run a
tenth of its time and 7 MB; mappings that are part of the program do without.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, field, fields, replace
from enum import Enum, StrEnum, auto
from functools import cache
from typing import Any, Literal, Self

from importer import contracts
from importer.contracts import FieldKind
from importer.dataclass import dataclass
from importer.mapping.person_names import NameRule


class Held(Enum):
    """What TOML may hold for a key, where the type of the rule's field is not all."""

    NAME = auto()
    """A text that is not empty. A number counts as a text, here and below."""
    NAMES = auto()
    """Such texts, or one alone."""
    TEXT = auto()
    TEXTS = auto()
    """Texts, or one alone."""
    TEXT_BY_TEXT = auto()
    DATE_FORMATS = auto()
    """Date formats, or one alone."""
    COUNTRY = auto()
    """An ISO code."""
    COUNTRY_OR_COLUMN = auto()
    """An ISO code, or the table of a RegionColumn."""
    ROW = auto()
    """The number of a row, from 1, or `none`."""
    PLACE = auto()
    """A number from 1 to 9."""
    NAME_RULE = auto()
    CONDITION = auto()
    CONDITIONS = auto()
    MATCH = auto()
    READING = auto()
    FIELDS = auto()
    """Rules by the name of the field."""
    CUSTOM_FIELDS = auto()


@dataclass(frozen=True, slots=True)
class RuleKey:
    """A field of a rule that is a key of its table."""

    written: str
    """What TOML calls it."""
    held: Held | None
    """None: what the field's type says."""
    default: Any
    """MISSING if the table must have the key."""


def key(default: Any, held: Held | None = None, written: str = "") -> Any:
    """Return a field that is a key of a mapping's table; `written`: if TOML calls it otherwise."""
    about = {"held": held, "written": written}
    if default == {}:
        return field(default_factory=dict, metadata=about)
    return field(default=default, metadata=about)


class RuleTable:
    """A table of a mapping file, as a rule."""

    __slots__ = ()

    @classmethod
    def of_table(cls, table: Mapping[str, Any]) -> Self:
        """Return the rule of a table that has been checked, or that is part of the program."""
        rule: type = cls
        found = {}
        for name, one in keys_of(rule).items():
            if one.written in table or name in table:
                found[name] = _read(one.held, table.get(one.written, table.get(name)))
        return cls(**found)

    def table(self) -> dict[str, Any]:
        """Return the rule as TOML would hold it: only what differs from the defaults."""
        rule: type = type(self)
        values = ((one, getattr(self, name)) for name, one in keys_of(rule).items())
        return {one.written: _dumped(value) for one, value in values if value != one.default}


@cache
def keys_of(rule: type) -> Mapping[str, RuleKey]:
    """Return the keys of a rule's table, by the names of its fields."""
    return {
        one.name: RuleKey(
            one.metadata["written"] or one.name,
            one.metadata["held"],
            one.default if one.default_factory is MISSING else one.default_factory(),
        )
        for one in fields(rule)
    }


def _read(held: Held | None, value: Any) -> Any:
    """Return the value of a rule for what TOML holds."""
    match held:
        case Held.NAME | Held.TEXT:
            return as_text(value)
        case Held.NAMES | Held.TEXTS | Held.DATE_FORMATS:
            return tuple(map(as_text, as_several(value)))
        case Held.TEXT_BY_TEXT:
            return as_text_by_text(value)
        case Held.COUNTRY_OR_COLUMN:
            return RegionColumn.of_table(value) if isinstance(value, dict) else value
        case Held.NAME_RULE:
            return NameRule(value)
        case Held.CONDITION:
            return Condition.of_table(value)
        case Held.CONDITIONS:
            return tuple(map(Condition.of_table, value))
        case Held.MATCH:
            return HeaderMatch.of_table(value)
        case Held.READING:
            return ReadingRules.of_table(value)
        case Held.FIELDS:
            return {name: FieldRule.of_table(rule) for name, rule in value.items()}
        case Held.CUSTOM_FIELDS:
            return {name: CustomRule.of_table(rule) for name, rule in with_own_columns(value).items()}
        case _:
            return value


def as_several(value: Any) -> Any:
    """Take one text for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def as_text(value: Any) -> Any:
    """Turn a number into text, because cells are text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_text_by_text(value: Any) -> Any:
    """Turn the numbers of a value map into text."""
    return {str(one): as_text(found) for one, found in value.items()} if isinstance(value, dict) else value


def _dumped(value: Any) -> Any:
    """Return the value of a rule as TOML would hold it."""
    if isinstance(value, RuleTable):
        return value.table()
    if isinstance(value, Mapping):
        return {name: _dumped(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_dumped(one) for one in value]
    return str(value) if isinstance(value, StrEnum) else value


@dataclass(frozen=True, slots=True)
class Condition(RuleTable):
    """A condition on the rows, by the cell of one column. Case does not count; `*` stands for any text."""

    column: str = key(MISSING, Held.NAME)
    is_: tuple[str, ...] | None = key(None, Held.TEXTS, "is")
    is_not: tuple[str, ...] | None = key(None, Held.TEXTS)
    filled: bool | None = key(None)
    optional: bool = key(False)
    """If the file lacks the column, the condition is not applied."""


@dataclass(frozen=True, slots=True)
class RegionColumn(RuleTable):
    """The column that says of which country each row's phones are: ISO codes or names of countries."""

    source: tuple[str, ...] = key(MISSING, Held.NAMES, "from")
    """Columns; the first that is filled wins."""
    default: str | None = key(None, Held.COUNTRY)
    """ISO country of the rows that name none."""


@dataclass(frozen=True, slots=True)
class FieldRule(RuleTable):
    """How one field of the API is filled."""

    source: tuple[str, ...] = key((), Held.NAMES, "from")
    """Columns; the first that is filled wins, unless `join` is given."""
    join: str | None = key(None, Held.TEXT)
    """The text that all filled columns are joined with."""
    split: str | None = key(None, Held.NAME)
    """Column with full names. If the file has none of the columns in `from`, first_name and last_name take
    their parts of these names, by the mapping's `name_rule`."""
    constant: str | None = key(None, Held.TEXT)
    default: str | None = key(None, Held.TEXT)
    """The value where the cell is empty."""
    values: Mapping[str, str] = key({}, Held.TEXT_BY_TEXT)
    """What replaces a whole cell; case does not count. Other cells stay."""
    nothing: tuple[str, ...] | None = key(None, Held.TEXTS)
    """More cells that mean “empty”; `*` stands for any text. An empty list: no word means “empty”, NULL is a
    text."""
    case: Literal["keep", "upper", "lower", "title"] = key("keep")
    trim: bool = key(True)
    empty: Literal["leave-out", "send"] = key("leave-out")
    """What an empty cell means: the field is left out, or sent as an empty text."""
    shorten: bool = key(False)
    """True: a text that is too long is cut at the contract's limit; otherwise the row is reported."""
    formats: tuple[str, ...] = key((), Held.DATE_FORMATS)
    """Date formats; the first that fits a text wins."""
    calendar: Literal["gregorian", "buddhist", "persian", "roc"] | None = key(None)
    """What the years of dates count from. Without it, the whole column has to prove a calendar other than
    ours."""
    any_day: bool = key(False)
    """True: birthdays before 1900 and in the future are sent, too."""
    mixed_dates: bool = key(False)
    """True: the column mixes both orders of day and month, so a date with two readings is refused."""
    separators: tuple[str, ...] = key((), Held.TEXTS)
    """What stands between tags, or between the choices of a custom field."""
    region: str | RegionColumn | None = key(None, Held.COUNTRY_OR_COLUMN)
    """ISO country of phones without a country code, or the column that says it: `{ from = "Country" }`."""
    country_code: str | None = key(None, Held.NAME)
    """Column with the country code of the phones."""
    trunk_prefix: str | None = key(None, Held.TEXT)
    """What national numbers begin with, if not 0. It is removed where a country code is put before the
    number."""
    international_prefix: str | None = key(None, Held.TEXT)
    """What is written instead of the + of a country code: 00."""
    extension: Literal["keep", "drop"] = key("drop")
    """Whether x123, ext. 123 or #123 after a phone is dropped, with a note. If kept, the phone is refused."""
    several_at: tuple[str, ...] = key((), Held.TEXTS)
    """What stands between several values in one cell."""
    behind: str | None = key(None, Held.TEXT)
    """Only a value that begins with this text is taken, without the text: “WhatsApp-”."""
    take: int = key(1, Held.PLACE)
    """Which of several values is taken, from 1."""
    when: Condition | None = key(None, Held.CONDITION)
    """The field stays empty in rows that do not meet the condition."""

    @property
    def default_region(self) -> str | None:
        """The country of phones that no column gives one."""
        return self.region.default if isinstance(self.region, RegionColumn) else self.region

    def in_country(self, region: str, columns: Sequence[str]) -> FieldRule:
        """Return the rule of a phone with this country (ISO code) where none of the columns names one."""
        if isinstance(self.region, RegionColumn):
            columns = self.region.source
        found = RegionColumn(tuple(columns), region) if columns else region
        return replace(self, region=found)

    def columns(self) -> Iterator[str]:
        """Yield every column that the rule reads, by the mapping's name for it."""
        yield from self.source
        yield from (name for name in (self.split, self.country_code) if name)
        yield from self.region.source if isinstance(self.region, RegionColumn) else ()
        if self.when:
            yield self.when.column


_NOT_DONE = ("name", "title", "match", "read")
"""Keys of a mapping that change nothing in what it does with a row."""
_FEEDS = {"from", "source", "split", "constant", "default"}
CustomType = Literal["text", "number", "choice", "choices", "date", "date-time", "tags"]


@dataclass(frozen=True, slots=True)
class CustomRule(FieldRule):
    """How a custom field of the tenant is filled; its key in the mapping is its name or display name."""

    type: CustomType | None = key(None)
    """Only needed if the tenant's list of fields is not known."""


@dataclass(frozen=True, slots=True)
class HeaderMatch(RuleTable):
    """Which headers identify the export. Case does not count, all else does; `*` stands for any text."""

    all: tuple[str, ...] = key((), Held.NAMES)
    any: tuple[str, ...] = key((), Held.NAMES)
    """At least one of these."""
    none: tuple[str, ...] = key((), Held.NAMES)
    others: bool = key(True)
    """False: the file must have no headers but those that the mapping names."""
    yields: bool = key(False)
    """True: other mappings that fit go first."""


@dataclass(frozen=True, slots=True)
class ReadingRules(RuleTable):
    """How the file is read, where the command does not say it."""

    sheet: str | None = key(None, Held.NAME)
    """A sheet's name, or `all` for every sheet with data."""
    header_row: int | Literal["none"] | None = key(None, Held.ROW)
    """Where the header stands; `none` for a file without one."""
    encoding: str | None = key(None, Held.NAME)
    delimiter: str | None = key(None, Held.NAME)
    """One character, or `tab`."""


@dataclass(frozen=True, slots=True)
class MappingFile(RuleTable):
    """How one kind of sheet becomes customers."""

    name: str = key("")
    title: str = key("")
    missing_headers: Literal["error", "ignore"] = key("error")
    """Whether a file may lack headers that the mapping names: exports differ by the view that was chosen."""
    name_rule: NameRule | None = key(None, Held.NAME_RULE)
    """How the full names of `split` are split."""
    match: HeaderMatch | None = key(None, Held.MATCH)
    read: ReadingRules | None = key(None, Held.READING)
    only: tuple[Condition, ...] = key((), Held.CONDITIONS)
    fields: Mapping[str, FieldRule] = key({}, Held.FIELDS)
    custom: Mapping[str, CustomRule] = key({}, Held.CUSTOM_FIELDS)

    @property
    def digest(self) -> str:
        """The sha256 (hex) of what the mapping does. Its name, title, `match` and `read` do not count."""
        table = self.table()
        content = {key: value for key, value in table.items() if key not in _NOT_DONE}
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def columns(self) -> tuple[str, ...]:
        """Return every column that the mapping reads, by its own names, in order, each once."""
        rules: list[FieldRule] = [*self.fields.values(), *self.custom.values()]
        found = dict.fromkeys(column for rule in rules for column in rule.columns())
        return tuple(found | dict.fromkeys(condition.column for condition in self.only))

    def region_columns(self, rule: FieldRule) -> tuple[str, ...]:
        """Return the columns that say of which country a phone is: those of its rule, else those of the
        field `country`, unless the rule says the country otherwise."""
        if isinstance(rule.region, RegionColumn):
            return rule.region.source
        country = self.fields.get("country")
        return country.source if country and rule.region is None and rule.country_code is None else ()

    def in_country(self, region: str) -> MappingFile:
        """Return the mapping with this country (ISO code) for phones that no column gives one."""
        kinds = field_kinds()
        fields = {
            name: rule.in_country(region, self.region_columns(rule))
            if kinds[name] is FieldKind.PHONE
            else rule
            for name, rule in self.fields.items()
        }
        return replace(self, fields=fields)

    def dump(self) -> str:
        """Return the mapping as TOML text that `load_text` reads back equal."""
        import tomli_w

        return tomli_w.dumps(self.table())


def with_own_columns(custom: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of custom fields; one without a source gets the column of its own name."""
    return {
        name: {"from": name, **rule} if isinstance(rule, dict) and not rule.keys() & _FEEDS else rule
        for name, rule in custom.items()
    }


def field_kinds() -> Mapping[str, FieldKind]:
    """Return the kind of each field of any contract."""
    return {field.name: field.kind for name in contracts.NAMES for field in contracts.load(name).fields}


def field_names() -> tuple[str, ...]:
    """Return the fields of every contract, each once, in the contracts' order."""
    found = (name for contract in contracts.NAMES for name in contracts.load(contract).names)
    return tuple(dict.fromkeys(found))
