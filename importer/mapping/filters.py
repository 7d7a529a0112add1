"""Which rows a mapping imports: its conditions, applied to whole columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import has_bytes, nonempty, to_mask
from importer.dataclass import dataclass
from importer.mapping.base import matches_pattern, quote_names
from importer.mapping.rules import Condition

EXAMPLE_MARK = "EXAMPLE 示例"
"""What the template writes into its example row, which is never imported."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A mapping's condition, bound to a column of the file."""

    column: str
    condition: Condition

    def excluded(self, cells: pa.Array) -> np.ndarray:
        """Return a mask of the rows that the condition keeps out."""
        if self.condition.filled is not None:
            return nonempty(cells) ^ self.condition.filled
        wanted = self.condition.is_ if self.condition.is_ is not None else self.condition.is_not or ()
        distinct = cells.dictionary_encode()
        texts = distinct.dictionary.to_pylist()
        hit = pa.array([any(matches_pattern(one, text) for one in wanted) for text in texts], type=pa.bool_())
        hits = to_mask(pc.take(hit, distinct.indices))
        return ~hits if self.condition.is_ is not None else hits

    def reason(self) -> str:
        """Return why a row was kept out, the same in every language: only: Status = “active”."""
        condition = self.condition
        if condition.filled is not None:
            return f"only: {self.column} {'≠' if condition.filled else '='} “”"
        if condition.is_ is not None:
            return f"only: {self.column} = {quote_names(condition.is_)}"
        return f"only: {self.column} ≠ {quote_names(condition.is_not or ())}"


def example_rows(columns: Iterable[str], cell: Callable[[str], pa.Array], rows: int) -> np.ndarray:
    """Return a mask of the rows in which one of these columns says that they are the template's example."""
    found = np.zeros(rows, dtype=bool)
    for cells in map(cell, columns):
        if has_bytes(cells, EXAMPLE_MARK.encode()):
            found |= to_mask(pc.match_substring(cells, EXAMPLE_MARK)) & nonempty(cells)
    return found


def excluded_rows(
    filters: Sequence[RowFilter], cell: Callable[[str], pa.Array], rows: int
) -> list[tuple[RowFilter, np.ndarray]]:
    """Return for each filter a mask of the rows that it, and none before it, keeps out."""
    left = np.ones(rows, dtype=bool)
    found = []
    for one in filters:
        out = one.excluded(cell(one.column)) & left
        if out.any():
            found.append((one, out))
            left &= ~out
    return found
