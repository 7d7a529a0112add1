"""The tenant's own fields: asked for once, then remembered, so that a dry run knows them too."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path

from importer.config import Connection
from importer.contracts import endpoints
from importer.journal.database import state_folder
from importer.models import TenantField


def remembered(connection: Connection) -> tuple[TenantField, ...] | None:
    """The fields as they were when somebody last asked for them; None if nobody did."""
    try:
        entries = json.loads(_file(connection).read_text("utf-8"))
        return tuple(
            TenantField(**(entry | {"choices": tuple((str(i), str(name)) for i, name in entry["choices"])}))
            for entry in entries
        )
    except (OSError, ValueError, TypeError, KeyError):
        # What cannot be read is as good as not there: it can be asked for again.
        return None


def fetch(connection: Connection) -> tuple[TenantField, ...]:
    """Asks the API and remembers the answer. Raises RefusedError, UnreachableError, SettingsError."""
    from importer.api.account import fields  # the HTTP client: a dry run does without
    from importer.api.client import Client

    with Client(connection) as client:
        found = fields(client)
    file = _file(connection)
    with contextlib.suppress(OSError):
        # A list that cannot be kept costs the next run one request, no more.
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = file.with_suffix(".new")
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as out:
            json.dump([dataclasses.asdict(field) for field in found], out, ensure_ascii=False)
        new.replace(file)
    return found


def _file(connection: Connection) -> Path:
    there = connection.destination(endpoints()["fields"].base_url).key
    return state_folder() / "fields" / f"{hashlib.sha256(there.encode()).hexdigest()[:32]}.json"
