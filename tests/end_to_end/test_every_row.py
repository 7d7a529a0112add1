"""Whatever is in the file and whatever the server does: every row ends with exactly one true status."""

from __future__ import annotations

import csv
import json
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer import RunOptions, Status, import_file
from importer.config import Connection
from importer.delivery import Policy
from importer.option_types import Duplicates
from importer.sandbox import Sandbox
from tests.support.commands import results

HEADER = ["first_name", "last_name", "sms_phone", "email", "address", "birthday", "gender", "customize_field"]
CELLS = [
    ["Ana", "李", "", "x" * 129, '"quoted", with a comma', "two\nlines", "=1+1", "'"],
    ["Li", "Souza", "", " "],
    ["8613800138000", "8613800138001", "+86 138-0013-8002", "", "1.86E+10", "ask"],
    ["a@example.com", "B@example.com", "", "nobody"],
    ["Main St 1", "", "x" * 101, "back\\slash", "@home"],
    ["1990-05-07", "1990/5/7", "31/02/1990", ""],
    ["1", "0", "2", "male", ""],
    ['{"customize_1_14": "aa"}', "{", "", "{}"],
]
rows = st.lists(st.tuples(*[st.sampled_from(cells) for cells in CELLS]), max_size=130)
FAULTS = [
    "code code=1002 requests=1",
    "code code=9001 requests=2",
    "status status=503 requests=1",
    "lost requests=1",
    "truncated requests=2",
    "reset requests=1-2",
    "code code=4711 rows.first_name=Ana times=9",
]
faults = st.lists(st.sampled_from(FAULTS), max_size=2)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as long as they would, but in no time."""
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, faults=faults, policy=st.sampled_from(Duplicates))
def test_every_row_has_one_status_and_it_is_true(
    rows: list[tuple[str, ...]], faults: list[str], policy: Duplicates
) -> None:
    with tempfile.TemporaryDirectory() as name, Sandbox(faults=faults, keep_bodies=True) as box:
        folder = Path(name)
        with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        options = RunOptions(report_dir=folder / "dry", duplicates=policy, dry_run=True)
        dry = imported(folder, options, box.connection)
        options = RunOptions(report_dir=folder / "out", duplicates=policy, concurrency=2)
        real = imported(folder, options, box.connection)
        filled = [row for row in rows if any(cell for cell in row)]
        assert len(dry) == len(real) == len(filled)
        assert [tuple(line[column] for column in HEADER) for line in map(unescaped, real)] == filled
        # What the dry run calls valid, and only that, goes out.
        went = {Status.IMPORTED, Status.REJECTED, Status.UNKNOWN, Status.FAILED}
        assert [line["_status"] == Status.VALID for line in dry] == [line["_status"] in went for line in real]
        # The CRM took every imported row's phone; a later row of the customer may have replaced it.
        taken = [json.loads(request.body) for request in box.requests if request.code == 0]
        known = {customer.get("sms_phone") for body in taken for customer in body["customers"]}
        for line in real:
            if line["_status"] == Status.IMPORTED and line["sms_phone"].isdigit():
                assert line["sms_phone"] in known


def imported(folder: Path, options: RunOptions, connection: Connection) -> list[dict[str, str]]:
    done = import_file(
        folder / "a.csv", options=options, connection=connection, journal=folder / "journal.db"
    )
    assert options.report_dir is not None
    lines = results(options.report_dir)
    assert sum(done.counts.values()) == done.rows == len(lines)
    assert {status: n for status, n in done.counts.items() if n} == {
        status: sum(line["_status"] == status for line in lines)
        for status in Status
        if any(line["_status"] == status for line in lines)
    }
    return lines


def unescaped(line: dict[str, str]) -> dict[str, str]:
    return {name: cell.removeprefix("'") for name, cell in line.items()}
