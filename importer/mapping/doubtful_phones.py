"""Tell phones that are complete by their looks only: rounded ones, and those without their area code."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import offsets_and_bytes, to_mask
from importer.mapping.base import ColumnIssue
from importer.models import Severity

_ZERO = ord("0")
_FEWEST_ZEROS = 6
_ROUNDED_FROM = 10
"""Digits of the shortest number that is called rounded."""
_NATIONAL = 11
_KEPT = 3
"""Digits that a spreadsheet program shows of a number like 8.61E+12."""
_DIALLED_WITHIN_TOWNS = ("AT", "DE")
"""Countries whose numbers have no length of their own: one without its area code looks complete."""
_MOST_LOCAL = 8
"""Digits of a number within a town."""


def doubt(
    code: str, where: np.ndarray, wording: str | None = None, expected: str | None = None
) -> ColumnIssue:
    """Return a warning about phones that are sent all the same."""
    return ColumnIssue(code, where, lambda _: expected, wording, Severity.WARNING, left_out=False)


def rounded(column: pa.Array) -> np.ndarray:
    """Return a mask of the bare digits that seem to be rounded: 13800000000, once shown as 1.38E+10.

    So they seem with six zeros at their end; of a number that may hold a country code, too, only the first
    three digits may be others than 0, since numbers like 8613800000000 are in use.
    """
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    found = np.zeros(len(column), dtype=bool)
    left = np.flatnonzero(lengths >= _ROUNDED_FROM)
    for back in range(1, _FEWEST_ZEROS + 1):
        left = left[data[offsets[1:][left] - back] == _ZERO]
    if left.size:
        texts = column.take(pa.array(left)).to_pylist()
        found[left] = [
            text.isdigit()
            and bool(text.strip("0"))
            and (len(text) <= _NATIONAL or len(text.rstrip("0")) <= _KEPT)
            for text in texts
        ]
    return found


def without_area_code(numbers: pa.Array, regions: pa.Array) -> np.ndarray:
    """Return a mask of the numbers (texts of digits) that in their countries (ISO codes) are as long as those
    dialled within a town, and begin with no 0."""
    offsets, data = offsets_and_bytes(numbers)
    lengths = np.diff(offsets)
    found = (lengths > 0) & (lengths <= _MOST_LOCAL)
    short = np.flatnonzero(found)
    if short.size:
        of_these = to_mask(pc.is_in(regions, value_set=arrow.array(list(_DIALLED_WITHIN_TOWNS))))
        found[short] = (data[offsets[:-1][short]] != _ZERO) & of_these[short]
    return found
