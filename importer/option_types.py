"""Describe what a user can set: the options of a run, and the keys of tables in importer.toml.

`importer.options` declares the options with these types; `importer.config` and `importer.jobs.config` declare
the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from importer.dataclass import dataclass
from importer.models import Mode


class OptionGroup(Enum):
    """Options that a command takes together."""

    SOURCE = "source"
    MODE = "mode"
    MAPPING = "mapping"
    READING = "reading"
    CHECKING = "checking"
    SENDING = "sending"
    REPORTS = "reports"
    RETRY = "retry"
    DRY_RUN = "dry-run"


class Keep(Enum):
    """Where the journal keeps an option for `resume`, `retry` and `report`."""

    NO = "no"
    SETTINGS = "settings"
    """In the JSON text `settings` of the run's record."""
    READING = "read_options"
    """In the JSON text `read_options` of the run's record."""
    COLUMN = "column"
    """In a column of its own."""


class Duplicates(StrEnum):
    """What is done with a row that shares a phone or e-mail with an earlier one."""

    SEND = "send"
    SKIP = "skip"
    ERROR = "error"


# What a value may be. `importer.cli.parameters` makes a click type of it, `importer.config` one of pydantic.


@dataclass(frozen=True, slots=True)
class FlagValue:
    """True or False."""


@dataclass(frozen=True, slots=True)
class TextValue:
    """Any text."""


@dataclass(frozen=True, slots=True)
class ChoiceValue:
    """One of several words."""

    words: tuple[str, ...]
    enum: type[StrEnum] | None = None
    """What the words stand for; None for themselves."""


@dataclass(frozen=True, slots=True)
class IntegerValue:
    """A whole number between two bounds, both included."""

    least: int
    most: int | None = None


@dataclass(frozen=True, slots=True)
class NumberValue:
    """A finite number between two bounds, both included."""

    least: float
    most: float | None = None
    seconds: bool = False
    """Whether importer.toml may also write "90s", "15m" and the like."""


@dataclass(frozen=True, slots=True)
class FolderValue:
    """The path of a folder."""


@dataclass(frozen=True, slots=True)
class FilesValue:
    """The paths of files, as many as wanted. Those of several layers add up: no later one drops a file."""


@dataclass(frozen=True, slots=True)
class HeaderRowValue:
    """The number of a row, counted from 1, or `none`."""


@dataclass(frozen=True, slots=True)
class ModeValue:
    """replace, update or keep; on the command line also the API's 0, 1, 2."""


ValueKind = (
    FlagValue
    | TextValue
    | ChoiceValue
    | IntegerValue
    | NumberValue
    | FolderValue
    | FilesValue
    | HeaderRowValue
    | ModeValue
)


@dataclass(frozen=True, slots=True)
class Option:
    """What is to be known about one option."""

    kind: ValueKind
    help: Mapping[str, str]
    """What it does, by language."""
    group: OptionGroup | None = None
    """None: no command takes it from here."""
    flags: tuple[str, ...] = ()
    """Its names on the command line."""
    metavar: str | None = None
    show_default: bool = False
    """Whether `--help` adds the default; False where there is none, or the help says it."""
    profile: bool = False
    """Whether `[profile.NAME]` may set it."""
    job: bool = False
    """Whether `[job.NAME]` may set it."""
    keep: Keep = Keep.NO
    report: bool = False
    """Whether the reports show it among the settings."""
    repeat: bool = False
    """Whether the commands that reports offer repeat it: it decides what `importer run FILE` means."""
    name: str = ""
    default: Any = None


def declare(default: Any, kind: ValueKind, en: str, zh: str, **more: Any) -> Any:
    """Return a field that is an option of a run; `more` are fields of Option."""
    return field(default=default, metadata={"option": Option(kind, {"en": en, "zh": zh}, **more)})


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """A field of a dataclass that is a key of a table, too."""

    written: Any
    """The type that TOML may hold, as pydantic understands it, or the dataclass of a table in the table."""
    read: Callable[[Any], Any] | None = None
    """Makes the field's value of it. An empty text counts as not given then."""


def key(default: Any, written: Any, read: Callable[[Any], Any] | None = None) -> Any:
    """Return a field that is a key of a table in importer.toml; `importer.config_schema` checks it."""
    return field(default=default, metadata={"key": ConfigKey(written, read)})


def read_value(kind: ValueKind, value: Any) -> Any:
    """Return the value of RunOptions for what click, JSON or TOML holds. A folder named "" is no folder."""
    match kind:
        case ChoiceValue(enum=enum) if enum is not None:
            return enum(value)
        case ModeValue() if isinstance(value, str):
            return Mode[value.upper()]
        case FolderValue():
            return Path(value) if str(value) else None
        case FilesValue():
            return tuple(map(str, value))
        case _:
            return value


SettingValue = str | int | float | bool
"""The value of an option as reports hold it."""


def setting_value(value: object) -> SettingValue:
    """Return a value as reports hold it; empty for None."""
    # A mode is a number, too, but people know it by its name.
    if isinstance(value, int | float) and not isinstance(value, Mode):
        return value
    return option_text(value)


def option_text(value: object) -> str:
    """Return a value as people write it; empty for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mode):
        return value.label
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
