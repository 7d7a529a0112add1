"""What a reports file that comes back says about its rows, and what the journal knows of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from importer.errors import JournalError
from importer.journal import Journal, RowsOfRun, RowStates
from importer.models import Chunk, Issue
from importer.pipeline.damage import MARKED, Mark, unseen_damage
from importer.reports.reimport import PriorRows


@dataclass(frozen=True, slots=True)
class Origin:
    """Rows of a chunk, by their places, and the rows of an earlier run that they are, one for one."""

    places: np.ndarray
    rows: RowsOfRun


class PriorImports:
    """Tells which rows of a reports file an earlier run imported to the same destination, and which come
    back as they were refused.

    The file's word is not enough: only what the journal has for that run and destination counts.
    """

    def __init__(self, journal: Journal, destination_key: str | None) -> None:
        self._journal = journal
        self._destination_key = destination_key
        self._imported: dict[str, dict[str, np.ndarray]] = {}
        self._runs: dict[str, RowStates | None] = {}

    def imported(self, said: PriorRows) -> np.ndarray:
        """Bool for each row of the chunk that `said` describes."""
        found = np.zeros(len(said.rows), dtype=bool)
        runs, sheets = _objects(said)
        for run in set(runs.tolist()):
            for sheet, rows in self._imported_by(str(run).strip()).items():
                found |= (runs == run) & (sheets == sheet) & np.isin(said.rows, rows)
        return found

    def with_unseen(self, chunk: Chunk, said: PriorRows, identifiers: Sequence[str]) -> Chunk:
        """The chunk with issues for damage that its cells don't show: see `importer.pipeline.damage`."""
        issues: list[Issue] = []
        numbers = chunk.frame.index.to_numpy()
        runs, sheets = _objects(said)
        for run, sheet in set(zip(runs.tolist(), sheets.tolist(), strict=True)):
            known = self._known(str(run).strip())
            if known is None:
                continue
            places = np.flatnonzero((runs == run) & (sheets == sheet))
            fates = known.state_indexes(sheet, said.rows[places])
            for place, index in zip(places.tolist(), fates.tolist(), strict=True):
                if index >= 0 and known.states[index].code == MARKED:
                    mark = Mark.of(known.states[index].message)
                    text = said.issues[place].as_py()
                    issues += unseen_damage(chunk, int(numbers[place]), text, mark, identifiers)
        return replace(chunk, issues=(*chunk.issues, *issues)) if issues else chunk

    def origins(self, said: PriorRows, wanted: np.ndarray) -> Iterator[Origin]:
        """Which rows of which runs these rows of a report are, as far as the journal knows those runs;
        `wanted`: bool for each row."""
        runs, sheets = _objects(said)
        for run, sheet in sorted(set(zip(runs[wanted].tolist(), sheets[wanted].tolist(), strict=True))):
            places = np.flatnonzero(wanted & (runs == run) & (sheets == sheet) & (said.rows > 0))
            if places.size and self._known(str(run).strip()) is not None:
                yield Origin(places, RowsOfRun(str(run).strip(), sheet, tuple(said.rows[places].tolist())))

    def _imported_by(self, run: str) -> dict[str, np.ndarray]:
        if run not in self._imported:
            there = self._destination_key
            self._imported[run] = self._journal.imported_rows(run, there) if run and there else {}
        return self._imported[run]

    def _known(self, run: str) -> RowStates | None:
        if run not in self._runs:
            try:
                self._runs[run] = self._journal.known(run) if run else None
            except JournalError:
                self._runs[run] = None
        return self._runs[run]


def _objects(said: PriorRows) -> tuple[np.ndarray, np.ndarray]:
    runs = np.asarray(said.runs.to_pylist(), dtype=object)
    return runs, np.asarray(said.sheets.to_pylist(), dtype=object)
