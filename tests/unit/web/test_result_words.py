"""What the result of an import says of doubtful rows is true of the rows that were sent."""

from __future__ import annotations

import json
from pathlib import Path

from importer.sandbox import Sandbox
from tests.support.web import WebPage, run_of, text_of

HEAD = "first_name,last_name,sms_phone,email\n"


def test_a_row_that_is_not_sent_is_no_doubtful_row_that_was_sent(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net", "Bo,Li,,", ",Ko,,")
    checked = text_of(page.get(f"{work}/check"))
    assert "2 rows (1 row not sent)" in checked, checked
    doubtful = text_of(page.get(f"{work}/import"))
    assert "No phone, no e-mail 1 row " in doubtful
    result = page.send(work)
    assert "No phone, no e-mail 1 row " in text_of(result)
    summary = json.loads(page.get(f"/runs/{run_of(result)}/files/summary.json").text)
    (found,) = [one for one in summary["issues"] if one["code"] == "no-contact"]
    assert (found["rows"], found["sent"]) == (2, 1)
    assert len(box.customers()) == 2


def test_what_concerns_only_rows_that_stay_behind_is_not_told_as_sent(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net", ",Ko,,")
    assert "No phone, no e-mail" not in text_of(page.get(f"{work}/import"))
    result = page.send(work)
    assert "Doubtful, and sent as it was" not in text_of(result)
    history = page.get(f"/runs/{run_of(result)}")
    assert "Doubtful, and sent as it was" not in text_of(history)
