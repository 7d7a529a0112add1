"""Nobody's file is overwritten or deleted, whichever command runs and wherever its output goes."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from importer.config import Connection
from importer.reports.files import DOUBTFUL_XLSX, REPORT_FILES, own_files
from importer.reports.model import OWN_COLUMNS
from importer.reports.ownership import report_run
from tests.support.commands import ROOT, Command, summary
from tests.support.every_command import EVERY_COMMAND, command_names, lay_out

CSV = ROOT / "sample_data" / "customers.csv"
OUTPUTS = (
    "verify.csv",
    *REPORT_FILES,
    *(f"{name}.part" for name in REPORT_FILES),
    "proposed.toml",
    "template.xlsx",
    *("before.csv", "metrics.prom", "beat", "job.log"),
)
OF_A_DRY_RUN = tuple(name for name in REPORT_FILES if name != DOUBTFUL_XLSX)
SETTINGS = 'metrics_file = "metrics.prom"\n', 'heartbeat = "beat"\nlog.file = "job.log"\n'
"""What comes before and behind the job of `lay_out`: all files that importer.toml may name are written."""
OURS = b"somebody's own\n"


STATE = (
    *("jobs/nightly.log", "locks/job-nightly.lock", "locks/job-nightly.holder"),
    *("journal.db", "journal.db-wal", "journal.db-shm", "journal.db.is-damaged"),
)
"""Files of the state folder whose names somebody can guess."""


def plant(folder: Path, kind: str) -> dict[Path, Path]:
    """Put somebody's file, or a link to it, under every name that a command writes: name and its file."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    found = {}
    for name in OUTPUTS:
        path, real = folder / name, elsewhere / name
        real.write_bytes(OURS)
        if kind == "file":
            path.write_bytes(OURS)
        elif kind == "hard link":
            os.link(real, path)
        else:
            path.symlink_to(real)
        found[path] = real
    return found


def test_no_command_is_left_out() -> None:
    assert set(command_names()) == EVERY_COMMAND.keys()


@pytest.mark.parametrize("kind", ["file", "hard link", "symbolic link"])
def test_no_command_touches_a_file_that_is_not_the_importers(
    importer: Command, work: Path, settings: Connection, kind: str
) -> None:
    lay_out(work)
    source = (work / "customers.csv").read_bytes()
    config = work / "importer.toml"
    config.write_text(config.read_text("utf-8").join(SETTINGS), "utf-8")
    planted = plant(work, kind)
    importer("run", "customers.csv", "--keep-before", "--report-dir", ".", "--yes")
    assert (work / "before-2.csv").is_file()
    run = importer("runs", "--json").json[0]["id"]
    for words in EVERY_COMMAND.values():
        importer(*(word.replace("{run}", run) for word in words))
        for path, real in planted.items():
            assert path.is_symlink() == (kind == "symbolic link"), (words, path)
            assert path.read_bytes() == real.read_bytes() == OURS, (words, path)
        assert (work / "customers.csv").read_bytes() == source


@pytest.mark.parametrize("kind", ["file", "hard link", "symbolic link"])
def test_no_command_makes_a_journal_of_somebodys_file(
    importer: Command, work: Path, settings: Connection, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lay_out(work)
    real = work.parent / "thesis.docx"
    real.write_bytes(OURS)
    real.chmod(0o644)
    named = real if kind == "file" else work / "journal.db"
    if kind == "hard link":
        os.link(real, named)
    elif kind == "symbolic link":
        named.symlink_to(real)
    monkeypatch.setenv("NXLINK_JOURNAL", str(named))
    told = 0
    for name, words in EVERY_COMMAND.items():
        done = importer(*(word.replace("{run}", "2") for word in words))
        told += "[journal-foreign]" in done.err or "[journal-unwritable]" in done.err
        assert named.is_symlink() == (kind == "symbolic link"), name
        assert (real.read_bytes(), real.stat().st_mode & 0o777) == (OURS, 0o644), name
        assert not list(named.parent.glob("*damaged*")), name
        if name == "doctor":
            assert "✗ journal" in done.out
    assert told > 8


@pytest.mark.parametrize("name", OF_A_DRY_RUN)
@pytest.mark.parametrize("link", ["", "hard", "symbolic"])
def test_a_report_never_takes_the_place_of_its_source(
    importer: Command, work: Path, name: str, link: str
) -> None:
    importer("validate", CSV, "--report-dir", "out", "--excel-report")
    # The source is a report of ours, so that only its being the source protects it.
    first = {path.name: path.read_bytes() for path in (work / "out").iterdir()}
    readable = name if name.endswith((".csv", ".xlsx")) else "results.csv"
    source = work / "mine.csv" if link else work / "out" / readable
    place = work / "out" / name
    if link:
        place.unlink()
        source.write_bytes(first[readable])
        os.link(source, place) if link == "hard" else place.symlink_to(source)
    before = source.read_bytes()
    done = importer("validate", source, "--report-dir", "out", "--excel-report")
    assert source.read_bytes() == before
    assert place.exists()
    if link or name == readable:
        second = f"{Path(name).stem}-2{Path(name).suffix}"
        assert f"{name} is the file that was imported" in done.out
        assert (work / "out" / second).is_file()
        # Once more: the second name is a report of ours and makes way.
        importer("validate", source, "--report-dir", "out", "--excel-report")
        assert not list((work / "out").glob("*-3.*"))


def test_reports_of_earlier_runs_make_way_also_on_another_machine(
    importer: Command, work: Path, own_surroundings: Path
) -> None:
    importer("validate", CSV, "--report-dir", "out", "--excel-report")
    run = summary(work / "out")["run"]
    assert {path.name: report_run(path) for path in (work / "out").iterdir()} == {
        name: "" if name == "rejects.csv" else run for name in OF_A_DRY_RUN
    }
    shutil.rmtree(own_surroundings)
    again = importer("validate", CSV, "--report-dir", "out", "--excel-report")
    assert {path.name for path in (work / "out").iterdir()} == set(OF_A_DRY_RUN)
    assert "-2." not in again.out
    assert summary(work / "out")["run"] != run


def test_a_part_with_the_name_of_the_source_is_another_file(importer: Command, work: Path) -> None:
    source = work / "results.csv.part"
    shutil.copy(CSV, source)
    importer("validate", source, "--report-dir", ".")
    assert source.read_bytes() == CSV.read_bytes()


def test_prune_deletes_the_reports_of_old_runs_and_no_other(importer: Command, work: Path) -> None:
    importer("validate", CSV, "--report-dir", "out")
    (work / "out" / "results-2.csv").write_text("a,b\n1,2\n", "utf-8")
    (work / "out" / "summary.json").write_text("{}", "utf-8")
    newer = (work / "out" / "report.html").read_text("utf-8").replace(" run 2", " run 3")
    (work / "out" / "report-2.html").write_text(newer, "utf-8")
    importer("runs", "prune", "--older-than", "0h", "--yes")
    assert {path.name for path in (work / "out").iterdir()} == {
        *("results-2.csv", "summary.json", "report-2.html")
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.csv", b"_row,_sheet,_status\n1,,valid\n"),
        ("results.csv", b"\xff\xfe\x00"),
        ("summary.json", b"[" * 100_000),
        ("summary.json", b'{"version": 1, "run": 7, "counts": {}, "exit_code": 0}'),
        ("report.html", b"<!doctype html><title>nxlink-importer run 20260101-000000-abcd</title>"),
        ("rejects.xlsx", b"PK\x03\x04 not whole"),
        ("rejects.xlsx", b""),
        ("results.txt", b"_row"),
    ],
)
def test_what_only_looks_like_a_report_is_none(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert report_run(tmp_path / name) is None


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_under_the_name_of_a_report_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.csv")
    assert report_run(tmp_path / "results.csv") is None


def test_a_report_of_many_columns_is_known_by_its_run(tmp_path: Path) -> None:
    header = ",".join((*OWN_COLUMNS, *(f"a column with a long name {number}" for number in range(16_000))))
    path = tmp_path / "results.csv"
    path.write_text(f"{header}\n2,,imported,1,1,,,,,run-b,{',' * 15_999}\n", "utf-8-sig")
    assert report_run(path) == "run-b"
    assert own_files(tmp_path, "run-a") == []
    assert own_files(tmp_path, "run-b") == [path]
    path.write_text(header, "utf-8-sig")
    assert report_run(path) == ""


def test_somebody_elses_workbook_is_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rejects.xlsx", "w") as parts:
        parts.writestr("docProps/core.xml", "<dc:identifier>another program</dc:identifier>")
    assert report_run(tmp_path / "rejects.xlsx") is None


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
@pytest.mark.parametrize("kind", ["hard link", "symbolic link", "pipe"])
@pytest.mark.parametrize("which", ["journal", "others"])
def test_no_command_follows_what_is_planted_in_its_state_folder(
    importer: Command, work: Path, settings: Connection, own_surroundings: Path, kind: str, which: str
) -> None:
    lay_out(work)
    with (work / "importer.toml").open("a") as config:
        config.write('heartbeat = "beat"\nlog.file = "job.log"\n')
    state, journal = own_surroundings, which == "journal"
    planted = [state / name for name in STATE if name.startswith("journal") == journal]
    if journal:
        commands = ["run", "runs", "job run", "runs prune"]
    else:
        # Whatever else the commands make in a folder that is theirs alone.
        commands = list(EVERY_COMMAND)
        importer("run", "customers.csv")
        importer("fields")
        made = [path for path in state.rglob("*") if path.is_file() and "journal.db" not in path.name]
        assert made
        planted += [path for path in made if path not in planted] + [work / "beat", work / "job.log"]
    elsewhere = work.parent / "elsewhere"
    elsewhere.mkdir()
    for number, path in enumerate(planted):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        real = elsewhere / str(number)
        real.write_bytes(OURS)
        real.chmod(0o644)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "hard link":
            os.link(real, path)
        else:
            path.symlink_to(real)
    for name in commands:
        importer(*(word.replace("{run}", "2") for word in EVERY_COMMAND[name]))
        for real in elsewhere.iterdir():
            assert (real.read_bytes(), real.stat().st_mode & 0o777) == (OURS, 0o644), name
