"""python -m tests.bench [--rounds N] [NAME…]: measures, prints the table, writes it into docs/performance.md.

NAMEs select benches; the page is written only if all ran. Every figure is a ratio of processes that ran in
turn on the same machine; absolute times are of that machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tests.bench.benches import BENCHES, stages, threads
from tests.bench.figures import Bench, Figure
from tests.support.docs import DOCS, replace_part


def main() -> int:
    """Exit code 1 if a bar was missed."""
    asked = _arguments()
    figures: list[Figure] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nxlink-bench-") as folder:
        bench = Bench(Path(folder), asked.rounds)
        for name in asked.names or BENCHES:
            if name == "profile":
                continue
            print(f"… {name}", file=sys.stderr)
            started = time.monotonic()
            for figure in _measured(name, bench):
                figures.append(figure)
                print(_line(figure), flush=True)
            print(f"  {name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        profiled = "profile" in asked.names or not asked.names
        profile = _profile(bench) if profiled else ""
    print(profile)
    if not asked.names:
        _write(_page(figures, profile, time.monotonic() - began))
    return 0 if all(figure.good for figure in figures) else 1


def _measured(name: str, bench: Bench) -> Iterator[Figure]:
    """A bench's figures; one that fails costs its own line only."""
    try:
        yield from BENCHES[name](bench)
    except (RuntimeError, OSError, AssertionError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        yield Figure(name, "", "failed", good=False)


def _arguments() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}, profile")
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is measured (3)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in (*BENCHES, "profile")]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}")
    return asked


def _line(figure: Figure) -> str:
    return f"| {figure.what} | {figure.bar} | {figure.measured} | {'yes' if figure.good else '**no**'} |"


def _page(figures: list[Figure], profile: str, seconds: float) -> str:
    head = ["| what | bar | measured | met |", "| --- | --- | --- | --- |"]
    packages = ", ".join(f"{name} {version(name)}" for name in ("pandas", "pyarrow", "requests"))
    machine = (
        f"Written by `make bench` in {seconds / 60:.0f} minutes on {_processor()}, Python "
        f"{platform.python_version()}, {packages}. Files are generated (seeded): CJK and accented names, "
        "quoted commas, empty cells, 5 % damaged rows. Ratios are medians of processes run in turn; the "
        "seconds are this machine's and vary with what else it does."
    )
    return "\n".join([*head, *map(_line, figures), "", machine, "", profile])


def _processor() -> str:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} processors ({name})"


def _profile(bench: Bench) -> str:
    """Where the time goes."""
    parts = []
    for title, taken in (
        ("processor seconds of a dry run of 200,000 rows, stage by stage", stages(bench)),
        (
            "processor seconds by thread, 200,000 rows imported to a server that answers at once",
            threads(bench),
        ),
    ):
        total = sum(taken.values())
        shown = sorted(taken.items(), key=lambda item: -item[1])
        lines = [f"| {name} | {seconds:.2f} | {100 * seconds / total:.0f} % |" for name, seconds in shown]
        parts.append("\n".join([f"| {title} | s | share |", "| --- | ---: | ---: |", *lines]))
    return "\n\n".join(parts)


def _write(table: str) -> None:
    page = DOCS / "performance.md"
    page.write_text(replace_part(page.read_text("utf-8"), "bench", table), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
