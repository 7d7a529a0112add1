"""Run a folder of cases and compare what was stored with what is right.

A case is an input and, in the folder's `cases.json`, what a person expects of it: `want` says for the first
filled cell of a row `FLAG` (an issue, or not imported), `REFUSE` (not imported), or the fields that must be
stored. `__names__` lists first and last names that must be stored.

    python -m tests.support.cases ../shared/cases [ID ...]
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importer.cli import app
from importer.credentials import VARIABLES
from importer.sandbox import Sandbox
from tests.support.commands import results

FLAG, REFUSE, PERHAPS, NAMES, NO_ISSUE = "FLAG", "REFUSE", "FLAG?", "__names__", "_"
_FOLDER = Path(__file__).parents[2].parent / "shared" / "cases"


@dataclass(frozen=True)
class Case:
    """One input with its options and what is right."""

    id: str
    file: Path
    options: tuple[str, ...]
    want: Mapping[str, Any]


@dataclass(frozen=True)
class Ran:
    """What a run left: its exit code, its report's rows, the stored customers, what it said."""

    code: int
    rows: Sequence[Mapping[str, str]]
    stored: Sequence[Mapping[str, Any]]
    said: str


def load_cases(folder: Path = _FOLDER) -> list[Case]:
    """Return the cases of a folder; none if it isn't there."""
    listed = folder / "cases.json"
    if not listed.is_file():
        return []
    return [
        Case(one["id"], folder / one["file"], tuple(one.get("options", ())), one.get("want", {}))
        for one in json.loads(listed.read_text("utf-8"))
    ]


def run_case(case: Case) -> Ran:
    """Import the case's file into a sandbox of its own, by the command line."""
    with tempfile.TemporaryDirectory() as folder, Sandbox() as box:
        reports = Path(folder) / "reports"
        options = [str(case.file.parent / word) if word.endswith(".toml") else word for word in case.options]
        said = io.StringIO()
        with _surroundings(box, folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = app.invoke(["run", str(case.file), "--report-dir", str(reports), *options])
        rows = results(reports) if (reports / "results.csv").is_file() else []
        return Ran(
            code, rows, [_flat(dict(customer.fields)) for customer in box.customers()], said.getvalue()
        )


def faults(case: Case, ran: Ran) -> list[str]:
    """Return what is wrong with a run, a sentence each; nothing if it is right."""
    found = []
    for key, wanted in case.want.items():
        if key == NAMES:
            names = {(one.get("first_name"), one.get("last_name")) for one in ran.stored}
            found += [f"{name} is not stored" for name in map(tuple, wanted) if name not in names]
        elif not ran.rows and wanted in (FLAG, REFUSE):
            found += [f"{key} is stored, but in no report"] if _stored(ran, key) else []
        else:
            found += _row_faults(key, wanted, ran)
    return found


def _row_faults(key: str, wanted: Any, ran: Ran) -> list[str]:
    rows = [row for row in ran.rows if _first_filled(row) == key]
    if not rows:
        return [f"{key}: no such row (exit {ran.code})"]
    if wanted == REFUSE:
        return [f"{key}: imported" for row in rows if row["_status"] == "imported"]
    if wanted == FLAG:
        return [f"{key}: no issue" for row in rows if row["_status"] == "imported" and not row["_issues"]]
    fields = {name: value for name, value in wanted.items() if name != NO_ISSUE}
    flagged = all(row["_status"] != "imported" or row["_issues"] for row in rows)
    if flagged and all(value == PERHAPS for value in fields.values()):
        return []
    found = [f"{key}: {row['_issues']}" for row in rows if wanted.get(NO_ISSUE) and row["_issues"]]
    stored = _stored(ran, key)
    differing = [[name for name in fields if one.get(name) != fields[name]] for one in stored]
    if not stored or all(differing):
        shown = str([{name: one.get(name) for name in fields} for one in stored] or rows[0]["_status"])
        found.append(f"{key}: {shown} instead of {fields}; {rows[0]['_issues']}")
    return found


def _stored(ran: Ran, key: str) -> list[Mapping[str, Any]]:
    """Return the stored customers that a row with this first cell can have become."""
    return [one for one in ran.stored if key in one.values()]


def _first_filled(row: Mapping[str, str]) -> str:
    return next((cell for name, cell in row.items() if cell and name and not name.startswith("_")), "")


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    own = fields.get("customize_field")
    return {**fields, **(own if isinstance(own, dict) else {})}


@contextlib.contextmanager
def _surroundings(box: Sandbox, folder: str) -> Iterator[None]:
    """Let the environment lead to the sandbox, with a journal of its own."""
    connection = box.connection
    values = {
        VARIABLES["access_key"]: connection.access_key.reveal(),
        VARIABLES["access_secret"]: connection.access_secret.reveal(),
        VARIABLES["tenant_id"]: connection.tenant_id,
        VARIABLES["app_key"]: connection.app_key,
        VARIABLES["base_url"]: connection.base_url or "",
        "NXLINK_STATE_DIR": folder,
    }
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main(words: Sequence[str]) -> int:
    """Run the cases of a folder, and print what is wrong. Returns 1 if anything is."""
    cases = load_cases(Path(words[0]) if words else _FOLDER)
    wrong = 0
    for case in cases:
        if words[1:] and case.id not in words[1:]:
            continue
        ran = run_case(case)
        found = faults(case, ran)
        wrong += bool(found)
        print(case.id, case.file.name, f"exit {ran.code}:", "; ".join(found) if found else "right")
        if words[1:]:
            print(ran.said)
            for row in ran.rows:
                print({name: cell for name, cell in row.items() if cell})
            for one in ran.stored:
                print(one)
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
