"""Asking for help costs nothing: the heavy libraries are imported by who needs them, when they need them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("jinja2", "numpy", "openpyxl", "pandas", "phonenumbers", "pyarrow", "pydantic", "python_calamine"),
    *("rapidfuzz", "requests", "rich", "sqlite3", "starlette", "tenacity", "urllib3", "uvicorn"),
}
SENDING = {"asyncio", "requests", "ssl", "starlette", "tenacity", "urllib3", "uvicorn"}
GUESSING = {"charset_normalizer", "phonenumbers", "python_calamine", "rapidfuzz"}
"""For files that need more than most: encodings, national phones, workbooks, unknown headers."""


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after the code."""
    script = (
        f"import json, sys\n{code}\nprint(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["resume", "--help"],
        ["job", "--help"],
        ["doctor", "--help"],
    ],
)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    assert not HEAVY & modules_after(f"from importer.cli.app import invoke\nassert invoke({arguments}) == 0")


def test_the_package_itself_and_its_names_import_nothing_heavy() -> None:
    assert not HEAVY & modules_after(
        "import importer\nfrom importer import RunOptions, Status, ImporterError"
    )


@pytest.mark.parametrize("header", ["First Name,Last Name,Mobile", "first_name,last_name,sms_phone"])
def test_a_dry_run_loads_nothing_that_sends_guesses_or_checks_files_of_settings(
    header: str, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(f"{header}\nAna,Li,8613900000001\n", "utf-8")
    arguments = ["validate", str(file), "--report-dir", str(tmp_path / "reports")]
    code = f"import os\nos.environ['NXLINK_STATE_DIR'] = {str(tmp_path)!r}\n"
    loaded = modules_after(f"{code}from importer.cli.app import invoke\nassert invoke({arguments}) == 0")
    assert "pandas" in loaded
    assert not (SENDING | GUESSING | {"openpyxl", "pydantic", "rich"}) & loaded


def test_what_reads_a_workbook_ahead_of_its_opening_imports_nothing_heavy() -> None:
    excel = "importer.readers.excel"
    code = f"import importer.readers.prefetch, {excel}.calamine_client, {excel}.calamine_worker"
    assert not HEAVY & modules_after(code)


def test_a_look_for_lost_history_imports_nothing_heavy() -> None:
    assert not HEAVY & modules_after("from importer.cli.output import print_losses\nprint_losses()")


def test_the_words_of_the_reports_import_nothing_heavy() -> None:
    code = "from importer.reports.wording import word\nfrom importer.reports.files import own_files"
    assert not HEAVY & modules_after(code)
