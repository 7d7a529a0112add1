"""Which run a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from importer.errors import JournalError

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord


def find_run(journal: Journal, name: str) -> RunRecord:
    """The run of that name, or the only one whose name begins so. Raises JournalError `unknown-run`."""
    try:
        return journal.run(name)
    except JournalError as error:
        if error.code != "unknown-run":
            raise
        found = [record for record in journal.runs() if record.id.startswith(name)]
        if len(found) != 1:
            raise
        return found[0]
