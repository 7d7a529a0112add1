"""What a reports file that comes back says about its rows, and what the journal knows of that."""

from __future__ import annotations

import numpy as np

from importer.journal import Journal
from importer.reports.again import Prior


class PriorImports:
    """Tells which rows of a reports file an earlier run imported to the same destination.

    The file's word is not enough: only what the journal has for that run and destination counts.
    """

    def __init__(self, journal: Journal, destination_key: str) -> None:
        self._journal = journal
        self._destination_key = destination_key
        self._runs: dict[str, dict[str, np.ndarray]] = {}

    def imported(self, said: Prior) -> np.ndarray:
        """Bool for each row of the chunk that `said` describes."""
        found = np.zeros(len(said.rows), dtype=bool)
        runs = np.asarray(said.runs.to_pylist(), dtype=object)
        sheets = np.asarray(said.sheets.to_pylist(), dtype=object)
        for run in set(runs.tolist()):
            known = self._known(str(run).strip())
            for sheet, rows in known.items():
                found |= (runs == run) & (sheets == sheet) & np.isin(said.rows, rows)
        return found

    def _known(self, run: str) -> dict[str, np.ndarray]:
        if run not in self._runs:
            self._runs[run] = self._journal.imported_rows(run, self._destination_key) if run else {}
        return self._runs[run]
