"""The command line as such: help, usage errors, past runs."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from importer import __version__
from importer.cli import app
from importer.journal import Journal
from importer.messages import LANGUAGES
from tests.support.commands import ROOT, Command, summary
from tests.support.every_command import EVERY_COMMAND, lay_out

CSV = ROOT / "sample_data" / "customers.csv"


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_explains_itself(importer: Command, name: str) -> None:
    done = importer(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage: importer" in done.out


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_short_help_is_the_commands_own(name: str) -> None:
    command = app.group.get_command(click.Context(app.group), name)
    assert command is not None
    assert command.get_short_help_str(200) == app.COMMANDS[name].help


@pytest.mark.parametrize(
    "words",
    [
        ["rnu", "a.csv"],
        ["run"],
        ["run", "a.csv", "--mode", "3"],
        ["run", "a.csv", "--header-row", "0"],
        ["run", "a.csv", "--header-row", "²"],
        ["run", "a.csv", "--header-row", "1" * 5000],
        ["run", "a.csv", "--max-invalid", "101"],
        ["run", "a.csv", "--access-secret", "s3cret"],
        ["runs", "prune", "--older-than", "soon"],
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_hint(importer: Command, words: list[str]) -> None:
    done = importer(*words)
    assert done.code == 2
    assert "Usage: importer" in done.err or "Name a file" in done.err


def test_a_mistyped_command_is_answered_with_the_likely_one(importer: Command) -> None:
    assert "Did you mean 'run'?" in importer("rnu").err


def test_the_version(importer: Command) -> None:
    assert __version__ in importer("--version").out


def test_a_fault_of_the_program_shows_no_traceback_unless_asked(
    importer: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Journal, "open", broken)
    done = importer("runs")
    assert done.code == 70
    assert "NXLINK_TRACEBACK" in done.err
    monkeypatch.setenv("NXLINK_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        app.invoke(["runs"])


def test_a_clock_that_python_cannot_read_is_told(importer: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    class FarClock:
        @staticmethod
        def time() -> float:
            raise OverflowError("timestamp too large to convert to C _PyTime_t")

    def broken(*_: object, **__: object) -> None:
        FarClock.time()

    monkeypatch.setattr(Journal, "open", broken)
    assert "[importer-failed]" in importer("runs").err
    monkeypatch.setattr(app, "time", FarClock)
    done = importer("runs")
    assert done.code == 70
    assert "[clock-unreadable]" in done.err


@pytest.mark.parametrize("words", EVERY_COMMAND.values(), ids=" ".join)
def test_a_fault_is_exit_code_70_whichever_command_has_it(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    lay_out(work)
    monkeypatch.setattr(click.Command, "invoke", broken)
    done = importer(*words)
    assert done.code == 70
    assert "Too many open files" in done.err
    assert "[system-limit]" in done.err


def test_the_locale_and_the_option_choose_the_language(
    importer: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert importer("runs").out == "There are no runs yet.\n"
    assert importer("runs", "--status", "stopped").out.startswith("No run fits what was asked for")
    assert importer("runs", "--lang", "zh").out == "还没有运行过。\n"
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert importer("runs").out == "还没有运行过。\n"
    assert importer("runs", "--lang", "en").out == "There are no runs yet.\n"


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("es_MX.UTF-8", "Todavía no hay ejecuciones."),
        ("es", "Todavía no hay ejecuciones."),
        ("pt_BR.UTF-8", "Ainda não há execuções."),
        ("id_ID", "Belum ada proses."),
        ("id@latin", "Belum ada proses."),
        ("est_EE.UTF-8", "There are no runs yet."),
        ("de_DE.UTF-8", "There are no runs yet."),
        ("C", "There are no runs yet."),
    ],
)
def test_the_language_of_a_locale_is_spoken_if_it_is_known(
    importer: Command, monkeypatch: pytest.MonkeyPatch, locale: str, said: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert importer("runs").out == f"{said}\n"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_values_stand_below_each_other_whatever_their_headings_are(importer: Command, lang: str) -> None:
    facts = importer("inspect", CSV, "--lang", lang).out.splitlines()[1:6]
    values = ("csv", "utf-8", ",", "1", "chinese-labels")
    columns = {cell_len(line[: line.rindex(value)]) for line, value in zip(facts, values, strict=True)}
    assert len(columns) == 1, facts


def test_runs_lists_the_newest_first_and_shows_one_by_the_start_of_its_name(
    importer: Command, work: Path
) -> None:
    importer("validate", CSV, "--report-dir", "a")
    importer("run", CSV, "--sandbox", "--report-dir", "b")
    listed = importer("runs", "--json").json
    assert [run["dry_run"] for run in listed] == [False, True]
    assert listed[0]["counts"] == {"imported": 120}
    assert listed[0]["id"] == summary(work / "b")["run"]
    table = importer("runs").out.splitlines()
    assert len(table) == 3
    assert listed[0]["id"] in table[1]
    shown = importer("runs", "show", listed[0]["id"][:-1])
    assert "imported 120" in shown.out
    assert importer("runs", "show", "1999").code != 0


def test_prune_deletes_journal_entries_and_only_our_own_files(importer: Command, work: Path) -> None:
    importer("validate", CSV, "--report-dir", "a")
    importer("validate", CSV, "--report-dir", "b")
    (work / "a" / "mine.txt").write_text("keep")
    assert "No run is that old." in importer("runs", "prune", "--older-than", "1h", "--yes").out
    assert "2 runs" in importer("runs", "prune", "--older-than", "0h", "--yes").out
    assert [path.name for path in (work / "a").iterdir()] == ["mine.txt"]
    assert not (work / "b").exists()
    assert importer("runs", "--json").json == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_what_holds_customers_is_readable_by_its_owner_alone(
    importer: Command, work: Path, own_surroundings: Path
) -> None:
    importer("run", CSV, "--sandbox", "--report-dir", "out", "--excel-report")
    files = [*(work / "out").iterdir(), *own_surroundings.glob("journal.db*")]
    assert len(files) >= 7
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    assert oct((work / "out").stat().st_mode & 0o777) == "0o700"


def test_lines_above_the_header_are_shown_but_neither_masked_nor_logged(
    importer: Command, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("Customers of May\nFirst name,Last name,E-mail\nAnn,Bo,a@example.com\n", "utf-8")
    shown = importer("validate", file)
    assert "above the header: Customers of May" in shown.out
    assert "above the header: Customers of May" in importer("inspect", file).out
    assert "of May" not in importer("validate", file, "--log-json").err
    assert "of May" not in importer("validate", file, "--mask").out


def test_a_table_of_very_many_columns_is_listed_whole(importer: Command, work: Path) -> None:
    names = ["First Name", "Last Name", "手机号", *(f"Answer {number}" for number in range(300))]
    lines = [names, ["Ann", "Lee", "8613800007701", *map(str, range(300))]]
    (work / "wide.csv").write_text("\n".join(map(",".join, lines)), "utf-8")
    out = importer("inspect", "wide.csv").out.splitlines()
    title, *listed = out[-len(names) - 1 :]
    assert title.split() == ["column", "goes", "to", "sure", "filled", "kind", "samples"]
    assert [line.split("  ")[0] for line in listed] == names


def test_log_json_is_one_object_a_line(importer: Command) -> None:
    done = importer("run", CSV, "--sandbox", "--log-json", "--quiet")
    events = [json.loads(line)["event"] for line in done.err.splitlines()]
    assert {"started", "ended"} <= set(events)
    assert done.out == ""


def test_quiet_prints_nothing_when_all_is_well(importer: Command) -> None:
    done = importer("run", CSV, "--sandbox", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_standard_input_is_a_file_like_any_other(work: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "importer", "run", "-", "--sandbox", "--report-dir", "out"],
        input=CSV.read_bytes(),
        cwd=work,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert summary(work / "out")["counts"]["imported"] == 120


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor by the shell")
def test_a_closed_standard_input_is_one_sentence(work: Path) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m importer validate - <&-',
        shell=True,
        cwd=work,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert b"no-standard-input" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors by the shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_change_no_exit_code(work: Path, closed: str) -> None:
    (work / "bad.csv").write_text("First Name,Last Name,Birthday\nAnn,Lee,1990-02-31\n", "utf-8")
    for words, code in ((f"run {CSV} --sandbox", 0), ("validate bad.csv", 1), ("runs", 0)):
        command = f'"{sys.executable}" -m importer {words} {closed}'
        done = subprocess.run(command, shell=True, cwd=work, capture_output=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
@pytest.mark.parametrize("limit", ["-n 20", "-v 400000", "-f 10"])
def test_limits_of_the_system_end_in_a_sentence(work: Path, limit: str) -> None:
    command = f"ulimit {limit} && exec {sys.executable} -m importer run {CSV} --sandbox --report-dir out"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode in (1, 5, 70)
    assert "Traceback" not in done.stderr
    refused = ("[system-limit]", "[journal-failed]", "[journal-limit]", "[report-directory]")
    assert any(code in done.stderr for code in refused)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["runs", "--json"], 0),
        (["mapping", "list"], 0),
        (["inspect", "bad.csv", "--json"], 0),
        (["validate", "bad.csv"], 1),
        (["validate", "bad.csv", "--quiet", "--log-json"], 1),
        (["validate", "nothing.csv"], 3),
    ],
)
def test_a_reader_that_has_ended_changes_no_exit_code(work: Path, words: list[str], code: int) -> None:
    (work / "bad.csv").write_text("First Name,Last Name,Birthday\nAnn,Lee,1990-02-31\n", "utf-8")
    for both in (False, True):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "importer", *words],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer if both else subprocess.PIPE,
            timeout=120,
            check=False,
        )
        os.close(writer)
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in (done.stderr or b"")
