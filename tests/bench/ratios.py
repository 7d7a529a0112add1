"""A few small benches for each change, held against what is kept in ratios.json.

    python -m tests.bench.ratios [--write]

Each is a ratio of processor times, ours to a baseline's, of processes that run in turn: on a busy machine
both take longer. One fails that is worse by more than a fifth than what is kept, at each of three tries.
`--write` measures each once and keeps it. Exit code 1 if one fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.figures import HERE, Bench
from tests.bench.processes import IMPORTER, PYTHON, Measured, measure
from tests.bench.serving import served

KEPT = HERE / "ratios.json"
WORSE = 1.2
"""How many times the ratio that is kept one may be."""
TRIES = 3
_ROUNDS = 3


def _ratio(ours: list[Measured], theirs: list[Measured]) -> float:
    return median(one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True))


def _imports(bench: Bench, command: list[str]) -> float:
    """A command that is mostly start-up, against importing the libraries that it needs."""
    return _ratio(*bench.turns(command, [PYTHON, "-c", "import pandas, pyarrow"]))


def start(bench: Bench) -> float:
    """A dry run of a small file."""
    return _imports(bench, bench.dry_run(bench.file(300)))


def inspect(bench: Bench) -> float:
    """A proposal for a mapping."""
    return _imports(bench, [*IMPORTER, "inspect", str(bench.file(300))])


def csv(bench: Bench) -> float:
    """A dry run of a CSV, against pandas reading and writing it."""
    path = bench.file(60_000)
    return _ratio(
        *bench.turns(bench.dry_run(path), bench.baseline("pandas_copy", path, bench.folder / "copy"))
    )


def xlsx(bench: Bench) -> float:
    """A dry run of a workbook, against calamine reading it."""
    path = bench.file(20_000, kind="xlsx")
    return _ratio(*bench.turns(bench.dry_run(path), bench.baseline("calamine_read", path)))


def delivery(bench: Bench) -> float:
    """An import to a server that answers at once, against a bare pool that posts the same rows."""
    path = bench.file(20_000, 0)
    ours, theirs = [], []
    with served() as server:
        pool = bench.baseline("requests_pool", path, f"{server.url}/pool", "4")
        for _ in range(bench.rounds):
            ours.append(bench.run(path, server.settings))
            theirs.append(measure(pool, bench.folder))
    return _ratio(ours, theirs)


RATIOS: dict[str, Callable[[Bench], float]] = {
    "start": start,
    "inspect": inspect,
    "csv": csv,
    "xlsx": xlsx,
    "delivery": delivery,
}


def held(name: str, kept: float, measured: Callable[[], float]) -> bool:
    """Measure a ratio until it is no more than a fifth worse than what is kept; print each try."""
    for _ in range(TRIES):
        found = measured()
        good = found <= WORSE * kept
        print(f"{name}: {found:.2f}, kept {kept:.2f}{'' if good else ': worse by more than a fifth'}")
        if good:
            return True
    return False


def check(kept: Mapping[str, float], measured: Mapping[str, Callable[[], float]]) -> int:
    """Hold all ratios against what is kept. Return the exit code."""
    missed = [name for name, one in measured.items() if not held(name, kept[name], one)]
    if missed:
        print(f"Slower than {KEPT.name} says: {', '.join(missed)}.", file=sys.stderr)
        print("If that is meant: python -m tests.bench.ratios --write", file=sys.stderr)
    return 1 if missed else 0


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ratios", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep what is measured")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nxlink-ratios-") as folder:
        bench = Bench(Path(folder), _ROUNDS)
        if asked.write:
            found = {name: round(ratio(bench), 2) for name, ratio in RATIOS.items()}
            KEPT.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
            print(KEPT.read_text("utf-8"), end="")
            return 0
        kept = json.loads(KEPT.read_text("utf-8"))
        return check(kept, {name: partial(ratio, bench) for name, ratio in RATIOS.items()})


if __name__ == "__main__":
    sys.exit(main())
