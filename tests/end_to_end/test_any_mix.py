"""Whatever decides which rows are sent, and whatever happens: every row has exactly one true status."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from importer.delivery import Policy
from importer.models import Mode, Status
from importer.option_types import Duplicates
from importer.options import RunOptions
from importer.pipeline.session import Session, SessionSettings
from importer.reports import ReportResult
from importer.sandbox import Sandbox
from tests.support.commands import results

HEADER = ["first_name", "last_name", "sms_phone", "email", "tags", "birthday"]
FAULTS = (
    "lost requests={}",
    "code code=9001 requests={}",
    "code code=1002 requests={}",
    "code code=1005 requests={}",
    "reset requests={}",
    "status status=504 requests={} stored=true",
    "code code=1002 rows.first_name=P3",
)
MAY_BE_IN = {Status.IMPORTED, Status.UNKNOWN}


class _Mix:
    """Some runs of changing tables with random options, one after the other."""

    def __init__(self, seed: int, folder: Path, box: Sandbox) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.box = box
        self.listed = [f"86138000000{self.chance.randint(10, 40)}" for _ in range(self.chance.randint(0, 5))]
        self.runs = 0
        (folder / "list.csv").write_text("Phone\n+4930123456\n" + "\n".join(self.listed) + "\n", "utf-8")

    def table(self) -> Path:
        chance = self.chance
        path = self.folder / f"t{self.runs}.csv"
        rows = []
        for _ in range(chance.choice((0, 1, 40, 150))):
            number = chance.randint(10, 60)
            phone = chance.choice((f"86138000000{number}", f"+86 138 0000 00{number}", "", "12"))
            mail = chance.choice((f"c{number}@x.example", "", "", "no mail"))
            name = chance.choice((f"P{number % 7}", f"P{number % 7}", ""))
            rows.append(
                [name, "Li", phone, mail, chance.choice(("VIP", "")), chance.choice(("", "31.02.1990"))]
            )
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows, ["Last", "Li", "8613900000000", "", "", ""]])
        return path

    def options(self) -> RunOptions:
        chance = self.chance
        return RunOptions(
            mode=chance.choice(list(Mode)),
            suppress=(str(self.folder / "list.csv"),) if chance.random() < 0.7 else (),
            changed_only=chance.random() < 0.6,
            full=chance.random() < 0.2,
            tag=chance.choice((None, "import {file}")),
            keep_before=chance.random() < 0.2,
            duplicates=chance.choice(list(Duplicates)),
            strict=chance.random() < 0.2,
            limit=chance.choice((None, None, 20)),
            max_invalid=chance.choice((None, None, 10.0)),
            dry_run=chance.random() < 0.2,
            attempts=2,
            patience=0,
            settle=0,
            concurrency=chance.choice((1, 4)),
            report_dir=self.folder / f"r{self.runs}",
        )

    def play(self) -> Iterator[tuple[RunOptions, ReportResult]]:
        """Yield each result, with the options that it was made with."""
        settings = SessionSettings(connection=self.box.connection, journal=self.folder / "journal.db")
        with Session.open(settings) as session:
            for _ in range(self.chance.randint(2, 5)):
                self.runs += 1
                faults = [self.chance.choice(FAULTS) for _ in range(self.chance.choice((0, 1, 2)))]
                self.box.misbehave(*(fault.format(self.chance.randint(1, 3)) for fault in faults))
                options = self.options()
                result = session.start(self.table(), options)
                assert result is not None
                yield options, result
                self.box.misbehave()
                record = session.journal.run(result.summary.run_id)
                if record.state.resumable:
                    yield options, session.resume(record)
                elif not record.dry_run and self.chance.random() < 0.5:
                    again = session.retry(record)
                    if again is not None:
                        yield options, again


@pytest.mark.parametrize("seed", range(12))
def test_every_row_has_one_true_status(
    seed: int, tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))
    mix = _Mix(seed, tmp_path, box)
    may_be_in: set[str] = set()
    for options, result in mix.play():
        rows = results(Path(result.summary.report_dir))
        places = Counter((row["_sheet"], row["_row"]) for row in rows)
        assert set(places.values()) <= {1}
        assert len(rows) == result.summary.rows == sum(result.summary.counts.values())
        told = Counter(Status(row["_status"]) for row in rows)
        assert told == Counter({status: count for status, count in result.summary.counts.items() if count})
        for row in rows:
            digits = "".join(filter(str.isdigit, row["sms_phone"]))
            status = Status(row["_status"])
            if options.suppress and digits in mix.listed:
                assert status not in (Status.IMPORTED, Status.VALID, Status.REJECTED, Status.FAILED)
                assert status is not Status.UNKNOWN or row["_code"] == "suppressed"
            if status in MAY_BE_IN and row["_code"] != "suppressed":
                may_be_in.add(digits)
            assert (row["_code"] == "unchanged") <= (options.changed_only and not options.full)
    there = {str(customer.fields.get("sms_phone", "")) for customer in box.customers()}
    assert there & set(mix.listed) <= may_be_in
