"""Files and folders whose names are no UTF-8, as Chinese Windows packs them, work in every command."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from importer.config import Connection
from importer.escaping import shell_command
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary
from tests.support.every_command import CUSTOMERS, EVERY_COMMAND, lay_out

NAME = os.fsdecode("客户名单.csv".encode("gbk"))
FOLDER = os.fsdecode("导入".encode("gbk"))
needs_bytes = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of Linux are bytes")


@needs_bytes
def test_every_command_takes_a_name_in_gbk(
    importer: Command, work: Path, settings: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = work / FOLDER
    folder.mkdir()
    lay_out(folder)
    monkeypatch.chdir(folder)
    for path in (folder / "customers.csv", folder / "inbox" / "customers.csv"):
        path.rename(path.with_name(NAME))
    assert importer("run", NAME, "--report-dir", f"{NAME}.out").code == 1
    assert "客户名单.csv" in (folder / f"{NAME}.out" / "report.html").read_text("utf-8")
    run = importer("runs", "--json").json[0]
    assert (run["source"], run["path"]) == (NAME, str(folder / NAME))
    for name, words in EVERY_COMMAND.items():
        done = importer(*(word.replace("{run}", run["id"]).replace("customers.csv", NAME) for word in words))
        assert done.code != 70, (name, done)
        assert "\\udc" not in done.out + done.err, (name, done)


@needs_bytes
def test_a_run_with_a_name_in_gbk_is_resumed(
    importer: Command, work: Path, settings: Connection, box: Sandbox
) -> None:
    (work / NAME).write_text(CUSTOMERS, "utf-8")
    box.misbehave("code code=1001")
    stopped = importer("run", NAME, "--report-dir", FOLDER)
    assert stopped.code == 4
    box.misbehave()
    assert importer("resume").code == 1
    assert [row["_status"] for row in results(work / FOLDER)] == ["imported", "invalid"]
    assert summary(work / FOLDER)["source"]["name"] == NAME
    told = importer("report", summary(work / FOLDER)["run"]).out
    assert shell_command(["importer", "run", str(work / FOLDER / "rejects.xlsx")]) in told


def packed(path: Path, *names: bytes) -> Path:
    """A zip whose members have these bytes as names, without the mark for UTF-8."""
    stand_ins = {bytes([97 + number]) * len(name): name for number, name in enumerate(names)}
    with zipfile.ZipFile(path, "w") as archive:
        for stand_in in stand_ins:
            archive.writestr(stand_in.decode(), CUSTOMERS)
    content = path.read_bytes()
    for stand_in, name in stand_ins.items():
        content = content.replace(stand_in, name)
    path.write_bytes(content)
    return path


def test_members_of_a_zip_from_chinese_windows_are_named(importer: Command, work: Path) -> None:
    one = packed(work / "one.zip", "客户.csv".encode("gbk"))
    assert importer("validate", one).code == 1
    several = packed(
        work / "several.zip", "客户.csv".encode("gbk"), "名单二.csv".encode("gbk"), b"caf\x82.csv"
    )
    told = importer("validate", several).err
    assert "客户.csv, 名单二.csv, café.csv" in told
