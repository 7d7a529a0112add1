"""How a file is to be read, as far as its owner says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

NO_HEADER = ("no-header", "no-header-in-sheet")
"""The errors that say that no row is a header."""


def _nothing_known(name: str) -> bool:
    return False


def _none_optional(name: str) -> bool:
    return False


@dataclass(frozen=True)
class ReadOptions:
    """What the user, or the mapping, knows about a file; None leaves it to detection."""

    sheet: str | None = None
    """A sheet's name, or `all` for every visible sheet with data."""
    header_row: int | Literal["none"] | None = None
    """The row number (1-based, as a person sees it) of the header; `none` names the columns A, B, C…"""
    encoding: str | None = None
    delimiter: str | None = None
    """One character, or `tab`, `comma`, `semicolon`, `pipe`."""
    known: Callable[[str], bool] = _nothing_known
    """Whether a header cell is a name that some mapping or the contract knows."""
    named: Callable[[str], bool] = _nothing_known
    """Whether a header cell is a name that the mapping in use reads: where no row holds two known names, a
    row with one of these is the header."""
    any_table: bool = False
    """Whether a table without known names is read too: its first row of two cells or more is the header."""
    optional: Callable[[str], bool] = _none_optional
    """Whether a sheet of this name may hold no table: read with `all`, it is left out instead of refused."""
    chunk_rows: int = 14336
    """The most rows a chunk may have."""
