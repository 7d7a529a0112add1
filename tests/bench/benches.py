"""The benches, one for each bar: what is measured, against what, in which turns."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench import environments, extremes, unprepared
from tests.bench.figures import HERE, MIB, Bench, Figure, Measure, with_root
from tests.bench.processes import IMPORTER, PYTHON, ROOT, measure, ratio, typical
from tests.bench.serving import Span, sandboxed, served


def dry_run_csv(bench: Bench) -> Iterator[Figure]:
    """A dry run of a CSV against bare reading and writing."""
    rows = 1_000_000
    path, copy = bench.file(rows), bench.folder / "copy.csv"
    pandas = bench.baseline("pandas_copy", path, copy, python=environments.pandas_alone())
    ours, theirs = bench.turns(bench.dry_run(path), pandas)
    copy.unlink()
    times = ratio(ours, theirs)
    speed = f"{typical(ours):.1f} s against {typical(theirs):.1f} s"
    yield Figure(
        "dry run, 1,000,000 × 14 CSV, all reports, against pandas read_csv + to_csv alone",
        "≤ 0.75 ×",
        f"{times:.2f} × ({speed})",
        times <= 0.75,
    )
    base = measure(bench.dry_run(bench.file(rows // 10)), bench.folder)
    peak = max(one.peak for one in ours)
    growth = (peak - base.peak) / (rows - rows // 10)
    yield Figure("peak memory of that dry run", "≤ 220 MB", f"{peak / 1e6:.0f} MB", peak <= 220e6)
    yield Figure("its growth above 100,000 rows", "≤ 32 B/row", f"{growth:.0f} B/row", growth <= 32)


def validators(bench: Bench) -> Iterator[Figure]:
    """A dry run against other ways to validate."""
    rows = 1_000_000
    path = bench.file(rows)
    frictionless = environments.path_of(environments.frictionless(), "frictionless")
    schema = HERE / "baselines" / "frictionless_schema.json"
    # Without the limit it stops after a thousand errors.
    unlimited = ["--limit-errors", "1000000000", "--field-missing-values", "", "--json"]
    theirs = [str(frictionless), "validate", str(path), "--schema", str(schema), "--trusted", *unlimited]
    ours, others = bench.turns(bench.dry_run(path), theirs, rounds=1)
    times = 1 / ratio(ours, others)
    yield Figure(
        f"the same, {rows:,} rows, against frictionless validate with the same limits",
        "≥ 3 × faster",
        f"{times:.1f} × faster",
        times >= 3,
    )
    ours, others = bench.turns(
        bench.dry_run(path), bench.baseline("pydantic_rows", path, bench.folder / "copy.csv"), rounds=1
    )
    times = 1 / ratio(ours, others)
    yield Figure(
        f"the same, {rows:,} rows, against a pydantic model over csv.DictReader, with csv.writer",
        "faster",
        f"{times:.1f} × faster",
        times > 1,
    )


def dry_run_xlsx(bench: Bench) -> Iterator[Figure]:
    """A dry run of a workbook against reading it."""
    path = bench.file(100_000, kind="xlsx")
    slow = bench.baseline("pandas_openpyxl", path, python=environments.pandas_with_openpyxl())
    ours, calamine = bench.turns(bench.dry_run(path), bench.baseline("calamine_read", path))
    times = ratio(ours, calamine)
    yield Figure(
        "dry run, 100,000 × 14 .xlsx, against calamine alone",
        "≤ 1.4 ×",
        f"{times:.2f} × ({typical(ours):.1f} s against {typical(calamine):.1f} s)",
        times <= 1.4,
    )
    ours, others = bench.turns(bench.dry_run(path), slow, rounds=1)
    times = 1 / ratio(ours, others)
    yield Figure(
        "the same against pandas + openpyxl reading it", "≥ 5 × faster", f"{times:.1f} × faster", times >= 5
    )


def delivery(bench: Bench) -> Iterator[Figure]:
    """An import to a server that answers at once."""
    rows = 200_000
    path = bench.file(rows, 0)
    speeds = []
    with served() as server:
        for _ in range(bench.rounds):
            measured = bench.run(path, server.settings)
            span = server.span()
            assert span.requests == rows // 100
            speeds.append((rows / measured.seconds, rows / span.seconds))
    whole, sending = sorted(speeds)[len(speeds) // 2]
    yield Figure(
        "import of 200,000 rows to a server that answers at once, start to exit",
        "≥ 40,000 rows/s",
        f"{whole:,.0f} rows/s ({sending:,.0f} from first request to last answer)",
        whole >= 40_000,
    )


def latency(bench: Bench) -> Iterator[Figure]:
    """An import to a server that takes 100 ms for each answer."""
    rows, few = 40_000, 4_000
    path, short = bench.file(rows, 0), bench.file(few, 0)
    python = environments.requests_alone()
    with served(0.1) as server:
        importer: list[Span] = []
        pool: list[Span] = []
        for _ in range(bench.rounds):
            bench.run(path, server.settings, "--concurrency", "8", "--rate", "0")
            importer.append(server.span())
            url = f"{server.url}/pool"
            measure(bench.baseline("requests_pool", path, url, "8", python=python), bench.folder)
            pool.append(server.span())
        measure(bench.baseline("requests_loop", short, f"{server.url}/loop", python=python), bench.folder)
        loop = server.span()
    ours, bare = (sorted(span.seconds for span in spans)[bench.rounds // 2] for spans in (importer, pool))
    share, times = bare / ours, (loop.seconds / few) / (ours / rows)
    yield Figure(
        "import with 100 ms latency, 8 workers, against a bare pool of 8 threads with requests",
        "≥ 98 %",
        f"{100 * share:.1f} %",
        share >= 0.98,
    )
    yield Figure(
        "the same against a loop of pandas + requests", "≥ 7 × faster", f"{times:.1f} × faster", times >= 7
    )


def sandbox(bench: Bench) -> Iterator[Figure]:
    """A million rows into the sandbox, against a tenth of them: time and memory."""
    peaks, sizes = [], (100_000, 1_000_000)
    with sandboxed(bench.folder / "crm.db") as settings:
        for rows in sizes:
            measured = bench.run(bench.file(rows, 0), settings)
            peaks.append(measured.peak)
    each = (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])
    yield Figure(
        f"1,000,000 rows into the sandbox, {measured.seconds:.0f} s: memory for each row beyond 100,000",
        "≤ 64 bytes",
        f"{each:.0f} bytes, {peaks[1] / 1e6:.0f} MB at the end",
        each <= 64,
    )


def invalid(bench: Bench) -> Iterator[Figure]:
    """Damaged rows against none."""
    rows = 500_000
    damaged, whole = bench.turns(bench.dry_run(bench.file(rows)), bench.dry_run(bench.file(rows, 0)))
    times = ratio(damaged, whole)
    yield Figure("5 % invalid rows instead of none, 500,000 rows", "≤ 1.5 ×", f"{times:.2f} ×", times <= 1.5)


def linear(bench: Bench) -> Iterator[Figure]:
    """Twice the rows, twice the time."""
    sizes = (250_000, 500_000, 1_000_000)
    measured = bench.turns(*(bench.dry_run(bench.file(rows)) for rows in sizes), rounds=2)
    steps = [ratio(more, less) for less, more in itertools.pairwise(measured)]
    peak = max(one.peak for one in measured[-1])
    yield Figure(
        "twice the rows: 250,000, 500,000, 1,000,000",
        "≤ 2.05 × each",
        " and ".join(f"{step:.2f} ×" for step in steps) + f", {peak / 1e6:.0f} MB at the end",
        all(step <= 2.05 for step in steps),
    )


def start(bench: Bench) -> Iterator[Figure]:
    """How soon something happens."""
    for option in ("--help", "--version"):
        (measured,) = bench.turns([*IMPORTER, option], rounds=5)
        seconds = typical(measured)
        yield Figure(f"importer {option}", "< 0.3 s", f"{seconds:.2f} s", seconds < 0.3)
    path, small = bench.file(1_000_000, 0), bench.file(100, 0)
    early: dict[Path, list[float]] = {path: [], small: []}
    with served() as server:
        for _ in range(bench.rounds):
            for file, firsts in early.items():
                # The rest of the file need not be sent to know when the first request came.
                measured_run = bench.run(file, server.settings, "--limit", "300")
                firsts.append(server.span().first - measured_run.started)
    command = bench.baseline("hash_file", path)
    hashing = min(float(subprocess.check_output(command)) for _ in range(bench.rounds))
    first, base = (sorted(firsts)[bench.rounds // 2] for firsts in early.values())
    times = (first - base) / hashing
    yield Figure(
        f"start to first request on a file of {path.stat().st_size / 1e6:.0f} MB, less start-up "
        f"({base:.2f} s), against its sha256 ({hashing:.2f} s)",
        "≤ 2 ×",
        f"{times:.1f} ×",
        times <= 2,
    )


def many_runs(bench: Bench) -> Iterator[Figure]:
    """Memory of many runs in one process."""
    path = bench.file(20_000)
    command = [PYTHON, str(HERE / "drivers" / "many_runs.py"), str(path)]
    sizes = [int(line) for line in subprocess.check_output(command, cwd=ROOT, env=with_root()).split()]
    # Pools breathe by some MiB from run to run; a leak would lift the least of the later runs.
    growth = (min(sizes[30:]) - min(sizes[10:20])) / MIB
    yield Figure(
        "forty dry runs of 20,000 rows in one process: growth from the second ten to the fourth",
        "none",
        f"{growth:+.0f} MiB of {sizes[-1] / MIB:.0f}",
        growth < 5,
    )


def many_files(bench: Bench) -> Iterator[Figure]:
    """Dry runs of many files on the workers of a cluster; it needs the extra `cluster`, and two cores."""
    one = bench.file(20_000)
    files = [bench.folder / "many" / f"{number:02}.csv" for number in range(64)]
    files[0].parent.mkdir(exist_ok=True)
    for file in files:
        file.unlink(missing_ok=True)
        file.hardlink_to(one)

    def command(workers: int) -> list[str]:
        reports = str(bench.folder / "reports")
        there = ("--cluster", "local", "--parallel", str(workers), "--report-dir", reports, "--quiet")
        return [*IMPORTER, "validate", *map(str, files), *there]

    alone, both = bench.turns(command(1), command(2), rounds=1)
    times = ratio(alone, both)
    speed = f"{typical(alone):.1f} s and {typical(both):.1f} s"
    yield Figure(
        "dry runs of 64 files of 20,000 rows, all reports: two processes of a cluster against one",
        "≥ 1.6 ×",
        f"{times:.2f} × ({speed}, the cluster's start included)",
        times >= 1.6,
    )


def matching(bench: Bench) -> Iterator[Figure]:
    """Columns of exports that nobody has prepared for; each system is measured with the threshold that the
    others set."""
    columns = [one for file in unprepared.FILES for one in unprepared.left_out(unprepared.judged(file))]
    for language, counted in unprepared.by_language(columns):
        wanted = counted["right"] + counted["open"]
        good = not counted["wrong"] and counted["right"] >= 0.95 * wanted
        measured = f"{counted['right']} right, {counted['wrong']} wrong, {counted['open']} open"
        what = f"columns of unprepared exports, {language} ({counted['systems']})"
        yield Figure(what, "95 % right, none wrong", measured, good)


BENCHES: dict[str, Measure] = {
    "dry-run-csv": dry_run_csv,
    "validators": validators,
    "dry-run-xlsx": dry_run_xlsx,
    "delivery": delivery,
    "latency": latency,
    "sandbox": sandbox,
    "invalid": invalid,
    "linear": linear,
    "start": start,
    "many-runs": many_runs,
    "many-files": many_files,
    "matching": matching,
    "filled": extremes.filled,
    "polars": extremes.polars,
    "suppression": extremes.suppression,
    "small": extremes.small,
    "wide": extremes.wide,
    "few-rows": extremes.few_rows,
    "all-bad": extremes.all_bad,
    "annotated": extremes.annotated,
    "pool": extremes.pool,
    "national-phones": extremes.national_phones,
}


def stages(bench: Bench) -> dict[str, float]:
    """Processor seconds of each stage of a dry run of 200,000 rows."""
    command = [PYTHON, str(HERE / "drivers" / "stages.py"), str(bench.file(200_000))]
    found: dict[str, float] = json.loads(subprocess.check_output(command, cwd=ROOT, env=with_root()))
    return found


def threads(bench: Bench) -> dict[str, float]:
    """Processor seconds of each thread of an import of 200,000 rows to a server that answers at once."""
    path = bench.file(200_000, 0)
    with served() as server:
        environment = with_root() | server.settings | {"NXLINK_STATE_DIR": str(bench.folder / "state")}
        command = [PYTHON, str(HERE / "drivers" / "threads.py"), str(path), "4"]
        found: dict[str, float] = json.loads(
            subprocess.check_output(command, cwd=bench.folder, env=environment)
        )
    return found
