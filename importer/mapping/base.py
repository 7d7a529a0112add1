"""What several modules of the mapping share: packaged words, patterns with `*`, issues of columns."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer.dataclass import dataclass
from importer.models import Severity

CUSTOM_FIELD = "customize_field"
"""The API's field that holds all custom fields of the tenant, as a JSON object."""

KEY_PREFIX = "customize_"
"""What the keys of custom fields begin with: customize_1_14."""

_SAMPLED = 512
_SMALL = np.uint32(0x20202020)
"""The bits that tell small letters of ASCII from capital ones, in four bytes."""

ReadColumn = Callable[[str], Iterator[pd.Series]]
"""Reads a column of the whole file again, in pieces."""


@dataclass(frozen=True, slots=True)
class ColumnIssue:
    """One issue of several values of a column, one for each row of the mask."""

    code: str
    where: np.ndarray
    """bool, one for each row."""
    expected: Callable[[str], str | None] = lambda _: None
    """Returns what would have been right or what is sent, from the text that was found."""
    wording: str | None = None
    """The code of a message that fits better than the issue's own."""
    severity: Severity = Severity.ERROR
    left_out: bool = True
    """Whether the values are left out of what is sent. A note tells of values that are sent as they were
    read."""
    source: str | None = None
    """The column that it is about, where several feed the field together."""


def note(code: str, where: np.ndarray, expected: Callable[[str], str | None] = lambda _: None) -> ColumnIssue:
    """Return a note on values of a column that were read other than they stand there."""
    return ColumnIssue(code, where, expected, severity=Severity.NOTE, left_out=False)


def among(numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return a mask of the numbers that are among the known ones, which are sorted: for many numbers and few
    known ones, without sorting the numbers."""
    found: np.ndarray = np.take(known, np.searchsorted(known, numbers), mode="clip") == numbers
    return found


def in_fours(data: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return the four bytes (of uint8) from each place on as one number (uint32), the first one highest, and
    small and capital letters of ASCII as the same."""
    one, two, three, four = (data[begins + place].astype(np.uint32) for place in range(4))
    found: np.ndarray = (one << 24 | two << 16 | three << 8 | four) | _SMALL
    return found


def where_text(column: pa.Array, at: np.ndarray, test: Callable[[str], bool]) -> np.ndarray:
    """Return a mask of those texts at these positions that pass the test; each distinct one takes it once."""
    found = np.zeros(len(column), dtype=bool)
    if at.size:
        distinct = column.take(pa.array(at)).dictionary_encode()
        verdicts = np.array([test(text) for text in distinct.dictionary.to_pylist()], dtype=bool)
        found[at] = verdicts[distinct.indices.to_numpy()]
    return found


def by_distinct(column: pa.Array, test: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """Return what `test` returns for a column: one value for each text, which depends on the text alone.

    Where a sample shows that texts repeat, as first names do, each distinct one is tested once.
    """
    sample = column.slice(0, _SAMPLED)
    if len(column) < 2 * _SAMPLED or column.null_count or len(pc.unique(sample)) > _SAMPLED // 2:
        return test(column)
    distinct = column.dictionary_encode()
    found: np.ndarray = test(distinct.dictionary)[distinct.indices.to_numpy()]
    return found


@cache
def packaged_words(name: str) -> dict[str, Any]:
    """Return the tables of a TOML file that is part of this package: `aliases.toml`, `qualifiers.toml`, ….

    Where a run needs them, their index is quicker to read: for `words.toml` that is `words.json`.
    """
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))


@cache
def packaged_index(name: str) -> dict[str, Any]:
    """Return the tables of a JSON file that `make docs` makes of the packaged words: `names.json`, …."""
    tables: dict[str, Any] = json.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))
    return tables


def may_be_key(name: str) -> bool:
    """Return whether a mapping's name for a custom field may be its key, and not its display name."""
    return name.startswith(KEY_PREFIX)


def is_key(name: str) -> bool:
    """Return whether a column is called like the key of a custom field: customize_1_14."""
    text = name.strip()
    return may_be_key(text) and text.removeprefix(KEY_PREFIX).replace("_", "").isdigit()


def names_in(text: str) -> list[str]:
    """Return the names of a text that lists them with a | between two, as the packaged words do.

    A line may end within a name.
    """
    return [name for part in text.split("|") if (name := " ".join(part.split()))]


def matches_pattern(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern in which `*` stands for any text; case does not count."""
    return _expression(pattern).fullmatch(text.strip()) is not None


@lru_cache(maxsize=512)
def _expression(pattern: str) -> re.Pattern[str]:
    first, *others = (re.escape(part) for part in pattern.strip().split("*"))
    # Each part at its first place leaves most room for the next, so no place is tried twice.
    between = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    ending = f".*{others[-1]}" if others else ""
    return re.compile(first + between + ending, re.IGNORECASE | re.DOTALL)


def quote_names(names: Iterable[str]) -> str:
    """Return names for a sentence: “A”, “B”."""
    return ", ".join(f"“{name}”" for name in names)
