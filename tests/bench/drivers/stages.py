"""Processor seconds of each stage of a dry run of FILE, one stage after the other on one thread. JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

clock = time.process_time
taken: dict[str, float] = {"start-up: Python and imports": 0.0}

from importer import arrow, batching, contracts, mapping  # noqa: E402
from importer.models import Outcome, Status  # noqa: E402
from importer.pipeline import run as _run  # noqa: E402, F401
from importer.pipeline.check import Checker, CheckRules  # noqa: E402
from importer.readers import ReadOptions, open_source  # noqa: E402
from importer.reports import ReportPlan, ReportSource, ReportWriter  # noqa: E402
from importer.reports.writer import BackgroundWriter  # noqa: E402
from importer.validation import validate  # noqa: E402

arrow.release_unused_memory()  # as the program does
BackgroundWriter.put = BackgroundWriter._write_chunk  # type: ignore[method-assign]  # here and now, not on its thread

taken["start-up: Python and imports"] = clock()
before = clock()


def lap(stage: str) -> None:
    """Books the time since the last lap."""
    global before
    now = clock()
    taken[stage] = taken.get(stage, 0.0) + now - before
    before = now


contract = contracts.load("sea")
source = open_source(sys.argv[1], ReadOptions(is_known=mapping.is_known_name))
mapper = mapping.bind(mapping.choose(source.header, contract).mapping, source.header, contract)
lap("first pass: hash, encoding, header")
checker = Checker(mapper, contract, CheckRules())
batcher = batching.Batcher(contract.max_customers)
with TemporaryDirectory() as folder, source:
    plan = ReportPlan(Path(folder) / "r", "run", ReportSource(source.path, source.name, "csv", source.header))
    with ReportWriter(plan) as reports:
        chunks = source.chunks()
        while (chunk := next(chunks, None)) is not None:
            lap("reading into columns")
            mapped = mapper.map(chunk)
            lap("mapping")
            validate(mapped, contract)
            lap("validating")
            checked = checker.check(chunk)
            lap("check")
            for _ in batcher.add(checked.customers):
                pass
            lap("batches")
            reports.add(chunk, checked.issues)
            for outcome in checked.outcomes:
                reports.settle(outcome)
            rows = tuple(checked.customers.rows.tolist())
            reports.settle(Outcome(chunk.sheet, rows, Status.VALID))
            lap("reports")
        reports._background._stop()
        lap("reports")
# `check` maps and validates once more; what is left of it is encoding and comparing.
taken["encoding to JSON, comparing with earlier rows"] = (
    taken.pop("check") - taken["mapping"] - taken["validating"]
)
json.dump(taken, sys.stdout)
