"""Of which country national phones are: a column, `--country`, the mapping, or the person at the terminal."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.sandbox import Sandbox
from tests.support.commands import Command, results

NATIONAL = "First Name,Last Name,Mobile\nAnn,Lee,0171 2345678\nBo,Ek,0172 3456789\n"
UNKNOWN = "Vorname des Kunden,Nachname des Kunden,Handy privat\nAnn,Lee,0171 2345678\nBo,Ek,0172 3456789\n"

Answers = Callable[[str], None]


def phones(box: Sandbox) -> list[object]:
    return [one.fields.get("sms_phone") for one in box.customers()]


def issues(folder: Path) -> list[str]:
    return [row["_issues"] for row in results(folder)]


def test_a_column_of_countries_gives_each_row_its_region_without_a_word(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = (
        ("Ann", "Lee", "0171 2345678", "Deutschland"),
        ("Bo", "Ek", "13912345678", "中国"),
        ("Cy", "Oh", "(11) 98765-4321", "BRA"),
        ("Di", "Fu", "07911 123456", "UK"),
        ("Eve", "Wu", "13462819482", "United States"),
        ("Flo", "Xi", "13462819482", "中國"),
        ("Gus", "Yo", "0812 3456 7890", "Indonesia"),
        ("Hal", "Zo", "812345678901", "Indonesia"),
        ("Ida", "Au", "8613912345679", "China"),
    )
    lines = [",".join(row) for row in (("First Name", "Last Name", "Phone", "Country"), *rows)]
    (work / "c.csv").write_text("\n".join(lines), "utf-8")
    assert importer("run", "c.csv", "--report-dir", "out").code == ExitCode.DONE
    assert phones(box) == [
        "491712345678",
        "8613912345678",
        "5511987654321",
        "447911123456",
        "13462819482",
        "8613462819482",
        "6281234567890",
        "62812345678901",
        "8613912345679",
    ]
    assert issues(work / "out") == [""] * len(rows)


def test_a_phone_of_another_country_and_an_impossible_one_are_told(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = (
        "Ann,Lee,(11) 98765-4321,Germany",
        "Bo,Ek,5551234567,Atlantis",
        "Cy,Oh,+49 12,Germany",
        "Di,Fu,+1 415 555 26,USA",
        "Eve,Wu,N/A,N/A",
    )
    (work / "c.csv").write_text("First Name,Last Name,Phone,Country\n" + "\n".join(rows), "utf-8")
    importer("run", "c.csv", "--report-dir", "out")
    told = issues(work / "out")
    assert "doubtful-phone:Phone" in told[0] or "no-country-code:Phone" in told[0]
    assert "no-country-code:Phone" in told[1]
    assert all(told)
    assert "doubtful-phone:Phone" in told[3]


@pytest.mark.parametrize("named", ["DE", "Germany", "德国", "+49"])
def test_the_country_can_be_named_on_the_command_line(
    importer: Command, settings: Connection, box: Sandbox, work: Path, named: str
) -> None:
    (work / "c.csv").write_text(NATIONAL, "utf-8")
    done = importer("run", "c.csv", "--country", named, "--report-dir", "out")
    assert done.code == ExitCode.DONE
    assert phones(box) == ["491712345678", "491723456789"]
    assert issues(work / "out") == ["", ""]


def test_without_a_terminal_the_issue_says_what_to_do_and_a_wrong_country_is_refused(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(NATIONAL, "utf-8")
    done = importer("run", "c.csv", "--report-dir", "out")
    assert issues(work / "out") == ["no-country-code:Mobile"] * 2
    assert "--country XX" in done.out
    wrong = importer("run", "c.csv", "--country", "Atlantis")
    assert wrong.code == ExitCode.USAGE
    assert "country-unknown" in wrong.err


def test_the_country_of_the_command_line_is_for_rows_that_name_none(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    text = "First Name,Last Name,Phone,Country\nAnn,Lee,0171 2345678,\nBo,Ek,13912345678,China\n"
    (work / "c.csv").write_text(text, "utf-8")
    assert importer("run", "c.csv", "--country", "DE").code == ExitCode.DONE
    assert phones(box) == ["491712345678", "8613912345678"]


def test_a_profile_and_a_report_that_is_imported_again_keep_the_country(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "importer.toml").write_text('[profile.shop]\ncountry = "Germany"\n', "utf-8")
    (work / "c.csv").write_text(NATIONAL + ",Nameless,0173 4567890\n", "utf-8")
    done = importer("run", "c.csv", "--profile", "shop", "--report-dir", "out")
    assert done.code == ExitCode.ROWS_LEFT
    text = (work / "out" / "rejects.csv").read_text("utf-8-sig").replace(",Nameless", "Cy,Nameless")
    (work / "again.csv").write_text(text, "utf-8")
    assert importer("run", "again.csv").code == ExitCode.DONE
    assert sorted(map(str, phones(box))) == ["491712345678", "491723456789", "491734567890"]


def test_a_person_is_asked_once_and_again_only_after_a_word_that_is_no_country(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers
) -> None:
    (work / "c.csv").write_text(NATIONAL, "utf-8")
    answers("Atlantis\nDeutschland\n")
    done = importer("run", "c.csv", "--report-dir", "out")
    assert done.code == ExitCode.DONE
    assert "“Mobile”" in done.err
    assert "“Atlantis” is not the name or code of a country" in done.err
    assert "--country DE" in done.err
    assert phones(box) == ["491712345678", "491723456789"]
    assert issues(work / "out") == ["", ""]


def test_no_answer_leaves_the_numbers_as_they_are_and_tells_it(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers
) -> None:
    (work / "c.csv").write_text(NATIONAL, "utf-8")
    answers("\n")
    importer("run", "c.csv", "--report-dir", "out")
    assert phones(box) == ["01712345678", "01723456789"]
    assert issues(work / "out") == ["no-country-code:Mobile"] * 2


def test_nobody_is_asked_where_the_file_says_the_country(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers
) -> None:
    text = "First Name,Last Name,Phone,Country\nAnn,Lee,0171 2345678,Germany\nBo,Ek,+12125550123,\n"
    (work / "c.csv").write_text(text, "utf-8")
    answers("")
    assert importer("run", "c.csv").code == ExitCode.DONE
    assert phones(box) == ["491712345678", "12125550123"]


def test_the_answer_is_kept_in_the_mapping_that_was_kept(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers
) -> None:
    (work / "c.csv").write_text("\n\n" + UNKNOWN, "utf-8")
    answers("t\nDE\n")
    assert importer("run", "c.csv", "--header-row", 3).code == ExitCode.DONE
    kept = tomllib.loads((work / "c.mapping.toml").read_text("utf-8"))
    assert kept["fields"]["sms_phone"]["region"] == "DE"
    assert kept["read"] == {"header_row": 3}
    (work / "d.csv").write_text("\n\n" + UNKNOWN.replace("Lee", "Poe"), "utf-8")
    assert (
        importer("run", "d.csv", "--mapping", "c.mapping.toml", "--report-dir", "out").code == ExitCode.DONE
    )
    assert issues(work / "out") == ["", ""]
    assert set(phones(box)) == {"491712345678", "491723456789"}
