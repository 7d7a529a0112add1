"""Imports FILE as the command line would and prints the processor seconds of each of its threads as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path

from importer import RunOptions, import_file

TICKS = os.sysconf("SC_CLK_TCK")
seen: dict[int, tuple[str, float]] = {}


def look() -> None:
    """Notes what every thread has used so far."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    for task in Path("/proc/self/task").iterdir():
        try:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        name = names.get(int(task.name)) or seen.get(int(task.name), ("other", 0.0))[0]
        seen[int(task.name)] = (
            re.sub(r"worker-\d+", "workers", name),
            (int(fields[11]) + int(fields[12])) / TICKS,
        )


done = threading.Event()


def watch() -> None:
    """Looks until the run is over."""
    while not done.wait(0.02):
        look()


threading.Thread(target=watch, name="watch", daemon=True).start()
import_file(sys.argv[1], options=RunOptions(report_dir=Path("reports"), concurrency=int(sys.argv[2])))
look()
done.set()
total: dict[str, float] = {}
for name, seconds in seen.values():
    total[name] = total.get(name, 0.0) + seconds
json.dump(total, sys.stdout)
