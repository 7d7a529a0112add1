"""Writing TOML, which the standard library only reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def written(table: Mapping[str, object]) -> str:
    """TOML text of texts, numbers, booleans, lists and tables of those; tables behind plain keys."""
    return "\n".join(_lines(table, ())).strip() + "\n"


def key(name: str) -> str:
    """A key, in quotation marks where it needs them."""
    return name if _BARE.fullmatch(name) else text(name)


def value(found: object) -> str:
    """A value: text, number, boolean, list, or table in braces. Raises TypeError for anything else."""
    match found:
        case bool():
            return "true" if found else "false"
        case int() | float():
            return str(found)
        case str():
            return text(found)
        case Mapping():
            return "{ " + ", ".join(f"{key(name)} = {value(item)}" for name, item in found.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(value(item) for item in found) + "]"
    raise TypeError(f"TOML has no {type(found).__name__}")


def text(found: str) -> str:
    """A text in quotation marks."""
    marks = (_ESCAPES.get(c) or (f"\\u{ord(c):04X}" if c < " " or c == "\x7f" else c) for c in found)
    return '"' + "".join(marks) + '"'


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    tables = {name: item for name, item in table.items() if _is_table(item, path)}
    for name, item in table.items():
        if name not in tables:
            yield f"{key(name)} = {value(item)}"
    for name, item in tables.items():
        here = (*path, name)
        title = ".".join(map(key, here))
        if isinstance(item, Mapping):
            if any(not _is_table(part, here) for part in item.values()):
                yield from ("", f"[{title}]")
            yield from _lines(item, here)
        elif isinstance(item, list | tuple):
            for part in item:
                yield from ("", f"[[{title}]]")
                yield from _lines(part, here)


def _is_table(item: object, path: tuple[str, ...]) -> bool:
    if isinstance(item, Mapping):
        return len(path) < 2
    return isinstance(item, list | tuple) and bool(item) and all(isinstance(part, Mapping) for part in item)
