"""Read the files that people have as chunks of text, each row under the number that its owner sees."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importer.readers.base import ReadOptions, SheetInfo, Source
    from importer.readers.open import open_source

__all__ = ["ReadOptions", "SheetInfo", "Source", "open_source"]

_HOMES = {
    "ReadOptions": "base",
    "SheetInfo": "base",
    "Source": "base",
    "open_source": "open",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the process that reads workbooks starts without pandas."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"importer.readers.{_HOMES[name]}"), name)
