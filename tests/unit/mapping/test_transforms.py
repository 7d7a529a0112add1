"""What the mapping makes of cells when no rule says otherwise: trims, phones, dates, genders, tags."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from importer import arrow, mapping
from importer.arrow import BLANKS
from importer.mapping import dates, tags
from importer.messages import LANGUAGES, sentence
from importer.models import Chunk, Severity
from importer.reports.wording import issue_text
from tests.support.mapping import SEA, chunk, mapped, plain, values

anything = st.text(st.characters(codec="utf-8"), max_size=20)
phone_like = st.text(st.sampled_from("0123456789 -+().'/E\u00a0８ー x"), max_size=16)
NAMES = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ("+86 138-1234-5678", "8613812345678"),
        ("(775) 555.0154", "7755550154"),
        ("'+8613812345678", "8613812345678"),
        ("’13812345678", "13812345678"),
        ("(+86) 138 1234 5678", "8613812345678"),
        ("１３８１２３４５６７８", "13812345678"),
        ("（０２１）１２３４－５６７８", "02112345678"),
        ("\u202a+86 138\u00a01234 5678\u202c", "8613812345678"),
        ("13812345678.0", "13812345678"),
        ("+13812345678.00", "13812345678"),
        ("138.1234.5670", "13812345670"),
        ("1.86E+10", "1.86E+10"),
        ("1.86123456789012E+17", "1.86123456789012E+17"),
        ("ask Bob", None),
        ("13812345678 ext. 5", "13812345678"),
        ("13812345678;13912345678", "13812345678"),
        ("++86", None),
        ("86+138", None),
        ("-", None),
        ("()", None),
        (". /", None),
        ("'+", None),
        ("（－）", None),
        ("007", "007"),
        ("", None),
        (" \u3000\ufeff", None),
    ],
)
def test_phones_become_digits_only_where_nothing_else_remains(found: str, meant: str | None) -> None:
    assert plain("sms_phone", found) == [meant]


def test_a_phone_column_is_cleaned_row_by_row() -> None:
    cells = ("13812345678", "", "+1 (2)", "y", "１", "5.0", "+", "4")
    assert plain("sms_phone", *cells) == ["13812345678", None, "12", None, "1", "5", None, "4"]


@given(st.lists(anything, max_size=8))
def test_cleaning_phones_twice_changes_nothing(cells: list[str]) -> None:
    once = [cell or "" for cell in plain("sms_phone", *cells or [""])]
    assert plain("sms_phone", *once) == [cell or None for cell in once]


@given(st.lists(st.text(st.sampled_from([*BLANKS, "a", "姓", "é", "“"]), max_size=6), max_size=8))
def test_trimming_is_what_python_does_with_the_same_blanks(cells: list[str]) -> None:
    assert arrow.trimmed(arrow.array(cells)).to_pylist() == [cell.strip(BLANKS) for cell in cells]


@given(st.lists(anything, max_size=9), st.integers(0, 5), st.integers(0, 5))
def test_slices_of_a_column_are_columns(cells: list[str], start: int, length: int) -> None:
    part = arrow.array(cells).slice(start, length)
    wanted = cells[start : start + length]
    assert arrow.trimmed(part).to_pylist() == [cell.strip(BLANKS) for cell in wanted]
    assert arrow.empty_as_null(part).to_pylist() == [cell or None for cell in wanted]


@given(st.lists(st.tuples(anything, anything, anything), min_size=1, max_size=6))
def test_joined_columns_have_one_value_for_every_row(rows: list[tuple[str, str, str]]) -> None:
    parts = [arrow.array([row[place] for row in rows]) for place in range(3)]
    assert arrow.join_nonempty(parts, "-").to_pylist() == ["-".join(filter(None, row)) for row in rows]


def test_a_chunk_without_rows_and_one_with_other_text_columns_are_mapped_too() -> None:
    toml = "".join(f'[fields.{name}]\nfrom = "X"\n' for name in SEA.names)
    assert len(mapped(toml, {"X": []}).frame) == 0
    mapper = mapping.bind(mapping.load_text(toml), ["X"], SEA)
    frame = pd.DataFrame({"X": pd.array([" 1", None, "2"], dtype="str")}, index=[2, 3, 4])
    assert values(mapper.map(Chunk("", frame)), "sms_phone") == ["1", None, "2"]


def test_line_breaks_inside_a_cell_stay() -> None:
    assert plain("address", " 1 Road\r\nTown \n") == ["1 Road\r\nTown"]


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ("1990-05-07", "1990-05-07"),
        ("1990/5/7", "1990-05-07"),
        ("1990.5.7", "1990-05-07"),
        ("1990年5月7日", "1990-05-07"),
        ("1990年05月07号", "1990-05-07"),
        ("１９９０／５／７", "1990-05-07"),
        ("19900507", "1990-05-07"),
        ("1990-05-07 00:00:00", "1990-05-07"),
        ("1990-05-07T00:00:00.000Z", "1990-05-07"),
        ("1990-05-07 13:45:00", "1990-05-07 13:45:00"),
        ("19900507.0", "1990-05-07"),
        ("1990-02-30", "1990-02-30"),
        ("1990/2/30", "1990/2/30"),
        ("5/7/90", "5/7/90"),
        ("--05-07", "--05-07"),
        ("33000", "33000"),
        ("", None),
    ],
)
def test_year_first_dates_have_one_reading_and_others_stay(found: str, meant: str | None) -> None:
    assert plain("birthday", found) == [meant]


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ("le 26 avril 1995", "1995-04-26"),
        ("Mercredi, le 26 avril 1995", "1995-04-26"),
        ("1er janvier 1995", "1995-01-01"),
        ("am 26. April 1995", "1995-04-26"),
        ("Wednesday, April 26, 1995", "1995-04-26"),
        ("el 26 de abril de 1995", "1995-04-26"),
        ("vers le 26 avril 1995", "vers le 26 avril 1995"),
        ("le 31 avril 1995", "le 31 avril 1995"),
    ],
)
def test_articles_and_days_of_the_week_before_a_date_in_words_say_nothing(found: str, meant: str) -> None:
    assert plain("birthday", found) == [meant]


def birthdays(*cells: str) -> tuple[list[str | None], list[tuple[str, int, str | None]]]:
    found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"', {"Born": cells})
    return values(found, "birthday"), [(issue.code, issue.row, issue.expected) for issue in found.issues]


@pytest.mark.parametrize(
    "cell",
    [
        *("1988年农历三月初三", "1992-3-8（阴历）", "1992-03-08 (lunar)", "2007年八月十五", "八月十五"),
        *(
            "甲午年三月初八",
            "二〇〇七年腊月廿三",
            "1990年正月初一",
            "冬月初八",
            "1990.5.17(음)",
            "17/5/1990 ÂL",
        ),
    ],
)
def test_a_date_of_the_lunar_calendar_is_refused_as_one(cell: str) -> None:
    found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"', {"Born": ["1990-05-07", cell]})
    assert [(issue.code, issue.wording, issue.found) for issue in found.issues] == [
        ("bad-date", "lunar-date", cell)
    ]


@pytest.mark.parametrize(
    ("header", "kinds"),
    [
        ("生日类型", ["农历", "公历", "农历", ""]),
        ("历法", ["阴历", "阳历", "农", "公历"]),
        ("是否农历", ["是", "否", "是", ""]),
        ("Calendar", ["lunar", "solar", "Lunar", ""]),
    ],
)
def test_a_date_beside_which_a_column_says_lunar_is_not_sent(header: str, kinds: list[str]) -> None:
    cells = {"Born": ["1990-05-07", "1991-05-07", "", "1992-05-07"], header: kinds}
    found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"', cells)
    assert values(found, "birthday") == [None, "1991-05-07", None, "1992-05-07"]
    assert [(issue.row, issue.code, issue.wording) for issue in found.issues] == [
        (2, "bad-date", "lunar-date")
    ]


def test_one_date_proves_the_order_of_a_short_column_and_that_is_told() -> None:
    for last, day in (("25/12/1990", "1990-07-05"), ("12/25/1990", "1990-05-07")):
        told = [("date-order-unsure", 2, day)]
        assert birthdays("5/7/1990", last, "3/3/1991") == ([day, "1990-12-25", "1991-03-03"], told)
    assert birthdays("05.07.1990", "25.12.1990 00:00")[0] == ["1990-07-05", "1990-12-25"]


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (("90.5.7", "1990-05-07"), '["yy.M.d"]'),
        (("85年12月3日", "1990-05-07"), "[\"yy'年'M'月'd'日'\"]"),
        (("07/08/88", "24/12/68", "31/12/1991"), '["dd/MM/yy", "dd/MM/yyyy"]'),
        (
            ("3.4.19", "25.12.2019", "26.12.2019", "24/12/2018", "9-6-2018", "12 lutego 2020", "2019-08-21"),
            '["dd.MM.yyyy", "dd.MM.yy", "dd/MM/yyyy", "dd-MM-yyyy"]',
        ),
        (("07/08/88", "01/02/1990"), '["dd/MM/yy", "dd/MM/yyyy"] / ["MM/dd/yy", "MM/dd/yyyy"]'),
    ],
)
def test_a_short_year_is_answered_with_all_formats_of_its_column_and_they_read_it(
    cells: tuple[str, ...], formats: str
) -> None:
    found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"', {"Born": cells})
    told = {issue.expected for issue in found.issues if issue.wording == "date-with-short-year"}
    assert told == {formats}
    for listed in formats.split(" / "):
        again = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"\nformats = {listed}', {"Born": cells})
        assert not again.issues
        assert None not in values(again, "birthday")


def test_blanks_behind_the_marks_of_a_date_do_not_count() -> None:
    days = ["1980-05-07", "1991-12-25", "1990-01-13"]
    assert birthdays("7. 5. 1980", "25. 12. 1991", "13.1.1990") == (days, [])


def test_english_ordinals_are_days() -> None:
    assert birthdays("7th May 1980", "December 1st, 1991") == (["1980-05-07", "1991-12-01"], [])


def test_a_k_among_words_is_a_woman() -> None:
    found = mapped(f'{NAMES}[fields.gender]\nfrom = "Kön"', {"Kön": ["Man", "Kvinna", "K", "Okänt"]})
    assert values(found, "gender") == ["1", "0", "0", None]


def test_two_dates_prove_the_order_of_a_whole_column() -> None:
    assert birthdays("5/7/1990", "25/12/1990", "13/1/1991") == (
        ["1990-07-05", "1990-12-25", "1991-01-13"],
        [],
    )


def test_a_single_slip_in_a_longer_column_proves_nothing() -> None:
    cells = ["1.3.1980", "4.5.1981", "6.7.1982", "8.9.1983", "10.11.1984", "1.13.1990"]
    found, issues = birthdays(*cells)
    assert found == [None] * 5 + ["1990-01-13"]
    assert [code for code, *_ in issues] == ["ambiguous-date"] * 5


def test_a_date_with_a_short_year_proves_the_order_but_is_refused() -> None:
    for cells, first in (
        (("05.07.1990", "24.12.58"), "1990-07-05"),
        (("05/07/1990", "12/24/58"), "1990-05-07"),
    ):
        found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"', {"Born": cells})
        assert values(found, "birthday") == [first, cells[1]]
        assert [
            (issue.code, issue.wording) for issue in found.issues if issue.severity is Severity.ERROR
        ] == [("bad-date", "date-with-short-year")]
    assert [code for code, *_ in birthdays("05.07.1990", "24.12.15")[1]] == ["ambiguous-date", "bad-date"]


@pytest.mark.parametrize(
    "cell", ["5 พ.ค. 1990", "5 พฤษภาคม 1990", "5 maja 1990", "5 травня 1990", "5. května 1990", "5 مايو 1990"]
)
def test_months_have_names_in_many_languages(cell: str) -> None:
    assert birthdays(cell) == (["1990-05-05"], [])


def test_zeros_beside_other_words_for_nothing_are_no_date() -> None:
    found, issues = birthdays("0000-00-00", "\\N", "")
    assert found == [None, None, None]
    assert {code for code, *_ in issues} == {"word-for-nothing"}


def test_an_unproved_date_is_ambiguous_and_both_readings_are_told() -> None:
    found, issues = birthdays("5/7/1990", "1990-01-02")
    assert found == [None, "1990-01-02"]
    assert issues == [("ambiguous-date", 2, "1990-07-05 / 1990-05-07")]
    assert birthdays("5/5/1990", "12.12.1990") == (["1990-05-05", "1990-12-12"], [])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_column_that_contradicts_itself_leaves_only_dates_of_two_readings_in_doubt(lang: str) -> None:
    cells = ["25/12/1990", "12/25/1990", "1/2/1990", "5/5/1990"]
    found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"', {"Born": cells})
    assert values(found, "birthday") == ["1990-12-25", "1990-12-25", None, "1990-05-05"]
    told, issue = sorted(found.issues, key=lambda issue: issue.row)
    assert (told.code, told.row, told.expected) == ("other-date-order", 3, "1990-12-25")
    assert (issue.code, issue.row, issue.wording) == ("ambiguous-date", 4, "contradictory-dates")
    assert issue_text(issue, lang=lang).message == sentence(
        "contradictory-dates", {"found": "1/2/1990"}, lang
    )


def test_each_of_several_columns_proves_its_own_order() -> None:
    rules = mapping.load_text(f'{NAMES}[fields.birthday]\nfrom = ["Born", "Birthday"]')
    cells = {
        "Born": ["03/04/1980", "", "25/12/1990", "03/04/1980"],
        "Birthday": ["", "03/04/1980", "12/25/1990", "12/25/1990"],
    }
    mapper = mapping.bind(rules, list(cells), SEA, read_column=lambda name: iter([chunk(cells).frame[name]]))
    found = mapper.map(chunk(cells))
    assert values(found, "birthday") == ["1980-04-03", "1980-03-04", "1990-12-25", "1980-04-03"]
    assert {issue.code for issue in found.issues} == {"date-order-unsure"}


def test_a_proved_order_is_kept_for_a_part_of_the_file() -> None:
    toml = f'{NAMES}[fields.birthday]\nfrom = "Born"\n[custom.customize_1_1]\nfrom = "Since"\ntype = "date"'
    rules = mapping.load_text(toml)
    cells = {"Born": ["03/04/1980", "25.12.1990"], "Since": ["3-4-2020 00:00", "12-25-2020"]}
    mapper = mapping.bind(rules, list(cells), SEA, read_column=lambda name: iter([chunk(cells).frame[name]]))
    assert mapper.proven_mapping() == rules
    whole = mapper.map(chunk(cells))
    settled = mapping.load_text(mapper.proven_mapping().dump())
    part = {name: texts[:1] for name, texts in cells.items()}
    alone = mapping.bind(settled, list(cells), SEA).map(chunk(part))
    assert {issue.code for issue in whole.issues} == {"date-order-unsure"}
    assert not alone.issues
    assert values(alone, "birthday") == values(whole, "birthday")[:1] == ["1980-04-03"]
    assert values(alone, "customize_field") == values(whole, "customize_field")[:1]


def test_a_part_of_a_contradictory_column_proves_nothing() -> None:
    rules = mapping.load_text(f'{NAMES}[fields.birthday]\nfrom = "Born"')
    whole = chunk({"Born": ["24.12.1979", "12.24.1979", "3.4.1980", "1990-05-07"]})
    mapper = mapping.bind(rules, ["Born"], SEA, read_column=lambda name: iter([whole.frame[name]]))
    mapper.map(whole)
    part = chunk({"Born": ["24.12.1979", "3.4.1980", "1990/5/7"]})
    found = mapping.bind(
        mapper.proven_mapping(), ["Born"], SEA, read_column=lambda name: iter([part.frame[name]])
    ).map(part)
    assert values(found, "birthday") == ["1979-12-24", None, "1990-05-07"]
    assert [(issue.code, issue.wording) for issue in found.issues] == [
        ("ambiguous-date", "contradictory-dates")
    ]


def test_of_a_column_of_both_orders_the_rarer_one_is_told_with_the_day_it_was_read_as() -> None:
    cells = ["31/01/1992", "12/13/1990", "20/05/1991"]
    assert birthdays(*cells) == (
        ["1992-01-31", "1990-12-13", "1991-05-20"],
        [("other-date-order", 3, "1990-12-13")],
    )
    assert birthdays("25/12/1990", "24/12/1990")[1] == []


@pytest.mark.parametrize(("letters", "meant"), [("HM", ["0"]), ("HMF", [None]), ("MF", ["1"])])
def test_what_a_letter_means_in_the_whole_column_it_means_in_a_part(
    letters: str, meant: list[str | None]
) -> None:
    rules = mapping.load_text(f'{NAMES}[fields.gender]\nfrom = "Sexo"')
    whole = chunk({"Sexo": list(letters)})
    mapper = mapping.bind(rules, ["Sexo"], SEA, read_column=lambda name: iter([whole.frame[name]]))
    mapper.map(whole)
    settled = mapping.load_text(mapper.proven_mapping().dump())
    part = chunk({"Sexo": ["M", "m.", "Hombre", "Masculino"]})
    found = mapping.bind(settled, ["Sexo"], SEA, read_column=lambda name: iter([part.frame[name]])).map(part)
    assert values(found, "gender") == [*meant * 2, "1", "1"]
    assert [issue.found for issue in found.issues] == ([] if meant[0] else ["M", "m."])


@pytest.mark.parametrize("cells", [["R;D", "VIP"], ["a;b", "b"]])
def test_what_separates_tags_in_the_whole_column_separates_them_in_a_part(cells: list[str]) -> None:
    rules = mapping.load_text(f'{NAMES}[fields.tagStr]\nfrom = "Tags"')
    whole, part = chunk({"Tags": cells}), chunk({"Tags": [cells[0], "x;y", "x"]})
    mapper = mapping.bind(rules, ["Tags"], SEA, read_column=lambda name: iter([whole.frame[name]]))
    before = values(mapper.map(whole), "tagStr")[0]
    settled = mapping.load_text(mapper.proven_mapping().dump())
    found = mapping.bind(settled, ["Tags"], SEA, read_column=lambda name: iter([part.frame[name]])).map(part)
    assert values(found, "tagStr")[0] == before


def test_orders_that_nothing_proves_or_that_differ_are_not_settled() -> None:
    rules = mapping.load_text(f'{NAMES}[fields.birthday]\nfrom = ["Born", "Birthday"]')
    for born, birthday in (("3/4/1980", ""), ("25/12/1990", "12/25/1990")):
        cells = {"Born": [born, ""], "Birthday": ["", birthday]}
        read = chunk(cells)
        mapper = mapping.bind(rules, list(cells), SEA, read_column=partial(_look, read))
        mapper.map(read)
        assert mapper.proven_mapping() == rules


def test_the_proof_may_stand_in_another_chunk_and_is_read_once() -> None:
    looks: list[str] = []

    def look(column: str) -> Iterator[pd.Series]:
        looks.append(column)
        yield chunk({"Born": ["1/2/1990"]}).frame["Born"]
        yield chunk({"Born": ["31/1/1990"]}).frame["Born"]

    rules = mapping.load_text(f'{NAMES}[fields.birthday]\nfrom = "Born"')
    mapper = mapping.bind(rules, ["Born"], SEA, read_column=look)
    for _ in range(2):
        assert values(mapper.map(chunk({"Born": ["1/2/1990"]})), "birthday") == ["1990-02-01"]
    assert looks == ["Born"]


def _look(read: Chunk, name: str) -> Iterator[pd.Series]:
    yield read.frame[name]


def test_without_a_second_look_nothing_is_proved() -> None:
    mapper = mapping.bind(mapping.load_text(f'{NAMES}[fields.birthday]\nfrom = "Born"'), ["Born"], SEA)
    found = mapper.map(chunk({"Born": ["3/1/1990"]}))
    assert [issue.code for issue in found.issues] == ["ambiguous-date"]


@given(anything)
def test_reading_dates_never_raises_and_is_stable(text: str) -> None:
    day = dates.year_first(text)
    assert day is None or dates.year_first(day) == day
    dates.readings(text)


def genders(header: str, *cells: str) -> tuple[list[str | None], list[str]]:
    found = mapped(f'{NAMES}[fields.gender]\nfrom = "{header}"', {header: cells})
    return values(found, "gender"), [issue.code for issue in found.issues]


def test_gender_words_are_known_under_any_header() -> None:
    cells = ("male", "Female", "M", "f", "男", "女", "先生", "女士", "Mujer", "masculino", "laki-laki", "nữ")
    assert genders("性别", *cells) == (["1", "0", "1", "0", "1", "0", "1", "0", "0", "1", "1", "0"], [])


def test_gender_codes_count_only_below_the_api_s_own_header() -> None:
    assert genders("gender", "1", "0", "", "1.0") == (["1", "0", None, "1"], [])
    assert genders("Gender", "1", "0") == ([None, None], ["bad-gender"] * 2)
    assert genders("gender", "2", "10", "q") == ([None, None, None], ["bad-gender"] * 3)


def test_below_a_spanish_header_m_beside_h_is_mujer() -> None:
    assert genders("Sexo", "H", "M", "m.") == (["1", "0", "0"], [])
    assert genders("Género", "M", "F") == (["1", "0"], [])
    assert genders("Sexo", "H", "M", "F") == (["1", None, "0"], ["bad-gender"])
    assert genders("Sex", "M", "H") == (["1", None], ["bad-gender"])


def test_beside_an_m_an_f_is_a_woman_and_the_column_is_not_read_again() -> None:
    assert genders("Gender", "F", "N") == (["1", "0"], [])
    assert genders("Gender", "M", "F", "N") == (["1", "0", None], ["bad-gender"])
    rules = mapping.load_text(f'{NAMES}[fields.gender]\nfrom = "Sex"')
    mapper = mapping.bind(rules, ["Sex"], SEA, read_column=lambda _: pytest.fail("read again"))
    assert values(mapper.map(chunk({"Sex": ["F", "m."]})), "gender") == ["0", "1"]


def test_one_odd_letter_is_refused_and_leaves_the_others_alone() -> None:
    for header in ("Sexo", "gender", "Geschlecht"):
        cells = ["F", "F", "M", "M", "H", "M", "M"]
        found = mapped(f'{NAMES}[fields.gender]\nfrom = "{header}"', {header: cells})
        assert values(found, "gender") == ["0", "0", "1", "1", None, "1", "1"], header
        (issue,) = found.issues
        assert (issue.code, issue.row, issue.expected) == ("bad-gender", 6, "“F” (2), “M” (4)")
    # Of a club of women, the one man does not make the others men.
    found = mapped(f'{NAMES}[fields.gender]\nfrom = "Sexo"', {"Sexo": ["M", "M", "M", "M", "M", "H"]})
    assert values(found, "gender") == ["0"] * 5 + ["1"]


def test_a_letter_that_is_no_certain_gender_is_told_with_those_that_make_it_ambiguous() -> None:
    for header, cells, letter, others in (
        ("Sexo", ["M", "F", "H"], "M", "“H” (4)"),
        ("Sex", ["M", "F", "h."], "h.", "“F” (3), “M” (2)"),
    ):
        found = mapped(f'{NAMES}[fields.gender]\nfrom = "{header}"', {header: cells})
        (issue,) = found.issues
        assert (issue.code, issue.found, issue.expected) == ("bad-gender", letter, others)
        assert others in issue_text(issue, lang="en").message
    (issue,) = mapped(f'{NAMES}[fields.gender]\nfrom = "Sexo"', {"Sexo": ["M", "F", "Z"]}).issues
    assert (issue.found, issue.expected) == ("Z", None)
    assert genders("Sexo", "masc", "Fem.", "masculino", "FEMININO") == (["1", "0", "1", "0"], [])


def test_an_unsaid_gender_is_left_out() -> None:
    assert genders("Gender", "保密", "Unspecified", "unknown") == (
        [None, None, None],
        ["word-for-nothing", "gender-left-out", "gender-left-out"],
    )


def test_a_value_with_an_issue_shows_what_was_read() -> None:
    found = mapped(f'{NAMES}[fields.gender]\nfrom = "Sex"', {"Sex": ["F", " 9 "]})
    (issue,) = found.issues
    assert (issue.row, issue.column, issue.field, issue.found) == (3, "Sex", "gender", " 9 ")


def test_tags_are_separated_by_commas_of_any_script_and_by_nothing_else() -> None:
    assert plain("tagStr", "a，b、c, d", " x ,, y ,", "R;D", "K|O", ",", "") == [
        "a,b,c,d",
        "x,y",
        "R;D",
        "K|O",
        None,
        None,
    ]


@example([":::，", "vip，new ::: old；gone"])
@given(st.lists(anything, max_size=6))
def test_joining_tags_twice_changes_nothing(cells: list[str]) -> None:
    once = tags.comma_separated(arrow.array(cells))
    assert tags.comma_separated(once).equals(once)


@given(
    st.lists(
        st.fixed_dictionaries(dict.fromkeys(("n", "p", "d", "g", "t", "e"), anything)), min_size=1, max_size=6
    )
)
def test_mapping_never_raises_and_keeps_every_row(rows: list[dict[str, str]]) -> None:
    names = {
        "first_name": "n",
        "last_name": "n",
        "sms_phone": "p",
        "birthday": "d",
        "gender": "g",
        "tagStr": "t",
    }
    toml = "".join(f'[fields.{field}]\nfrom = "{column}"\n' for field, column in names.items())
    found = mapped(toml, {name: [row[name] for row in rows] for name in rows[0]})
    assert found.frame.index.tolist() == list(range(2, len(rows) + 2))
    assert all(found.frame[name].array.__arrow_array__().type == pa.large_string() for name in found.frame)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("二〇一六年三月十二日", "2016-03-12"),
        ("一九八二年十月二十三日", "1982-10-23"),
        ("二○○七年十二月三十一号", "2007-12-31"),
    ],
)
def test_a_date_in_chinese_numerals_with_the_word_for_day_is_no_lunar_one(cell: str, day: str) -> None:
    assert plain("birthday", cell) == [day]


@pytest.mark.parametrize(
    ("header", "lunar"),
    [("农历生日", True), ("음력생일", True), ("生日（公历/农历）", False), ("生日", False)],
)
def test_dates_below_a_header_that_says_lunar_are_not_sent(header: str, lunar: bool) -> None:
    rules = "\n".join(f'[fields.{name}]\nconstant = "A"' for name in ("first_name", "last_name"))
    found = mapped(f'{rules}\n[fields.birthday]\nfrom = "{header}"', {header: ["1990-05-17", ""]})
    assert values(found, "birthday") == [None if lunar else "1990-05-17", None]
    assert [(issue.row, issue.wording) for issue in found.issues] == ([(2, "lunar-date")] if lunar else [])


@pytest.mark.parametrize("cell", ["2014년 12월 5일", "2014년12월05일"])
def test_a_date_in_korean_words_has_one_reading(cell: str) -> None:
    assert plain("birthday", cell) == ["2014-12-05"]


@pytest.mark.parametrize(
    ("cell", "code"),
    [("Kız", "0"), ("Junge", "1"), ("девочка", "0"), ("bé trai", "1"), ("ילדה", "0"), ("女儿", "0")],
)
def test_words_for_children_are_genders(cell: str, code: str) -> None:
    assert plain("gender", cell) == [code]
