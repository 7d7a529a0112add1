"""Find a mapping file by name or path, read it, and report a mistake with its line and key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from importer.errors import MappingError
from importer.escaping import parse_toml
from importer.mapping.person_names import NameRule
from importer.mapping.schema import (
    Condition,
    CustomRule,
    FieldRule,
    HeaderMatch,
    MappingFile,
    ReadingRules,
    field_names,
)

_CHECKOUT = Path(__file__).parents[2] / "mappings"
# A name without folder and ending means a mapping that is part of the program.
_ENDING = ".toml"


def load(name_or_path: str) -> MappingFile:
    """Return the ready-made mapping of that name, or the mapping file at that path.

    Raises MappingError: `mapping-not-found`, `mapping-no-file`, `mapping-unreadable`, or what
    `load_text` raises.
    """
    path = Path(name_or_path)
    if not name_or_path.endswith(_ENDING) and path.name == name_or_path:
        for mapping in ready():
            if mapping.name == name_or_path:
                return mapping
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        if name_or_path.endswith(_ENDING) or path.name != name_or_path:
            raise MappingError("mapping-no-file", file=name_or_path) from None
        known = [mapping.name for mapping in ready()]
        near = difflib.get_close_matches(name_or_path, known, n=3)
        raise MappingError("mapping-not-found", name=name_or_path, near=", ".join(near or known)) from None
    except (OSError, ValueError) as error:  # no UTF-8, or a name with NUL
        raise MappingError("mapping-unreadable", name=name_or_path, reason=_reason(error)) from error
    return load_text(text, name_or_path)


def load_text(text: str, file: str = "") -> MappingFile:
    """Return a mapping from TOML text.

    Errors name `file`. Without its ending it is the mapping's name, unless the text gives one.

    Raises MappingError: `mapping-not-toml`, or the code of the first mistake with its line and key.
    """
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise MappingError("mapping-not-toml", file=file, reason=str(error)) from error
    table.setdefault("name", Path(file).stem)
    try:
        return MappingFile.model_validate(table)
    except ValidationError as error:
        raise _mapping_error(error, text, file) from error


@cache
def ready() -> tuple[MappingFile, ...]:
    """Return the mappings that are part of the program, sorted by name."""
    return tuple(map(ready_mapping, _ready_texts()))


@cache
def ready_mapping(name: str) -> MappingFile:
    """Return a mapping that is part of the program. Raises MappingError `mapping-not-found`."""
    return load_text(ready_text(name), name)


def ready_text(name: str) -> str:
    """Return the text of a ready-made mapping, comments included. Raises MappingError `mapping-not-found`."""
    texts = _ready_texts()
    if name not in texts:
        raise MappingError("mapping-not-found", name=name, near=", ".join(texts))
    return texts[name]


@cache
def _ready_texts() -> dict[str, str]:
    return {file.name.removesuffix(_ENDING): file.read_text("utf-8") for file in _ready_files()}


def _ready_files() -> Sequence[Traversable]:
    packaged = resources.files("importer.mapping").joinpath("ready")
    folder: Traversable = packaged if packaged.is_dir() else _CHECKOUT
    files = [file for file in folder.iterdir() if file.name.endswith(_ENDING)] if folder.is_dir() else []
    return sorted(files, key=lambda file: file.name.removesuffix(_ENDING))


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


_CODES = {
    "extra_forbidden": "mapping-unknown-key",
    "unknown_field": "mapping-unknown-field",
    "date_format": "mapping-bad-date-format",
    "region": "mapping-bad-region",
    "clash": "mapping-keys-clash",
    "unfed": "mapping-unfed-field",
    "join": "mapping-join-needs-two",
    "condition": "mapping-bad-condition",
    "name_rule": "mapping-needs-name-rule",
    "split": "mapping-split-elsewhere",
    "misplaced": "mapping-misplaced-key",
    "missing": "mapping-missing-key",
    "literal_error": "mapping-bad-choice",
    "header_row": "mapping-bad-choice",
    "enum": "mapping-bad-choice",
    "string_too_short": "mapping-empty-text",
    "too_short": "mapping-empty-text",
}


def _mapping_error(error: ValidationError, text: str, file: str) -> MappingError:
    mistakes = error.errors()
    # A misspelled key is also a missing one; the spelling is what to report.
    first = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    context: dict[str, Any] = dict(first.get("ctx") or {})
    path = tuple("from" if part == "source" else part for part in first["loc"])
    if first["type"] == "unknown_field":
        path = ("fields", context["field"])
    if first["type"] == "misplaced":
        path = (*context["table"].split("."), context["key"])
    code = _CODES.get(first["type"], "mapping-bad-value")
    given = first["input"]
    return MappingError(
        code,
        file=file,
        line=_line(text, path),
        place=".".join(part for part in path if isinstance(part, str)),
        key=str(path[-1]) if path else "",
        given=given if isinstance(given, str | int | float | bool) else type(given).__name__,
        allowed=_allowed(first["type"], path, context),
        reason=first["msg"],
        **{key: value for key, value in context.items() if key in ("lacks", "region", "keys", "field")},
    )


def _allowed(kind: str, path: tuple[str | int, ...], context: dict[str, Any]) -> str:
    if kind == "unknown_field":
        return ", ".join(field_names())
    if kind == "extra_forbidden":
        return ", ".join(_keys(path[:-1]))
    if kind == "misplaced":
        return str(context["fields"])
    if kind == "enum":
        return ", ".join(rule.value for rule in NameRule)
    return str(context.get("expected", "")).replace("'", "")


_TABLES: dict[str, type[BaseModel]] = {
    "when": Condition,
    "fields": FieldRule,
    "custom": CustomRule,
    "only": Condition,
    "match": HeaderMatch,
    "read": ReadingRules,
}


def _keys(table: Sequence[str | int]) -> Iterator[str]:
    model: type[BaseModel] = _TABLES.get("when" if "when" in table[2:] else str(*table[:1]), MappingFile)
    for name, info in model.model_fields.items():
        yield info.alias or name


_TABLE = re.compile(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=""")


def _line(text: str, path: Sequence[str | int]) -> int:
    """Return the line (from 1) of the key at a path, else of its table; 1 if neither is written that way."""
    names = [str(part) for part in path if not isinstance(part, int)]
    indices = [part for part in path if isinstance(part, int)]
    best, depth, here, repeats = 1, 0, "", -1
    for number, line in enumerate(text.splitlines(), start=1):
        table, key = _TABLE.fullmatch(line), _KEY.match(line)
        if table:
            repeats = repeats + 1 if here == table[1] else 0
            here = table[1]
        written = _parts(here) + (_parts(key[1]) if key else [])
        if not (table or key) or (indices and here == names[0] and repeats != indices[0]):
            continue
        common = _common(written, names)
        if common == len(written) and common > depth:
            best, depth = number, common
    return best


def _parts(dotted: str) -> list[str]:
    found = re.findall(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)""", dotted)
    return ["".join(groups) for groups in found]


def _common(path: Sequence[str], names: Sequence[str]) -> int:
    count = 0
    for mine, theirs in zip(path, names, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
