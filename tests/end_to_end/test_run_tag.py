"""`--tag`: every row gets it behind its own tags, the same one in resumes and retries."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.commands import Command, summary, use

TABLE = "first_name,last_name,sms_phone{}\nAnn,Li,8613800000001{}\nBo,Li,8613800000002{}\n"


def tags(box: Sandbox) -> list[object]:
    return [customer.fields.get("tagStr") for customer in box.customers()]


def test_every_row_gets_the_tag_behind_its_own(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "a, b.csv").write_text(TABLE.format(",tags", ',"VIP, new"', ","), "utf-8")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        found = importer("run", "a, b.csv", "--tag", "import {date} {file}", "--report-dir", "out")
        assert found.code == 0
        tag = f"import {date.today():%Y-%m-%d} a b.csv"
        assert tags(box) == [f"VIP,new,{tag}", tag]
        assert summary(work / "out")["settings"]["tag"] == tag
        assert tag in found.out


def test_a_file_without_tags_gets_it_and_a_tag_that_is_there_stays_alone(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "a.csv").write_text(TABLE.format("", "", ""), "utf-8")
    (work / "b.csv").write_text(TABLE.format(",tags", ",May", ",Mayor"), "utf-8")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--tag", "May").code == 0
        assert tags(box) == ["May", "May"]
        assert importer("run", "b.csv", "--tag", "May").code == 0
        assert tags(box) == ["May", "Mayor,May"]


def test_a_resumed_run_keeps_its_tag(importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "a.csv").write_text(TABLE.format("", "", ""), "utf-8")
    with Sandbox(faults=["code code=1005"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--tag", "{file}").code == 4
        box.misbehave()
        (work / "a.csv").rename(work / "other.csv")
        (work / "a.csv").write_text(TABLE.format("", "", ""), "utf-8")
        assert importer("resume").code == 0
        assert tags(box) == ["a.csv", "a.csv"]


@pytest.mark.parametrize("tag", ["{name}", "  ", "{}", "{date"])
def test_a_tag_that_means_nothing_is_refused(importer: Command, work: Path, tag: str) -> None:
    (work / "a.csv").write_text(TABLE.format("", "", ""), "utf-8")
    found = importer("run", "a.csv", "--sandbox", "--tag", tag)
    assert found.code == (0 if tag == "{date" else 2)
