"""Programs that pip does not bring, for tests marked `extras`; `.ci/install-programs` installs them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

FORMATS = {".csv": "csv:Text - txt - csv (StarCalc):44,34,76,1", ".xlsx": "xlsx:Calc MS Excel 2007 XML"}
"""LibreOffice's filter for each suffix: separated by commas, quoted, UTF-8, from the first row."""


def program(*names: str) -> str:
    """Return the path of the first program of these names that is installed. Fails the test if none is."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.fail(f"{' or '.join(names)} is not installed")


@contextmanager
def begun(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Begin a process that is told and tells by pipes. It ends with the block, stopped or not."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def save_with_libreoffice(path: Path, folder: Path, suffix: str = "", options: str = "") -> Path:
    """Open a file in LibreOffice and save it into the folder in its own format, or the one of `suffix`.

    `options` are those of the CSV import after “from the first row”. Returns the saved file.
    """
    suffix = suffix or path.suffix
    command = [program("soffice"), "--headless", f"-env:UserInstallation={folder.as_uri()}/profile"]
    command += [f"--infilter=CSV:44,34,76,1{options}"] if path.suffix == ".csv" else []
    command += ["--convert-to", FORMATS[suffix], "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return (folder / path.name).with_suffix(suffix)
