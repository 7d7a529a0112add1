"""Claims of columns on fields: each field gets at most one column and each column at most one field, at the
highest sum of weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from importer.models import Note


@dataclass(frozen=True, slots=True)
class Claim:
    """One reason to take one column for one field."""

    column: int
    """Its index in the header."""
    field: str
    confidence: float
    why: Note
    rank: int = 0
    """Decides between claims of the same confidence: the lowest wins."""
    preference: float = 1.0
    """Decides between columns: mobile before landline, filled before empty."""
    guardian: bool = False
    by_cells: bool = False
    languages: frozenset[str] = frozenset()
    """The languages of the label; empty if it belongs to all."""
    denying: frozenset[str] = frozenset()
    """The languages in which the label means something else."""

    @property
    def worth(self) -> float:
        """What counts when columns compete for the field."""
        return self.confidence * self.preference


def assign(weights: Mapping[tuple[int, str], float]) -> dict[str, int]:
    """Return the column of each field that gets one.

    `weights` holds what each pair of a column (its index) and a field is worth, above 0; other pairs are
    never made. The result is an optimum (Kuhn-Munkres, O(fields² · columns)).
    """
    fields = list(dict.fromkeys(field for _, field in weights))
    columns: list[int | None] = [*sorted({column for column, _ in weights})]
    # A place of its own for each field that stays without a column.
    columns += [None] * len(fields)
    costs = [
        [-weights.get((column, field), 0.0) if column is not None else 0.0 for column in columns]
        for field in fields
    ]
    chosen = _cheapest(costs, len(columns))
    found = {field: columns[place] for field, place in zip(fields, chosen, strict=True)}
    return {
        field: column
        for field, column in found.items()
        if column is not None and weights.get((column, field), 0.0) > 0
    }


def _cheapest(costs: list[list[float]], width: int) -> list[int]:
    """Return for each row its column, all different, at the lowest sum; `width` is at least the rows' count.

    Rows are added one after another along the cheapest path that frees a column; potentials keep all reduced
    costs from being negative.
    """
    rows = len(costs)
    row_potential, column_potential = [0.0] * (rows + 1), [0.0] * (width + 1)
    row_of = [0] * (width + 1)
    for row in range(1, rows + 1):
        row_of[0] = row
        lowest, came_from = [float("inf")] * (width + 1), [0] * (width + 1)
        done = [False] * (width + 1)
        column = 0
        while row_of[column]:
            done[column] = True
            here, step, following = row_of[column], float("inf"), 0
            for other in range(1, width + 1):
                if done[other]:
                    continue
                reduced = costs[here - 1][other - 1] - row_potential[here] - column_potential[other]
                if reduced < lowest[other]:
                    lowest[other], came_from[other] = reduced, column
                if lowest[other] < step:
                    step, following = lowest[other], other
            for other in range(width + 1):
                if done[other]:
                    row_potential[row_of[other]] += step
                    column_potential[other] -= step
                else:
                    lowest[other] -= step
            column = following
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    chosen = [0] * rows
    for column in range(1, width + 1):
        if row_of[column]:
            chosen[row_of[column] - 1] = column - 1
    return chosen
