"""Small exports of every system with a ready-made mapping, and the customers they are to become.

They lie in `tests/data/exports`; its index.toml says what a CSV file cannot.
"""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_TESTS = Path(__file__).parents[1]
_FOLDER = _TESTS / "data" / "exports"

HEADERS: Mapping[str, Sequence[str]] = json.loads((_TESTS / "bench" / "headers.json").read_text("utf-8"))
"""Headers of real exports, by the names that index.toml uses."""

BY_NAME = {"kit", "myoperator", "odoo-csv-import", "respond-io", "swiftmsg"}
"""Exports that are called as many other files, or hold companies: their mappings are taken by name only."""


@dataclass(frozen=True)
class Export:
    """One file of an export and, for those of its rows that are sent, the customers under `sea`."""

    mapping: str
    """The ready-made mapping it is for; also the file's name."""
    customers: Sequence[Mapping[str, str | int]]
    header: str | None = None
    """Its key in `HEADERS`."""
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def _path(self) -> Path:
        return _FOLDER / f"{self.mapping}.csv"

    @cached_property
    def _table(self) -> tuple[Sequence[str], Sequence[Mapping[str, str]]]:
        with self._path.open(encoding=self.encoding, newline="") as file:
            reader = csv.DictReader(file, delimiter=self.delimiter, strict=True)
            rows = list(reader)
        return tuple(reader.fieldnames or ()), rows

    @property
    def columns(self) -> Sequence[str]:
        """The file's header."""
        return self._table[0]

    @property
    def rows(self) -> Sequence[Mapping[str, str]]:
        """The file's rows; an empty cell is an empty text."""
        return self._table[1]

    def copy_to(self, folder: Path) -> Path:
        """Copy the file as it is. Returns the copy."""
        path = folder / self._path.name
        shutil.copyfile(self._path, path)
        return path


EXPORTS = tuple(
    Export(mapping, **about)
    for mapping, about in tomllib.loads((_FOLDER / "index.toml").read_text("utf-8")).items()
)
"""One for each ready-made mapping."""
