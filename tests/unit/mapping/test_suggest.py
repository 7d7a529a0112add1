"""What is proposed for an unknown file, how surely, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import mapping
from importer.contracts import Contract
from importer.mapping import loader, suggest_toml, tags
from importer.mapping.proposals import Proposal
from importer.messages import LANGUAGES
from importer.options import RunOptions
from tests.bench import matching_quality
from tests.support.mapping import PLAT, SEA, chunk, values


def proposed(cells: Mapping[str, Sequence[str]], contract: Contract = SEA) -> dict[str, Proposal]:
    return {one.column: one for one in mapping.propose(list(cells), chunk(cells).frame, contract)}


def fields(*header: str) -> dict[str, str | None]:
    return {one.column: one.field for one in mapping.propose(header, None, SEA) if one.taken}


@pytest.mark.parametrize(
    "header",
    [
        ("First Name", "Last Name", "Mobile", "E-mail", "Country", "Date of birth", "Notes", "Gender"),
        ("姓", "名", "客户手机", "电子邮箱", "国家", "出生日期", "备注", "性别"),
        (
            "Nombre",
            "Apellidos",
            "Celular",
            "Correo",
            "País",
            "Fecha de nacimiento",
            "Observaciones",
            "Género",
        ),
        ("Nome", "Sobrenome", "Telemóvel", "E-mail", "País", "Data de nascimento", "Observações", "Sexo"),
        (
            "Nama depan",
            "Nama belakang",
            "Nomor HP",
            "Surel",
            "Negara",
            "Tgl lahir",
            "Catatan",
            "Jenis kelamin",
        ),
        ("Tên", "Họ", "SĐT", "Thư điện tử", "Quốc gia", "Ngày sinh", "Ghi chú", "Giới tính"),
        (
            "Vorname",
            "Nachname",
            "Handynummer",
            "E-Mail-Adresse",
            "Land",
            "Geburtsdatum",
            "Notizen",
            "Geschlecht",
        ),
        ("Prénom", "Nom", "Téléphone", "Courriel", "Pays", "Date de naissance", "Remarques", "Sexe"),
    ],
    ids=("en", "zh", "es", "pt", "id", "vi", "de", "fr"),
)
def test_labels_are_known_in_the_languages_of_the_markets(header: tuple[str, ...]) -> None:
    wanted = ("first_name", "last_name", "sms_phone", "email", "country", "birthday", "remark", "gender")
    assert fields(*header) == dict(zip(header, wanted, strict=True))


def test_exact_alias_and_alike_names_differ_in_confidence_and_reason() -> None:
    found = {
        one.column: one
        for one in mapping.propose(["first_name", "Surname", "Mobbile Phone", "Shoe"], None, SEA)
    }
    assert [round(one.confidence, 2) for one in found.values()] == [
        1.0,
        0.95,
        pytest.approx(0.72, abs=0.03),
        0.0,
    ]
    assert [one.why.code for one in found.values()] == [
        "why-api-name",
        "why-alias",
        "why-alike",
        "why-unknown",
    ]
    assert found["Mobbile Phone"].reason.endswith("like “Mobile Phone”")


@pytest.mark.parametrize(
    "header", ["County", "Company", "Fax", "Phone Type", "Birthplace", "Email 2 Type", "Message ID"]
)
def test_what_only_looks_alike_is_left_open(header: str) -> None:
    assert fields("First Name", "Last Name", header).keys() == {"First Name", "Last Name"}


def test_of_several_phones_the_mobile_one_is_taken_and_the_other_is_told() -> None:
    found = {one.column: one for one in mapping.propose(["Home Phone", "Phone", "Mobile"], None, SEA)}
    assert [one.field for one in found.values()] == [None, None, "sms_phone"]
    assert found["Phone"].why.code == "why-rival"
    assert "“Mobile”" in found["Phone"].reason
    assert set(found["Mobile"].rivals) == {"Home Phone", "Phone"}


def test_cells_that_a_field_could_not_hold_make_a_column_unlikely() -> None:
    found = proposed({"First Name": ["A"], "Phone": ["Nokia 3310 blue"], "Email": ["yes"]})
    assert not found["Phone"].taken
    assert found["Phone"].why.code == "why-values-differ"
    assert not found["Email"].taken


def test_a_column_of_addresses_is_known_by_its_cells() -> None:
    found = proposed({"Kontakt": ["a@example.com", "b@example.com"]})
    assert (found["Kontakt"].field, found["Kontakt"].why.code) == ("email", "why-values")


def test_a_full_name_is_to_be_split_only_where_the_contract_has_none() -> None:
    (one,) = mapping.propose(["Full Name"], None, SEA)
    assert (one.field, one.split) == ("first_name", True)
    (one,) = mapping.propose(["姓名"], None, PLAT)
    assert (one.field, one.split) == ("full_name", False)


def test_own_fields_are_proposed_by_their_key() -> None:
    assert fields("customize_1_14") == {"customize_1_14": "customize_1_14"}


def test_a_recognised_export_is_proposed_as_its_mapping_says() -> None:
    found = {
        one.column: one
        for one in mapping.propose(["Name", "CountryCode", "Phone", "AllowBroadcast"], None, SEA)
    }
    assert [one.field for one in found.values()] == ["first_name", "whats_app_phone", "whats_app_phone", None]
    assert "wati" in found["Phone"].reason


CELLS = {
    "姓名": ["张三", "欧阳娜娜"],
    "Mobile": ["13812345678", "13812345679"],
    "Código": ["55", "55"],
    "Born": ["5/7/1990", "6/7/1990"],
    "Date of birth": ["5/7/1990", "6/7/1990"],
    "Sex": ["1", "2"],
    "Tags": ["a;b", "c"],
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_suggestion_is_a_mapping_with_reasons_and_open_questions_as_comments(lang: str) -> None:
    text = suggest_toml.mapping_text(list(CELLS), chunk(CELLS).frame, SEA, lang=lang)
    found = mapping.load_text(text)
    assert found.name_rule == "chinese"
    assert found.fields["first_name"].split == "姓名"
    assert found.fields["tagStr"].separators == (";", *tags.USUAL_SEPARATORS)
    for commented in (
        '# region = "XX"',
        '# formats = ["dd/MM/yyyy"]',
        '# values = { 1 = "male or female"',
        '#   "Born"',
    ):
        assert commented in text
    assert "95%" in text
    assert suggest_toml.mapping_text(list(CELLS), chunk(CELLS).frame, SEA, lang=lang) == text
    mapping.bind(found, list(CELLS), SEA)


def test_a_suggestion_names_the_required_fields_that_nothing_feeds() -> None:
    text = suggest_toml.mapping_text(["Mobile"], None, SEA)
    assert "# [fields.first_name]" in text
    assert "# [fields.last_name]" in text


def test_dialling_codes_beside_phones_are_joined_to_them() -> None:
    cells = {"Name": ["A B"], "Country Code": ["91"], "Phone": ["9876543210"]}
    assert 'country_code = "Country Code"' in suggest_toml.mapping_text(list(cells), chunk(cells).frame, SEA)
    cells["Country Code"] = ["US"]
    assert "\ncountry_code" not in suggest_toml.mapping_text(list(cells), chunk(cells).frame, SEA)


def test_a_suggestion_for_a_recognised_export_is_its_ready_made_mapping() -> None:
    header = ["Name", "CountryCode", "Phone", "AllowBroadcast"]
    found = mapping.load_text(suggest_toml.mapping_text(header, None, SEA))
    assert found.fields == mapping.load("wati").fields


anything = st.text(st.characters(codec="utf-8"), max_size=12)


@given(
    st.lists(
        st.one_of(anything, st.sampled_from(["Name", "Phone", "Tên", "E-mail"])), unique=True, max_size=6
    )
)
def test_any_header_gets_a_proposal_for_each_column_and_a_readable_suggestion(header: list[str]) -> None:
    found = mapping.propose(header, None, SEA)
    assert [one.column for one in found] == header
    taken = [one.field for one in found if one.taken]
    assert len(taken) == len(set(taken))
    assert all(0 <= one.confidence <= 1 and one.reason for one in found)
    mapping.load_text(suggest_toml.mapping_text(header, None, SEA))


def test_no_field_of_a_known_export_is_proposed_wrongly() -> None:
    found = matching_quality.count(list(matching_quality.marks(ready_made=True)))
    assert found["wrong"] == 0
    assert found["right"] >= 222


def test_each_of_several_sheets_has_its_own_column_of_a_field() -> None:
    sheets = (("Name", "Mobile"), ("Name", "Phone", "Cell"), ("First Name", "Surname", "Phone"))
    header = tuple(dict.fromkeys(name for sheet in sheets for name in sheet))
    found = {one.column: one for one in mapping.propose(header, None, SEA, sheets=sheets)}
    taken = {name: one.field for name, one in found.items() if one.taken}
    # Names to be split and names that are split cannot be told apart by column in one mapping.
    assert taken == {"Name": "first_name", "Mobile": "sms_phone", "Cell": "sms_phone"}
    text = suggest_toml.mapping_text(header, None, SEA, sheets=sheets)
    assert mapping.load_text(text).fields["sms_phone"].source == ("Mobile", "Cell")
    assert mapping.propose(header, None, SEA, sheets=sheets[:1]) == mapping.propose(header, None, SEA)


PHONES = ("+86 138 1234 5678", "8613912345678", "", "(775) 555-0154", "1 415 555 2671")


@pytest.mark.parametrize(
    "cells",
    [
        PHONES,
        ("13812345678", "139 1234 5678"),
        ("５２５５１２３４５６７８",),
        ("6281234567890", "+55 11 91234-5678"),
    ],
)
def test_phones_below_a_name_that_says_nothing_are_proposed(cells: Sequence[str]) -> None:
    found = proposed({"kontakt": list(cells)})["kontakt"]
    assert (found.field, found.confidence, found.taken) == ("sms_phone", 0.65, True)
    assert found.why.code == "why-values"


@pytest.mark.parametrize(
    "cells",
    [
        ("1990-01-02", "2001/3/4"),
        ("20260102", "20260103"),
        ("1690000000", "1700000001"),
        ("1690000000000", "1700000000001"),
        ("4111 1111 1111 1111",),
        ("123-45-6789", "987-65-4321"),
        ("100001", "100002", "100003"),
        ("2026000123", "2026000124"),
        ("12.50", "1,200.00"),
        ("+86 13812345678", "see notes"),
        ("", ""),
    ],
)
def test_other_numbers_are_no_phones(cells: Sequence[str]) -> None:
    assert proposed({"feld": list(cells)})["feld"].field in (None, "birthday")


def test_phones_by_content_yield_to_a_column_called_so_and_to_doubt() -> None:
    found = proposed({"kontakt": list(PHONES), "Mobile": list(PHONES)})
    assert (found["kontakt"].field, found["Mobile"].field) == (None, "sms_phone")
    found = proposed({"kontakt": list(PHONES), "kontakt 2": list(PHONES)})
    assert not any(one.taken for one in found.values())
    assert found["kontakt"].field == "sms_phone"
    for name in ("Fax no.", "公司电话2", "Emergency", "Company (HQ)"):
        assert not proposed({name: list(PHONES)})[name].taken


def test_dates_that_look_like_birthdays_are_only_mentioned() -> None:
    found = proposed({"xdat": ["25/12/1990", "1985-03-04", "1.2.2001"]})["xdat"]
    assert (found.field, found.taken) == ("birthday", False)
    text = suggest_toml.mapping_text(["xdat"], chunk({"xdat": ["25/12/1990"]}).frame, SEA)
    assert '# from = "xdat"' in text
    for name, cells in (("xdat", ["2024-01-02", "2025-03-04"]), ("Created on", ["1990-01-02"])):
        assert proposed({name: cells})[name].field is None


@pytest.mark.parametrize(
    ("header", "cells", "rule"),
    [
        ("ФИО", ["Иванов Иван Иванович", "Петрова Анна"], "family-first"),
        ("Name, Vorname", ["Müller Jürgen", "Groß Anna"], "family-first"),
        ("客户姓名", ["王小明", "李女士", "刘德华（老板）", "赵 敏"], "chinese"),
        ("Full Name", ["Ann Lee", "Bo Ek"], "last-word"),
    ],
)
def test_the_rule_for_full_names_is_that_of_the_header_or_of_most_cells(
    header: str, cells: list[str], rule: str
) -> None:
    columns = {header: cells, "Phone": ["+8613800000001", "+8613800000002", "", ""][: len(cells)]}
    text = suggest_toml.mapping_text(list(columns), chunk(columns).frame, SEA)
    assert f'name_rule = "{rule}"' in text


@pytest.mark.parametrize(
    ("columns", "region"),
    [
        ({"Nome completo": ["Ana da Luz"] * 2, "Celular": ["(11) 98765-4321", "21 99876-5432"]}, "BR"),
        ({"Vorname": ["A", "B"], "Nachname": ["C", "D"], "Handy": ["0171 2345678", "0160/1234567"]}, "DE"),
        ({"客户姓名": ["张三", "李四"], "客户手机": ["13800138000", "13900139000"]}, "CN"),
        (
            {"First Name": ["A"] * 2, "Last Name": ["B"] * 2, "Mobile": ["0171 2345678", "+491712345679"]},
            "DE",
        ),
        (
            {"First Name": ["A"] * 2, "Last Name": ["B"] * 2, "Mobile": ["0171 2345678", "+8613800138000"]},
            "XX",
        ),
        ({"First Name": ["A"] * 2, "Last Name": ["B"] * 2, "Mobile": ["0171 2345678"] * 2}, "XX"),
    ],
)
def test_the_country_of_phones_is_the_one_that_the_file_makes_likely_or_none(
    columns: dict[str, list[str]], region: str
) -> None:
    text = suggest_toml.mapping_text(list(columns), chunk(columns).frame, SEA)
    assert f'# region = "{region}"' in text
    assert ("numbers of" in text) is (region != "XX")


def test_a_country_and_how_the_file_was_read_are_kept() -> None:
    columns = {
        "First Name": ["Ann"],
        "Last Name": ["Lee"],
        "Mobile": ["0171 2345678"],
        "Land": ["Österreich"],
    }
    options = RunOptions(sheet="Kunden", header_row=3, encoding="cp1252")
    text = suggest_toml.mapping_text(list(columns), chunk(columns).frame, SEA, options=options, country="DE")
    found = loader.load_text(text)
    assert found.read is not None
    assert found.read.table() == {
        "sheet": "Kunden",
        "header_row": 3,
        "encoding": "cp1252",
    }
    assert 'region = { from = "Land", default = "DE" }' in text
    assert found.digest == loader.load_text(text.replace("header_row = 3", "header_row = 4")).digest


def test_words_for_nothing_are_no_evidence_against_a_column() -> None:
    cells = ["a@x.example", "nao tem", "N/D", "NULL", ""]
    found = proposed({"First Name": ["Ann"] * 5, "Last Name": ["Lee"] * 5, "E-mail": cells})["E-mail"]
    assert (found.field, found.taken) == ("email", True)


@pytest.mark.parametrize("mark", [";", "|", "；"])
def test_a_mark_of_one_cell_does_not_keep_the_usual_ones_from_separating(mark: str) -> None:
    cells = {
        "名": ["芳"] * 3,
        "姓": ["王"] * 3,
        "备用栏X": ["?"] * 3,
        "标签": ["少糖、去冰", f"老客{mark}送礼", "a，b"],
    }
    read = chunk(cells)
    found = mapping.load_text(suggest_toml.mapping_text(list(cells), read.frame, SEA))
    mapped = mapping.bind(found, list(cells), SEA, read_column=lambda name: iter([read.frame[name]])).map(
        read
    )
    assert values(mapped, "tagStr") == ["少糖,去冰", "老客,送礼", "a,b"]


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["Schulze, Kurt", "Kurt Schulze", "Dr. Peter Voß"], "last-word"),
        (["Kurt Schulze", "Anna von der Heide"], "last-word"),
        (["Schulze, Kurt", "von der Heide, Anna", "Peter Voß"], "comma"),
        (["Schulze Kurt", "von der Heide Anna"], "family-first"),
        (["王芳", "李雷"], "chinese"),
    ],
)
def test_cells_below_a_header_with_a_comma_decide_how_names_are_split(names: list[str], rule: str) -> None:
    cells = {"Name, Vorname": names, "Handy": ["+4915112345678"] * len(names)}
    text = suggest_toml.mapping_text(list(cells), chunk(cells).frame, SEA)
    assert mapping.load_text(text).name_rule == rule


def test_a_column_of_row_numbers_is_no_last_name_whatever_it_is_called() -> None:
    cells = {
        "S/N": ["1", "2", "3"],
        "NAME": ["Olumide Adebayo", "Ngozi Okafor", "Emeka Eze"],
        "PHONE NUMBER": ["08031234098", "08031234099", "08031234101"],
    }
    found = {one.column: one for one in mapping.propose(list(cells), chunk(cells).frame, SEA)}
    assert not found["S/N"].taken
    assert found["NAME"].split


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("ФИО клиента", ["Смирнова Ольга", "Ли Анна"]),
        ("Клиент", ["Смирнова Ольга Ивановна", "Смирнов Олег Петрович", "Ли Анна"]),
        ("Nom et prénom de l'enfant", ["Martin Léa"]),
    ],
)
def test_the_family_name_is_first_below_headers_that_say_so_and_before_patronymics(
    header: str, names: list[str]
) -> None:
    cells = {header: names, "Phone": ["+79123456098"] * len(names)}
    text = suggest_toml.mapping_text(list(cells), chunk(cells).frame, SEA)
    assert 'name_rule = "family-first"' in text
