"""Find a mapping file by name or path, and read it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from importer.errors import MappingError
from importer.mapping.rules import MappingFile
from importer.models import Note
from importer.reasons import toml_reason
from importer.toml import parse_toml

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
    except (OSError, ValueError) as error:  # no UTF-8, or a name that no file can have
        raise MappingError("mapping-unreadable", name=name_or_path, reason=_reason(error)) from error
    return load_text(text, name_or_path)


def load_text(text: str, file: str = "") -> MappingFile:
    """Return a mapping from TOML text.

    Errors name `file`. Without its ending it is the mapping's name, unless the text gives one.

    Raises MappingError: `mapping-not-toml`, or what `checked_mapping` tells of every mistake.
    """
    from importer.mapping.mistakes import checked_mapping  # pydantic

    try:
        table = parse_toml(text)
    except ValueError as error:
        raise MappingError("mapping-not-toml", file=file, reason=toml_reason(error)) from error
    table.setdefault("name", Path(file).stem)
    return checked_mapping(table, text, file)


@cache
def ready() -> tuple[MappingFile, ...]:
    """Return the mappings that are part of the program, sorted by name."""
    return tuple(map(ready_mapping, _ready_texts()))


@cache
def ready_mapping(name: str) -> MappingFile:
    """Return a mapping that is part of the program. Raises MappingError `mapping-not-found`."""
    return MappingFile.of_table({"name": name, **parse_toml(ready_text(name))})


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


def _reason(error: OSError | ValueError) -> str | Note:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or Note("reason-not-utf-8" if isinstance(error, UnicodeDecodeError) else "reason-no-file")
