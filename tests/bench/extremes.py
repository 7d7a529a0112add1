"""The benches of what is smallest, widest, worst or fullest, and of what libraries can do at best."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from statistics import median

from tests.bench import environments
from tests.bench.figures import HERE, Bench, Figure, with_root
from tests.bench.processes import IMPORTER, PYTHON, measure, ratio, typical
from tests.bench.serving import served


def filled(bench: Bench) -> Iterator[Figure]:
    """A dry run of CSVs without an empty cell: one with a JSON object in each row, and one with names from
    short lists, each phone in two columns, tags and accounts."""
    for variant, what in (
        ("filled", "every cell filled, a JSON object in each row"),
        ("listed", "names from lists, each phone twice, tags, accounts"),
    ):
        path, copy = bench.file(1_000_000, 0, variant=variant), bench.folder / "copy.csv"
        pandas = bench.baseline("pandas_copy", path, copy, python=environments.pandas_alone())
        ours, theirs = bench.turns(bench.dry_run(path), pandas, rounds=1)
        copy.unlink()
        times = ratio(ours, theirs)
        yield Figure(
            f"dry run, 1,000,000 × 14 CSV, {what}, against pandas alone",
            "≤ 0.75 ×",
            f"{times:.2f} × ({typical(ours):.1f} s against {typical(theirs):.1f} s)",
            times <= 0.75,
        )


def polars(bench: Bench) -> Iterator[Figure]:
    """A dry run of a CSV against what the machine can do."""
    path, copy = bench.file(1_000_000), bench.folder / "copy.csv"
    theirs = bench.baseline("polars_copy", path, copy, python=environments.polars_alone())
    ours, others = bench.turns(bench.dry_run(path), theirs, rounds=1)
    copy.unlink()
    times = ratio(ours, others)
    yield Figure(
        "dry run, 1,000,000 × 14 CSV, against polars read_csv + write_csv alone",
        "≤ 4 ×",
        f"{times:.1f} × ({typical(ours):.1f} s against {typical(others):.1f} s)",
        times <= 4,
    )


def suppression(bench: Bench) -> Iterator[Figure]:
    """A dry run against a list of people who must not be sent, plain and as SHA-256."""
    rows, entries = 1_000_000, 10_000
    path = bench.file(rows, 0)
    with path.open(encoding="utf-8", newline="") as file:
        picked = itertools.islice(csv.DictReader(file), 0, None, rows // entries)
        both = ((line["Mobile"], line["Email"]) for line in picked if line["Mobile"] and line["Email"])
        contacts = list(itertools.islice(both, entries // 2))
    plain, hashed = bench.folder / "list.csv", bench.folder / "hashes.csv"
    plain.write_text("\n".join(["Phone,E-mail", *map(",".join, contacts)]) + "\n", "utf-8")
    texts = [(re.sub(r"\D", "", phone), email.strip().lower()) for phone, email in contacts]
    digests = [hashlib.sha256(text.encode()).hexdigest() for pair in texts for text in pair]
    hashed.write_text("\n".join(["hash", *digests]) + "\n", "utf-8")
    command = bench.dry_run(path)
    bare, with_list, with_hashes = bench.turns(
        command, [*command, "--suppress", str(plain)], [*command, "--suppress", str(hashed)], rounds=1
    )
    # The last run was that with the hashes.
    told = json.loads((bench.folder / "reports" / "summary.json").read_text("utf-8"))
    left_out = told["suppression"][0]["rows"]
    for what, ours, most in (("", with_list, 1.15), (" as SHA-256", with_hashes, 2)):
        times = ratio(ours, bare)
        yield Figure(
            f"dry run, {rows:,} rows, against a list of {2 * len(contacts):,} phones and e-mails{what}",
            f"≤ {most} × without",
            f"{times:.2f} × ({typical(ours):.1f} s against {typical(bare):.1f} s)",
            times <= most and left_out >= len(contacts),
        )


def small(bench: Bench) -> Iterator[Figure]:
    """A dry run of a small file, start to exit."""
    imports = [PYTHON, "-c", "import pandas, pyarrow"]
    ours, theirs = bench.turns(bench.dry_run(bench.file(300)), imports, rounds=7)
    times = ratio(ours, theirs)
    yield Figure(
        "dry run of 300 rows, start to exit, against `import pandas, pyarrow`",
        "≤ 1.25 ×",
        f"{times:.2f} × ({typical(ours):.2f} s against {typical(theirs):.2f} s)",
        times <= 1.25,
    )


def wide(bench: Bench) -> Iterator[Figure]:
    """`inspect` of very many columns, against `inspect` of 14."""
    path = bench.file(3, 0, variant="9000-columns")
    commands = ([*IMPORTER, "inspect", str(one)] for one in (path, bench.file(3, 0)))
    broad, narrow = bench.turns(*commands)
    times = ratio(broad, narrow)
    yield Figure(
        "inspect, 9,000 columns × 3 rows, against 14 columns",
        "≤ 2 ×",
        f"{times:.1f} × ({typical(broad):.1f} s against {typical(narrow):.1f} s)",
        times <= 2,
    )


def few_rows(bench: Bench) -> Iterator[Figure]:
    """What looks at the first rows of a workbook, less start-up, against reading all of it."""
    path, little = bench.file(100_000, kind="xlsx"), bench.file(300, kind="xlsx")
    calamine = bench.baseline("calamine_read", path)
    for name, before in (("--limit 5", bench.dry_run), ("inspect", _inspect)):
        more = ["--limit", "5"] if before is bench.dry_run else []
        ours, start, whole = bench.turns([*before(path), *more], [*before(little), *more], calamine)
        spans = zip(ours, start, whole, strict=True)
        share = median((one.seconds - base.seconds) / all_of_it.seconds for one, base, all_of_it in spans)
        yield Figure(
            f"{name} of 100,000 × 14 .xlsx, less start-up, against reading it with calamine",
            "≤ 0.1 ×",
            f"{share:.2f} × ({typical(ours):.1f} s)",
            share <= 0.1,
        )


def _inspect(path: object) -> list[str]:
    return [*IMPORTER, "inspect", str(path)]


def all_bad(bench: Bench) -> Iterator[Figure]:
    """Memory where no row is right."""
    measured = measure(bench.dry_run(bench.file(1_000_000, 1)), bench.folder)
    yield Figure(
        f"1,000,000 rows, all invalid, {measured.seconds:.0f} s: memory",
        "≤ 300 MB",
        f"{measured.peak / 1e6:.0f} MB",
        measured.peak <= 300e6,
    )


def annotated(bench: Bench) -> Iterator[Figure]:
    """annotated.xlsx made from one's own workbook, against copying it."""
    path = bench.file(20_000, kind="xlsx")
    copying = bench.baseline("openpyxl_copy", path, bench.folder / "copy.xlsx")
    ours, plain, theirs = bench.turns(
        [*bench.dry_run(path), "--excel-report"], bench.dry_run(path), copying, rounds=1
    )
    times = (ours[0].seconds - plain[0].seconds) / theirs[0].seconds
    yield Figure(
        "annotated.xlsx of 20,000 × 14, beside a dry run, against openpyxl's load and save",
        "≤ 2 ×",
        f"{times:.2f} × ({ours[0].seconds:.1f} s in all, {ours[0].peak / 1e6:.0f} MB)",
        times <= 2,
    )


def pool(bench: Bench) -> Iterator[Figure]:
    """An import against the same bodies, posted by a bare pool, to a server that answers at once."""
    rows = 200_000
    path, rates = bench.file(rows, 0), []
    python = environments.requests_alone()
    with served() as server:
        for _ in range(bench.rounds):
            bench.run(path, server.settings)
            ours = server.span().seconds
            url = f"{server.url}/pool"
            measure(bench.baseline("requests_pool", path, url, "4", python=python), bench.folder)
            rates.append(server.span().seconds / ours)
    share = median(rates)
    yield Figure(
        "import of 200,000 rows to a server that answers at once, against a bare pool of 4 threads",
        "≥ 60 %",
        f"{100 * share:.0f} %",
        share >= 0.6,
    )


def national_phones(bench: Bench) -> Iterator[Figure]:
    """National phones: what a country costs, and whether the plans say what phonenumbers says."""
    rows = 1_000_000
    path = bench.file(rows, 0, variant="national-phones")
    ours, plain = bench.turns([*bench.dry_run(path), "--country", "BR"], bench.dry_run(path), rounds=1)
    more = ours[0].seconds - plain[0].seconds
    yield Figure(
        f"{rows:,} national phones with a country instead of none", "≤ 2 s", f"{more:+.1f} s", more <= 2
    )
    driver = [PYTHON, str(HERE / "drivers" / "national_phones.py"), "100000"]
    found = json.loads(subprocess.check_output(driver, env=with_root()))
    yield Figure(
        f"national numbers of 30 countries: {found['written']:,} of {found['numbers']:,} written by patterns",
        "as phonenumbers",
        f"{found['different']} different",
        found["different"] == 0,
    )
