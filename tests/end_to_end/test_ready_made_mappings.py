"""Exports of other systems go into the CRM as they are: recognised, mapped, stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer import RunOptions, import_file
from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.models import Status
from importer.sandbox import Sandbox
from tests.support.exports import BY_NAME, EXPORTS, Export


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.mapping)
def test_an_export_arrives_as_the_right_customers(
    export: Export, settings: Connection, box: Sandbox, work: Path
) -> None:
    options = RunOptions(mapping=export.mapping if export.mapping in BY_NAME else None)
    found = import_file(export.copy_to(work), connection=settings, options=options)
    assert (found.exit_code, found.mapping) == (ExitCode.DONE, export.mapping)
    assert found.counts[Status.IMPORTED] == len(export.customers)
    stored = [_filled(customer.fields) for customer in box.customers()]
    assert sorted(stored, key=str) == sorted(map(_filled, export.customers), key=str)


def _filled(fields: object) -> dict[str, str]:
    assert isinstance(fields, dict)
    return {name: str(value) for name, value in sorted(fields.items()) if value not in ("", None)}
