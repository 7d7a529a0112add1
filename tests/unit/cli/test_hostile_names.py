"""Names, cells and answers that would take over a terminal reach no screen, log, notice or page as such."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click
import openpyxl
import pytest

from importer import escaping
from importer.cli import app
from importer.sandbox import Sandbox
from tests.support.commands import ROOT, Command, use
from tests.support.every_command import EVERY_COMMAND, lay_out

ATTACK = "\x1b]52;c;aGk=\x07\x9b31m\u202e\x7f"
"""Writes to the clipboard, colours what follows, turns the direction of writing."""
NAME = f"cust{ATTACK}\nomers.csv" if os.name == "posix" else "cust\u202eomers.csv"
HEADERS = ("First name", "Last name", f'"What{ATTACK}sApp\nnumber"', f"E{ATTACK}-mail", f"x{ATTACK}")
CUSTOMERS = (
    ",".join(HEADERS)
    + f"\nAnn,Bo,8613800000001,ann@example.com,\n,Li,,li{ATTACK}@example,\n"
    + f"Cy,Du,8613800000002,c@x.io,{ATTACK}\n"
)
MAPPING = f"""
[fields.first_name]
from = "First name"
[fields.last_name]
from = "Last name"
[fields.whats_app_phone]
from = {escaping.to_json(f"What{ATTACK}sApp{chr(10)}number")}
[fields.email]
from = {escaping.to_json(f"E{ATTACK}-mail")}
"""
CONFIG = f"""
[profile.{escaping.to_json(f"p{ATTACK}")}]
tenant_id = 1
[job.nightly]
inbox = {escaping.to_json(f"in{ATTACK}box")}
mapping = "mine.toml"
schedule = "0 3 * * *"
notices.when = "always"
notices.command = {escaping.to_json(f"{sys.executable} keep.py")}
log.file = "job.log"
log.format = "text"
"""
FAULTS = (
    f'code code=9001 requests=1 message="no{ATTACK}"',
    f'status status=503 requests=2 message="no{ATTACK}"',
)
WRONG = (
    ("run", "absent" + ATTACK),
    ("run", NAME, "--mapping", ATTACK),
    ("run", NAME, "--profile", ATTACK),
    ("run", NAME, f"--no-{ATTACK}"),
    ("validate", NAME, "--sheet", ATTACK),
    ("runs", "show", ATTACK),
    ("mapping", "show", ATTACK),
    ("mapping", "check", "bad.toml"),
    ("template", "-o", f"absent{ATTACK}/t.xlsx"),
    ("job", "run", ATTACK),
    ("job", "check", "nightly", "--settings", ATTACK),
    ("job", "install", "nightly", "--schedule", ATTACK),
    ("sandbox", "--host", ATTACK),
    ("sandbox", "--fault", ATTACK),
    ("app", "create", "--name", ATTACK, "--webhook", ATTACK),
    (ATTACK,),
)


@pytest.fixture
def hostile(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which every name and text is an attack."""
    lay_out(work)
    inbox = work / f"in{ATTACK}box"
    (work / "inbox").rename(inbox)
    (inbox / "customers.csv").unlink()
    for path in (work / NAME, inbox / NAME):
        path.write_text(CUSTOMERS, "utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (work / "importer.toml").write_text(CONFIG, "utf-8")
    (work / "mine.toml").write_text(MAPPING, "utf-8")
    (work / "bad.toml").write_text(f"[fields.{escaping.to_json(ATTACK)}]\nfrom = 3\n", "utf-8")
    (work / "keep.py").write_text(
        "import os, sys; open('notice', 'w').write(sys.stdin.read() + os.environ['NXLINK_NOTICE'])", "utf-8"
    )
    monkeypatch.chdir(work)
    return work


def fit(text: str) -> bool:
    """Whether a terminal only shows the text."""
    return all(escaping.is_single_line(line) for line in text.replace("\t", " ").split("\n"))


def with_json(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The command with `--json`; None if it has no such option."""
    command: click.Command | None = app.group
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word) or command
    assert command is not None
    has = any("--json" in parameter.opts for parameter in command.params)
    return (*words, "--json") if has else None


def test_no_command_prints_or_writes_what_a_terminal_obeys(
    importer: Command, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(faults=FAULTS) as box:
        use(monkeypatch, box.connection)
        importer("run", NAME, "--mapping", "mine.toml", "--report-dir", f"out{ATTACK}")
        run = importer("runs", "--json").json[0]["id"]
        for words in (*EVERY_COMMAND.values(), *WRONG):
            words = tuple(word.replace("{run}", run).replace("customers.csv", NAME) for word in words)
            if words[0] in ("run", "validate"):
                words = (*words, "--mapping", "mine.toml") if "--mapping" not in words else words
            for line in filter(None, (words, with_json(words), (*words, "--lang", "zh"))):
                done = importer(*line)
                assert fit(done.out), (line, done.out)
                assert fit(done.err), (line, done.err)
    assert run
    written = [path for path in hostile.rglob("*") if path.suffix in (".json", ".html", ".log")]
    written += [hostile / "notice", hostile / "proposed.toml"]
    assert {path.suffix for path in written} == {".json", ".html", ".log", "", ".toml"}
    for path in written:
        assert fit(path.read_text("utf-8")), path


def test_sheets_of_a_workbook_are_shown_as_text(importer: Command, work: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "a\u202eb\u009bc"
    for row in (["First name", "Last name", "WhatsApp"], ["Ann", "Bo", "8613800000001"], ["", "Li", ""]):
        book.active.append(row)
    book.save(work / "book.xlsx")
    for words in (("validate",), ("inspect",), ("inspect", "--json"), ("mapping", "suggest")):
        done = importer(*words, "book.xlsx")
        assert fit(done.out), (words, done.out)
        assert fit(done.err), (words, done.err)
    assert "a\\u202eb\\u009bc" in importer("inspect", "book.xlsx").out


def test_only_one_module_prints() -> None:
    printing = re.compile(
        r"click\.(echo|secho|confirm|prompt|pager)|(?<![\w.])(print|Console)\(|sys\.std(out|err)\.write"
    )
    modules = (ROOT / "importer").rglob("*.py")
    found = {path.name for path in modules if printing.search(path.read_text("utf-8"))}
    assert found == {"output.py", "library.py"}  # the second has an example for callers
