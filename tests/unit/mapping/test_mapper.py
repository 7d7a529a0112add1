"""What each key of a mapping file does to the cells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import arrow
from importer.errors import MappingError
from importer.mapping import person_names
from importer.mapping.person_names import NameRule
from importer.mapping.phone_texts import international
from importer.reports.wording import issue_text
from tests.support.mapping import PLAT, field, mapped, mapper, tenant_field, values

NAMES = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'


def test_the_first_filled_of_several_columns_wins() -> None:
    cells = {"X": ["1", " ", ""], "Y": ["2", "3", ""]}
    assert values(mapped(f'{NAMES}[fields.remark]\nfrom = ["X", "Y"]', cells), "remark") == ["1", "3", None]


def test_several_columns_are_joined_without_the_empty_ones() -> None:
    cells = {"X": [" a ", "", "", "a"], "Y": ["b", "c", "", "d"], "Z": ["", "", "", "e"]}
    found = mapped(f'{NAMES}[fields.address]\nfrom = ["X", "Y", "Z"]\njoin = ", "', cells)
    assert values(found, "address") == ["a, b", "c", None, "a, d, e"]


def test_constant_default_values_case_and_length() -> None:
    assert field('constant = "China"', "country", "x", "") == ["China", "China"]
    assert field('from = "X"\ndefault = "none"', "country", "x", "") == ["x", "none"]
    assert field(
        'from = "X"\nvalues = { CN = "China", 1 = "One", "" = "no" }', "country", "cn", "1", "US", ""
    ) == [
        "China",
        "One",
        "US",
        None,
    ]
    assert field('from = "X"\ncase = "title"', "country", "new ZEALAND") == ["New Zealand"]
    assert field('from = "X"\ncase = "upper"', "country", "cn") == ["CN"]
    assert field('from = "X"\nshorten = true', "country", "长" * 60) == ["长" * 50]
    assert field('from = "X"\ntrim = false', "remark", " x ") == [" x "]


def test_an_empty_cell_is_left_out_or_sent_as_empty() -> None:
    assert field('from = "X"', "remark", "", "x") == [None, "x"]
    assert field('from = "X"\nempty = "send"', "remark", "", "x") == ["", "x"]
    # A number in the API, which has none for “not said”.
    assert field('from = "X"\nempty = "send"', "gender", "", "male") == [None, "1"]


def test_texts_that_mean_nothing_are_empty() -> None:
    assert field(
        'from = "X"\nnothing = ["0/0/00", "--*"]', "birthday", "0/0/00", "--05-12", "1990-05-07"
    ) == [
        None,
        None,
        "1990-05-07",
    ]


def test_genders_by_a_value_map() -> None:
    assert field('from = "X"\nvalues = { 1 = "male", 2 = "female", 9 = "" }', "gender", "1", "2", "9") == [
        "1",
        "0",
        None,
    ]
    assert field('from = "X"\nvalues = { 0 = "0", 1 = "1" }', "gender", "1", "0") == ["1", "0"]


@pytest.mark.parametrize(
    ("format_", "found", "meant"),
    [
        ("dd/MM/yyyy", "5/7/1990", "1990-07-05"),
        ("M/d/yyyy", "5/7/1990", "1990-05-07"),
        ("dd.MM.yy", "05.07.90", "1990-07-05"),
        ("dd.MM.yy", "05.07.25", "2025-07-05"),
        ("d MMMM yyyy", "5 July 1990", "1990-07-05"),
        ("MMM d, yyyy", "Jul 5, 1990", "1990-07-05"),
        ("d 'de' MMMM 'de' yyyy", "5 de julio de 1990", "1990-07-05"),
        ("dd-MM-yyyy HH:mm", "05-07-1990 13:45", "1990-07-05"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "1990-07-05T13:45:00.000Z", "1990-07-05"),
        ("unix", "647136000", "1990-07-05"),
        ("unix-ms", "647136000000", "1990-07-05"),
        ("dd/MM/yyyy", "1990-07-05", "1990-07-05"),
    ],
)
def test_date_formats(format_: str, found: str, meant: str) -> None:
    assert field(f'from = "X"\nformats = "{format_}"', "birthday", found) == [meant]


def test_of_several_formats_the_first_that_reads_a_text_wins() -> None:
    rule = 'from = "X"\nformats = ["dd/MM/yyyy", "MM/dd/yyyy"]'
    assert field(rule, "birthday", "5/7/1990", "5/27/1990") == ["1990-07-05", "1990-05-27"]


def test_a_date_that_no_format_reads_is_an_issue_that_names_the_formats() -> None:
    found = mapped(
        f'{NAMES}[fields.birthday]\nfrom = "X"\nformats = ["dd/MM/yyyy"]', {"X": ["12/25/1990", "1990"]}
    )
    assert [(issue.code, issue.expected, issue.found) for issue in found.issues] == [
        ("bad-date", "dd/MM/yyyy", "12/25/1990"),
        ("bad-date", "dd/MM/yyyy", "1990"),
    ]


@pytest.mark.parametrize(
    ("separators", "found", "meant"),
    [
        ('[";"]', "a; b;;c", "a,b,c"),
        ('["|", "、"]', "a|b、c", "a,b,c"),
        ('[" "]', "a_b  c", "a_b,c"),
        ('[":::", "* "]', "* myContacts ::: Family", "myContacts,Family"),
        ("""['","', ","]""", '"VIP","Blog ""x"""', 'VIP,Blog "x"'),
        ('["json"]', '["vip", "swim"]', "vip,swim"),
        ('["json"]', "[broken", "[broken"),
    ],
)
def test_tag_separators(separators: str, found: str, meant: str) -> None:
    assert field(f'from = "X"\nseparators = {separators}', "tagStr", found) == [meant]


@pytest.mark.parametrize(
    ("rule", "found", "meant"),
    [
        ('region = "CN"', "138 1234 5678", "8613812345678"),
        ('region = "CN"', "+1 415 555 2671", "14155552671"),
        ('region = "CN"', "0086 138 1234 5678", "8613812345678"),
        ('region = "CN"', "13812345678.0", "8613812345678"),
        ('region = "US"', "(415) 555-2671", "14155552671"),
        ('region = "US"', "(415) 555-2671 x12", "14155552671"),
        ('region = "US"\nextension = "keep"', "(415) 555-2671 x12", None),
        ('extension = "drop"', "886-2-1234567 #123", "88621234567"),
        ('region = "CN"', "ask Bob", None),
        ('region = "CN"', "1.38E+10", "1.38E+10"),
        ('international_prefix = "00"', "0044 20 7946 0000", "442079460000"),
        ('international_prefix = "00"', "+44 20 7946 0000", "442079460000"),
        ('several_at = [":::", ","]', "+1 415 ::: +1 416", "1415"),
        ('several_at = [":::", ","]\ntake = 2', "+1 415 ::: +1 416, 3", "1416"),
        ('several_at = [","]\ntake = 2', "+1 415", None),
        ('several_at = [";"]\nbehind = "WhatsApp-"', "QQ-5;whatsapp-86-138", "86138"),
    ],
)
def test_phone_rules(rule: str, found: str, meant: str | None) -> None:
    assert field(f'from = "X"\n{rule}', "sms_phone", found) == [meant]


def test_a_country_code_column_goes_before_national_numbers_only() -> None:
    cells = {
        "Code": ["91", "+44", "", "91", "x", "91"],
        "Phone": ["98765 43210", "07911 123456", "123", "+1 415", "5", "ask"],
    }
    rules = f'{NAMES}[fields.whats_app_phone]\nfrom = "Phone"\ncountry_code = "Code"\ntrunk_prefix = "0"'
    found = values(mapped(rules, cells), "whats_app_phone")
    assert found == ["919876543210", "447911123456", "123", "1415", None, None]
    cells = {"Code": ["86", "86", "1"], "Phone": ["0086 138 0013 8000", "13900139000", "00"]}
    found = values(mapped(f'{rules}\ninternational_prefix = "00"', cells), "whats_app_phone")
    assert found[:2] == ["8613800138000", "8613900139000"]


@pytest.mark.parametrize(
    ("rule", "name", "parts"),
    [
        ("last-word", "Ana María  Pérez", ("Ana María", "Pérez")),
        ("last-word", "Madonna", ("Madonna", None)),
        ("last-word", "Maria das Graças", ("Maria", "das Graças")),
        ("last-word", "Ana Paula da Silva", ("Ana Paula", "da Silva")),
        ("last-word", "JUAN CARLOS DE LA CRUZ", ("JUAN CARLOS", "DE LA CRUZ")),
        ("last-word", "José Antônio de Souza Filho", ("José Antônio", "de Souza Filho")),
        ("last-word", "Carlos Souza Júnior", ("Carlos", "Souza Júnior")),
        ("last-word", "Carlos Neto", ("Carlos", "Neto")),
        ("last-word", "Jan Van der Berg", ("Jan", "Van der Berg")),
        ("last-word", "Omar bin Khalid", ("Omar", "bin Khalid")),
        ("last-word", "José Ortega y Gasset", ("José", "Ortega y Gasset")),
        ("last-word", "Artur da Costa e Silva", ("Artur", "da Costa e Silva")),
        ("last-word", "John E Smith III", ("John E", "Smith III")),
        ("last-word", "David Ben Stone", ("David Ben", "Stone")),
        ("last-word", "Martin Luther King, Jr.", ("Martin Luther", "King, Jr.")),
        ("last-word", "Sr. João da Silva", ("João", "da Silva")),
        ("last-word", "أحمد بن علي", ("أحمد", "بن علي")),
        ("first-word", "Prof. Dr. med. Anna Huber", ("Anna", "Huber")),
        ("comma", "Dr. Müller, Frau Anna", ("Anna", "Müller")),
        ("last-word", "Frau Müller", ("Frau", "Müller")),
        ("first-word", "Ana Pérez Gómez", ("Ana", "Pérez Gómez")),
        ("family-first", "Nguyễn Văn An", ("Văn An", "Nguyễn")),
        ("comma", "Pérez, Ana María", ("Ana María", "Pérez")),
        ("comma", "Ana Pérez", ("Ana", "Pérez")),
        ("chinese", "张三", ("张", "三")),
        ("chinese", "欧阳娜娜", ("欧阳", "娜娜")),
        ("chinese", "欧阳", ("欧", "阳")),
        ("chinese", "张 三丰", ("张", "三丰")),
        ("chinese", "买买提·艾力", ("买买提", "艾力")),
        ("chinese", "John Smith", ("John", "Smith")),
        ("chinese", "上海某某有限公司", ("上海某某有限公司", None)),
    ],
)
def test_full_names_are_split_by_the_mapping_s_one_rule(
    rule: str, name: str, parts: tuple[str, str | None]
) -> None:
    rules = f'name_rule = "{rule}"\n[fields.first_name]\nsplit = "N"\n[fields.last_name]\nsplit = "N"'
    found = mapped(rules, {"N": [name]})
    assert (*values(found, "first_name"), *values(found, "last_name")) == parts


@pytest.mark.parametrize(
    ("name", "lang", "words"), [("李", "zh", "无法拆分"), ("Ann", "en", "cannot be split")]
)
def test_a_name_that_cannot_be_split_is_said_to_be_so(name: str, lang: str, words: str) -> None:
    rules = 'name_rule = "chinese"\n[fields.first_name]\nsplit = "N"\n[fields.last_name]\nsplit = "N"\n'
    found = mapped(f"{rules}nothing = ['§']", {"N": [name, "", "§"]})
    (issue,) = found.issues
    assert (issue.code, issue.row, issue.column, issue.field) == ("required", 2, "N", "last_name")
    assert words in issue_text(issue, lang=lang).message
    assert not mapped(f"{rules}default = 'X'", {"N": [name, ""]}).issues
    assert not mapped(rules, {"N": [name, ""]}, PLAT).issues


def test_a_full_name_is_split_only_where_its_parts_have_no_column() -> None:
    rules = 'name_rule = "last-word"\n' + "".join(
        f'[fields.{field}]\nfrom = "{column}"\nsplit = "N"\n'
        for field, column in (("first_name", "F"), ("last_name", "L"))
    )
    found = mapped(rules, {"N": ["Ann Marie"], "F": ["Ann Marie"], "L": [""]})
    assert values(found, "last_name") == [None]
    assert values(mapped(rules, {"N": ["Ann Lee"]}), "last_name") == ["Lee"]


def test_rare_chinese_characters_are_chinese_in_every_rule_for_names() -> None:
    rare = "\U00020bb7"
    assert person_names.split(f"{rare}田", NameRule.CHINESE) == (rare, "田")
    assert person_names.likely_rule([f"{rare}田", "张三"]) is NameRule.CHINESE
    found = person_names.full_names(None, arrow.array([rare, "Ann"]), arrow.array(["田", rare]))
    assert found.to_pylist() == [f"{rare}田", f"Ann {rare}"]


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.sampled_from(NameRule))
def test_splitting_a_name_never_raises_and_loses_no_letter(name: str, rule: NameRule) -> None:
    parts = person_names.split(name, rule)
    left = sorted(c for c in "".join(parts) if c.isalnum())
    told = person_names.of_whole(arrow.array([name]), rule)
    assert told or left == sorted(c for c in name if c.isalnum())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("นายสมชาย ใจดี", ("สมชาย", "ใจดี")),
        ("นางสาวสมศรี มีสุข", ("สมศรี", "มีสุข")),
        ("น.ส.สุดา รักไทย", ("สุดา", "รักไทย")),
        ("นายิกา สุขใจ", ("นายิกา", "สุขใจ")),
        ("山田 太郎 様", ("山田", "太郎")),
        ("高橋 さくら様", ("高橋", "さくら")),
        ("Smt. Lakshmi Iyer", ("Lakshmi", "Iyer")),
        ("Bapak Budi Santoso", ("Budi", "Santoso")),
    ],
)
def test_titles_are_left_out_in_every_script_also_where_they_are_glued_to_the_name(
    name: str, parts: tuple[str, str]
) -> None:
    assert person_names.split(name, NameRule.LAST_WORD) == parts
    told = [one.wording for one in person_names.of_whole(arrow.array([name]), NameRule.LAST_WORD)]
    assert told == ([] if " ".join(parts) == name else ["title-left-out"])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Muhammad Ali bin Abu Bakar", ("Muhammad Ali", "bin Abu Bakar")),
        ("Siti Nurhaliza binti Tarudin", ("Siti Nurhaliza", "binti Tarudin")),
        ("Ravi a/l Kumar", ("Ravi", "a/l Kumar")),
        ("منى عبد الرحمن", ("منى", "عبد الرحمن")),
        ("Empresa Exemplar, Lda.", ("Empresa Exemplar,", "Lda.")),
        ("Exemplar, Ana", ("Ana", "Exemplar")),
    ],
)
def test_what_belongs_to_a_last_name_stays_with_it_and_a_company_is_not_turned_round(
    name: str, parts: tuple[str, str]
) -> None:
    assert person_names.split(name, NameRule.LAST_WORD) == parts


def test_two_persons_in_a_first_name_and_names_of_nobody_are_told() -> None:
    def told(*cells: str) -> list[list[str | None]]:
        issues = person_names.doubtful(arrow.array(list(cells)), "first_name")
        return [[one.wording for one in issues if one.where[row]] for row in range(len(cells))]

    pairs = ("Gerd u. Inge", "John & Mary", "Ana e João", "Иван и Анна")
    assert told(*pairs) == [["two-persons"]] * len(pairs)
    assert told("Unbekannt", "匿名", "Test", "MUSTERMANN") == [[None]] * 4
    assert told("Anna Maria", "Ann E Lee", "Null", "Jean-Luc") == [[]] * 4


def test_a_brazilian_form_of_companies_is_told_and_a_name_in_capitals_is_not() -> None:
    names = arrow.array(["Padaria do Zé MEI", "TAN SIEW MEI", "Tan Siew Mei"])
    (issue,) = person_names.of_whole(names, NameRule.LAST_WORD)
    assert (issue.code, issue.where.tolist()) == ("doubtful-name", [True, False, False])


def test_a_title_that_is_left_out_of_a_full_name_is_told_and_one_in_place_of_a_name_is_doubted() -> None:
    rules = 'name_rule = "last-word"\n[fields.first_name]\nsplit = "N"\n[fields.last_name]\nsplit = "N"'
    cells = [
        "Dr. Ann Lee",
        "Ann Lee",
        "Lee, Mrs Ann",
        "Dr.\u3000Ann Lee",
        "Frau Lee",
        "Drake Lee",
        "Mike Dr Lee",
    ]
    found = mapped(rules, {"N": cells})
    assert [(one.code, one.row, one.expected) for one in found.issues] == [
        ("doubtful-name", 6, None),
        ("text-left-out", 2, "Ann Lee"),
        ("text-left-out", 4, "Ann Lee"),
        ("text-left-out", 5, "Ann Lee"),
    ]
    assert all("title" in issue_text(one, lang="en").message for one in found.issues[1:])
    assert values(found, "first_name") == ["Ann", "Ann", "Ann", "Ann", "Frau", "Drake", "Mike Dr"]


def test_chinese_forms_of_address_are_left_out_of_whole_names_and_doubted_in_place_of_a_name() -> None:
    rules = 'name_rule = "chinese"\n[fields.first_name]\nsplit = "N"\n[fields.last_name]\nsplit = "N"'
    cells = [
        "王女士",
        "赵敏 女士",
        "赵敏女士",
        "欧阳女士",
        "李先生",
        "张总",
        "小李",
        "老王",
        "王芳",
        "欧阳娜娜",
    ]
    found = mapped(rules, {"N": cells})
    assert values(found, "first_name") == ["王", "赵", "赵", "欧阳", "李", "张", "小", "老", "王", "欧阳"]
    assert values(found, "last_name") == ["女士", "敏", "敏", "女士", "先生", "总", "李", "王", "芳", "娜娜"]
    told = {(one.row, one.code, one.wording) for one in found.issues}
    assert told == {
        *((row, "doubtful-name", None) for row in (2, 5, 6, 7, 8, 9)),
        *((row, "text-left-out", "title-left-out") for row in (3, 4)),
    }


def test_companies_in_columns_of_names_are_doubted() -> None:
    companies = [
        "Silva Ltda.",
        "Müller GmbH & Co. KG",
        "Padaria S/A",
        "Acme, Inc.",
        "上海某某有限公司（分店）",
        "Acme LLC",
        "Padaria do Zé ME",
        "EPP",
    ]
    people = ["Linda", "Ag", "Sá", "Gina Vincent", "Maria José", "Co", "司马相如", "Princ", "Li & Co"]
    rules = '[fields.first_name]\nconstant = "Ann"\n[fields.last_name]\nfrom = "L"'
    found = mapped(rules, {"L": [*companies, *people]})
    doubted = [one.row for one in found.issues if one.code == "doubtful-name"]
    assert doubted == [*range(2, 10), 18]


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_reading_a_phone_from_a_region_never_raises_and_is_stable(text: str) -> None:
    once = international(text, "CN")
    assert once is None or once.digits.isdigit()


def test_a_field_can_depend_on_another_column() -> None:
    cells = {"Born": ["1990-05-07", "1990-05-08"], "Kind": ["1", "0"]}
    rules = f'{NAMES}[fields.birthday]\nfrom = "Born"\nwhen = {{ column = "Kind", is_not = ["0"] }}'
    assert values(mapped(rules, cells), "birthday") == ["1990-05-07", None]


def test_filtered_rows_are_skipped_with_the_reason_and_without_issues() -> None:
    cells = {
        "Status": ["active", " ACTIVE ", "gone", ""],
        "Test": ["", "yes", "", ""],
        "G": ["", "", "9", ""],
    }
    rules = (
        f'{NAMES}[fields.gender]\nfrom = "G"\n'
        '[[only]]\ncolumn = "Status"\nis = ["active", "new*"]\n[[only]]\ncolumn = "Test"\nfilled = false\n'
    )
    found = mapped(rules, cells)
    assert [(skip.code, skip.rows.tolist()) for skip in found.skips] == [
        ("filtered", [4, 5]),
        ("filtered", [3]),
    ]
    messages = [skip.message for skip in found.skips]
    assert messages == ["only: Status = “active”, “new*”", "only: Test = “”"]
    assert not found.issues
    assert len(found.frame) == 4


def test_a_filter_s_column_may_be_absent_only_if_it_says_so() -> None:
    rules = f'{NAMES}[[only]]\ncolumn = "Status"\nis_not = ["x"]\n'
    with pytest.raises(MappingError) as caught:
        mapped(rules, {"X": ["1"]})
    assert caught.value.code == "mapping-missing-header"
    assert mapped(rules + "optional = true", {"X": ["1"]}).skips == ()


def test_a_missing_header_is_told_with_the_nearest_ones() -> None:
    with pytest.raises(MappingError) as caught:
        mapped(f'{NAMES}[fields.email]\nfrom = "Mail adress"', {"Mail address": ["x"], "Zip": ["1"]})
    assert caught.value.code == "mapping-missing-header"
    assert "“Mail address”" in str(caught.value)
    assert "fields.email" in str(caught.value)
    assert "“Zip”" not in str(caught.value)


def test_all_that_does_not_fit_is_told_at_once_and_nothing_twice() -> None:
    rules = """
[fields.first_name]
from = ["Given", "Called"]
[fields.email]
from = "E-Mail"
[custom.Nothing]
from = "X"
[[only]]
column = "Status"
is = "x"
"""
    with pytest.raises(MappingError) as caught:
        mapped(rules, {"Email": ["a"], "e mail": ["b"], "X": ["1"]}, tenant_fields=OWN)
    assert [one.code for one in caught.value.every] == [
        "mapping-missing-header",
        "mapping-missing-header",
        "mapping-two-sources",
        "custom-field-unknown",
        "mapping-required-field",
        "mapping-missing-header",
    ]
    assert caught.value.every[4].found["field"] == "last_name"


def test_a_header_that_several_columns_spell_is_an_error_unless_one_is_the_same() -> None:
    rules = f'{NAMES}[fields.email]\nfrom = "E-Mail"'
    with pytest.raises(MappingError) as caught:
        mapped(rules, {"Email": ["a"], "e mail": ["b"]})
    assert caught.value.code == "mapping-two-sources"
    assert all(name in str(caught.value) for name in ("“Email”", "“e mail”"))
    assert values(mapped(rules, {"Email": ["a@x.example"], "E-Mail": ["b@x.example"]}), "email") == [
        "b@x.example"
    ]


def test_headers_of_a_mapping_may_be_spelled_differently_and_hold_a_wildcard() -> None:
    cells = {"E-MAIL": ["a@b.c"], "Last seen (PST)": ["x"]}
    rules = f'{NAMES}[fields.email]\nfrom = "e mail"\n[fields.remark]\nfrom = "Last seen (*)"'
    found = mapper(rules, cells)
    assert found.columns["email"] == ("E-MAIL",)
    assert found.columns["remark"] == ("Last seen (PST)",)
    assert found.unused == ()


def test_a_field_that_the_contract_lacks_is_told_and_left_out() -> None:
    rules = f'{NAMES}[fields.zalo]\nfrom = "Z"'
    found = mapper(rules, {"Z": ["1"]})
    assert [note.code for note in found.notes] == ["field-not-in-contract"]
    assert "zalo" in mapper(rules, {"Z": ["1"]}, PLAT).columns


def test_a_required_field_that_nothing_feeds_is_an_error() -> None:
    with pytest.raises(MappingError) as caught:
        mapped('[fields.first_name]\nfrom = "X"', {"X": ["1"]})
    assert caught.value.code == "mapping-required-field"
    assert "last_name" in str(caught.value)


def test_the_source_field_goes_out_only_if_a_mapping_names_it() -> None:
    found = mapped(f'{NAMES}[fields.source]\nfrom = "S"', {"S": ["fair"]})
    assert values(found, "source") == ["fair"]


# --- custom fields of the tenant ----------------------------------------------------------------------------

OWN = (
    tenant_field("customize_1_1", "Loyalty level", 1),
    tenant_field("customize_1_2", "Visits", 2),
    tenant_field("customize_1_3", "Size", 3, choices=(("11", "Small"), ("12", "大"))),
    tenant_field("customize_1_4", "Likes", 4, choices=(("21", "Tea"), ("22", "Milk"))),
    tenant_field("customize_1_5", "Since", 5, date_format="yyyy/MM/dd"),
    tenant_field("customize_1_6", "Seen", 6),
    tenant_field("customize_1_7", "Labels", 7),
    tenant_field("customize_2_1", "Twin", 1),
    tenant_field("customize_2_2", "Twin", 1),
)


def own(key: str, *cells: str, more: str = "") -> tuple[list[object], list[str]]:
    found = mapped(f'{NAMES}[custom."{key}"]\nfrom = "X"\n{more}', {"X": cells}, tenant_fields=OWN)
    texts = values(found, "customize_field")
    name = next(field.name for field in OWN if key in (field.name, field.label))
    return [None if text is None else json.loads(text)[name] for text in texts], [
        issue.code for issue in found.issues
    ]


@pytest.mark.parametrize(
    ("key", "found", "meant"),
    [
        ("Loyalty level", 'gold "1"\n', 'gold "1"'),
        ("customize_1_1", "金", "金"),
        ("Visits", "12", 12),
        ("Visits", "007", 7),
        ("Visits", "12.50", 12.5),
        ("Visits", "-3.0", -3),
        ("Size", "small", "11"),
        ("Size", "12", "12"),
        ("Likes", "Tea; Milk", ["21", "22"]),
        ("Since", "1990年5月7日", "1990/05/07"),
        ("Seen", "1990/5/7 8:05", "1990-05-07 08:05:00"),
        ("Labels", "a，b;c", "a,b,c"),
    ],
)
def test_own_fields_are_packed_by_their_type(key: str, found: str, meant: object) -> None:
    assert own(key, found) == ([meant], [])


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("Visits", "many"),
        ("Size", "XL"),
        ("Likes", "Tea;Rum"),
        ("Since", "soon"),
        ("Seen", "1990-05-07 25:99"),
    ],
)
def test_an_own_field_of_the_wrong_type_is_an_issue(key: str, found: str) -> None:
    assert own(key, found, "") == ([None, None], ["bad-custom-field"])


def test_an_own_date_without_proof_is_ambiguous() -> None:
    assert own("Since", "5/7/1990") == ([None], ["ambiguous-date"])
    assert own("Since", "5/7/1990", more='formats = ["dd/MM/yyyy"]') == (["1990/07/05"], [])


def test_own_fields_join_a_customize_field_column() -> None:
    rules = (
        f'{NAMES}[fields.customize_field]\nfrom = "J"\n[custom.customize_1_1]\nfrom = "X"\n'
        '[custom.customize_1_2]\nfrom = "Y"\ntype = "number"'
    )
    cells = {
        "J": ['{"a": 1}', "", '{"customize_1_1": "old"}', "not json", "{}", ""],
        "X": ["x", "x", "new", "x", "", ""],
        "Y": ["1", "", "", "", "", ""],
    }
    assert values(mapped(rules, cells), "customize_field") == [
        '{"a": 1, "customize_1_1": "x", "customize_1_2": 1}',
        '{"customize_1_1": "x"}',
        '{"customize_1_1": "new"}',
        "not json",
        "{}",
        None,
    ]


def test_own_fields_join_a_customize_field_column_that_no_rule_names() -> None:
    cells = {"customize_field": ['{"a": 1}', ""], "X": ["x", "y"]}
    both = mapped(f'{NAMES}[custom.customize_1_1]\nfrom = "X"', cells)
    assert values(both, "customize_field") == ['{"a": 1, "customize_1_1": "x"}', '{"customize_1_1": "y"}']
    elsewhere = f'{NAMES}[fields.remark]\nfrom = "customize_field"\n[custom.customize_1_1]\nfrom = "X"'
    assert values(mapped(elsewhere, cells), "customize_field") == [
        '{"customize_1_1": "x"}',
        '{"customize_1_1": "y"}',
    ]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=5))
def test_packed_texts_are_what_json_reads_back(cells: list[str]) -> None:
    found = mapped(f'{NAMES}[custom.customize_1_1]\nfrom = "X"\ntrim = false\nnothing = []', {"X": cells})
    texts = values(found, "customize_field")
    assert [text and json.loads(text)["customize_1_1"] for text in texts] == [cell or None for cell in cells]


def test_without_the_tenant_s_list_a_key_tells_numbers_and_dates() -> None:
    rules = NAMES + "".join(f"[custom.customize_{kind}_9]\n" for kind in range(1, 8))
    cells = {f"customize_{kind}_9": ["7"] for kind in range(1, 8)} | {
        "customize_5_9": ["1990/5/7"],
        "customize_6_9": [""],
    }
    found = mapped(rules, cells)
    assert json.loads(values(found, "customize_field")[0] or "") == {
        "customize_1_9": "7",
        "customize_2_9": 7,
        "customize_3_9": "7",
        "customize_4_9": "7",
        "customize_5_9": "1990-05-07",
        "customize_7_9": "7",
    }


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ('[custom.Nothing]\nfrom = "X"', "custom-field-unknown"),
        ('[custom.customize_9_9]\nfrom = "X"', "custom-field-unknown"),
        ('[custom.Twin]\nfrom = "X"', "custom-field-ambiguous"),
        ('[custom.Visits]\nfrom = "X"\ntype = "text"', "custom-field-type"),
        ('[custom.Visits]\nfrom = "X"\n[custom.customize_1_2]\nfrom = "X"', "custom-field-twice"),
    ],
)
def test_own_fields_that_the_tenant_lacks_are_errors(rules: str, code: str) -> None:
    with pytest.raises(MappingError) as caught:
        mapped(NAMES + rules, {"X": ["1"]}, tenant_fields=OWN)
    assert caught.value.code == code
    assert "<" not in str(caught.value)


def test_a_display_name_needs_the_tenant_s_list_except_in_a_dry_run() -> None:
    rules = f'{NAMES}[custom."Loyalty level"]\nfrom = "X"'
    with pytest.raises(MappingError) as caught:
        mapped(rules, {"X": ["1"]})
    assert caught.value.code == "custom-field-needs-list"
    found = mapper(rules, {"X": ["1"]}, dry_run=True)
    assert [note.code for note in found.notes] == ["custom-field-unchecked"]


@pytest.mark.parametrize(
    "rule", [NameRule.LAST_WORD, NameRule.FIRST_WORD, NameRule.FAMILY_FIRST, NameRule.CHINESE]
)
def test_a_comma_stands_behind_the_family_name_unless_a_title_follows(rule: NameRule) -> None:
    assert person_names.split("Müller, Jürgen", rule) == ("Jürgen", "Müller")
    assert "Martin" in " ".join(person_names.split("Martin King, Jr.", rule))
    assert person_names.split("Martin King, Jr.", rule) != ("Jr.", "Martin King")
