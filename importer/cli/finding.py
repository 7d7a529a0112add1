"""Which run a person means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from importer.errors import SettingsError, UnknownRunError

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord


def find_run(journal: Journal, name: str) -> RunRecord:
    """The run of that name, or the only one whose name begins so. Raises UnknownRunError `unknown-run` or
    `several-runs`."""
    try:
        return journal.run(name)
    except UnknownRunError:
        found = [record for record in journal.runs() if record.id.startswith(name)]
        if len(found) > 1:
            raise UnknownRunError("several-runs", run=name, count=len(found), newest=found[0].id) from None
        if not found:
            raise
        return found[0]


def store_of(record: RunRecord) -> Path | None:
    """The file of the sandbox that the run went to, if it was to be kept and is still there."""
    found = json.loads(record.settings).get("sandbox_store")
    return Path(found) if found and Path(found).is_file() else None


def place_of(record: RunRecord, given: Path | None) -> Path | None:
    """The file of the sandbox that has to serve again, or None if the run went to the API itself. `given`:
    what the user says. Raises SettingsError `sandbox-gone`."""
    store = given or store_of(record)
    if store is None and record.destination is not None and record.destination.store:
        raise SettingsError("sandbox-gone", run=record.id)
    return store
