"""Forty dry runs of FILE in one process, through the Python API. Prints the resident bytes after each."""

import os
import sys
import tempfile
from pathlib import Path

from importer import RunOptions, validate_file
from importer.arrow import release_unused_memory

release_unused_memory()  # as the program does

for _ in range(40):
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(report_dir=Path(folder) / "reports")
        validate_file(sys.argv[1], options=options, journal=Path(folder) / "journal.db")
    pages = Path("/proc/self/statm").read_text().split()[1]
    print(int(pages) * os.sysconf("SC_PAGE_SIZE"))
