"""Which mapping a header leads to, without a mapping file."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer import mapping
from importer.contracts import Contract
from importer.errors import MappingError
from importer.escaping import shell_command
from importer.mapping import headers, loader, vocabulary
from importer.mapping.base import names_in, packaged_words
from importer.mapping.headers import left_out_note
from importer.messages import LANGUAGES
from tests.support.mapping import PLAT, SEA, chunk, values


def fields(*header: str, contract: Contract = SEA) -> dict[str, str]:
    found = mapping.choose(header, contract).mapping
    return {
        name: rule.source[0]
        for name, rule in found.fields.items()
        if rule.source and rule.source[0] in header
    }


@pytest.mark.parametrize(
    "header",
    [
        ("first_name", "last_name", "sms_phone", "email"),
        ("First Name", "Last Name", "SMS-Phone", "E-MAIL"),
        ("FIRSTNAME", "LAST_NAME", "mobile  phone", "e mail"),
        ("Given name", "Surname", "Mobile", "Email Address"),
        ("姓", "名", "手机号码", "邮箱"),
        ("姓（必填）", "名 (required)", "手机号*", "电子邮箱"),
        ("Nama depan", "Nama belakang", "No HP", "Surel"),
        ("Primer nombre", "Apellidos", "Teléfono", "CORREO ELECTRONICO"),
        ("Primeiro nome", "Sobrenome", "Celular", "E-mail"),
        ("Tên riêng", "Họ", "Số điện thoại", "Thư điện tử"),
    ],
)
def test_headers_are_known_in_any_spelling_and_several_languages(header: tuple[str, ...]) -> None:
    found = fields(*header)
    assert list(found) == ["first_name", "last_name", "sms_phone", "email"]
    assert tuple(found.values()) == header


@pytest.mark.parametrize("header", ["CP", "Ünvan", "Ad", "AE", "POL", "Gate", "Numéro", "Презиме", "Nem"])
def test_a_word_of_another_meaning_elsewhere_is_not_taken_without_asking(header: str) -> None:
    # A postal code, a title, an advertisement, an account executive, a port, a gate, a house number, …
    assert headers.sure_field(header) is None


# Those that were known first, in files of many customers.
_SAID_OTHERWISE = {"cep", "staat", "kraj", "عنوان", "dob", "aniversario", "naissance", "label"}


def test_no_other_label_that_is_taken_without_asking_says_something_else_in_any_language() -> None:
    denied = {
        headers.normalize(name)
        for role in vocabulary.VETO
        for names in packaged_words("qualifiers.toml")[role].values()
        if isinstance(names, str)
        for name in names_in(names)
    }
    seats = {headers.normalize(one.label) for one in headers.all_aliases() if one.field == "belong_seat_user"}
    sure = {headers.normalize(one.label) for one in headers.all_aliases() if one.sure} - seats
    assert sure & denied == {headers.normalize(name) for name in _SAID_OTHERWISE}


def test_chinese_family_and_given_names_go_where_the_vendor_puts_them() -> None:
    assert fields("名", "姓") == {"first_name": "姓", "last_name": "名"}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("WhatsApp", "whats_app_phone"),
        ("国家", "country"),
        ("地址", "address"),
        ("生日", "birthday"),
        ("标签", "tagStr"),
        ("备注", "remark"),
        ("时区", "time_zone"),
        ("性别", "gender"),
        ("归属坐席", "belong_seat_user"),
        ("tagstr", "tagStr"),
        ("Custom Fields", "customize_field"),
        ("Date of Birth", "birthday"),
    ],
)
def test_every_field_has_its_obvious_names(header: str, field: str) -> None:
    assert fields("First Name", "Surname", header)[field] == header


def test_unknown_columns_are_named_and_left_out() -> None:
    choice = mapping.choose(["First Name", "Last Name", "Shoe size", "source"], SEA)
    assert choice.left_out == ("Shoe size", "source")
    assert "“Shoe size”" in left_out_note(choice.left_out)[0].sentence()


def test_two_columns_for_one_field_are_an_error_that_names_both() -> None:
    with pytest.raises(MappingError) as caught:
        mapping.choose(["First Name", "Surname", "Phone", "Mobile"], SEA)
    assert caught.value.code == "mapping-two-columns"
    assert all(word in str(caught.value) for word in ("“Phone”", "“Mobile”", "sms_phone"))


def test_a_missing_required_column_is_an_error_that_lists_the_file_s_columns() -> None:
    with pytest.raises(MappingError) as caught:
        mapping.choose(["First Name", "Email"], SEA)
    assert caught.value.code == "mapping-none-fits"
    assert "last_name" in str(caught.value)
    assert "“Email”" in str(caught.value)


@pytest.fixture
def my_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the names that the tests give, so that a command can name them."""
    monkeypatch.chdir(tmp_path)
    for name in ("my list.csv", "c.csv"):
        Path(name).touch()


@pytest.mark.usefixtures("my_list")
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("header", "column"),
    [(["Nombre", "Apellido"], "Nombre"), (["Name", "Last Name"], "Name"), (["姓", "名字"], "名字")],
)
def test_a_column_that_may_be_a_part_of_the_name_or_all_of_it_is_named(
    header: list[str], column: str, lang: str
) -> None:
    with pytest.raises(MappingError) as caught:
        mapping.choose([*header, "Email"], SEA, file="my list.csv")
    assert caught.value.code == "mapping-name-unclear"
    assert f"“{column}”" in caught.value.sentence(lang)
    command = shell_command(["importer", "mapping", "suggest", "my list.csv", "-o", "mapping.toml"])
    for words in (command, f'from = "{column}"', f'split = "{column}"'):
        assert words in caught.value.hint(lang)


@pytest.mark.usefixtures("my_list")
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("column", ["客户姓名", "Nome completo"])
def test_a_column_of_full_names_is_named_where_its_parts_are_required(column: str, lang: str) -> None:
    with pytest.raises(MappingError) as caught:
        mapping.choose([column, "Email"], SEA, file="c.csv")
    assert caught.value.code == "mapping-full-name"
    assert f"“{column}”" in caught.value.sentence(lang)
    for words in ("importer mapping suggest c.csv -o mapping.toml", "name_rule", "--mapping mapping.toml"):
        assert words in caught.value.hint(lang)


def test_a_column_called_like_an_own_field_s_key_is_packed_into_customize_field() -> None:
    header = ["first_name", "last_name", "customize_1_14"]
    mapper = mapping.bind(mapping.choose(header, SEA).mapping, header, SEA)
    found = mapper.map(chunk({"first_name": ["A"], "last_name": ["B"], "customize_1_14": ["aa"]}))
    assert values(found, "customize_field") == ['{"customize_1_14": "aa"}']


def test_plat_makes_the_full_name_of_first_and_last() -> None:
    header = ["First Name", "Last Name", "Full Name"]
    mapper = mapping.bind(mapping.choose(header, PLAT).mapping, header, PLAT)
    cells = {
        "First Name": ["Ann", "张", "Bo", ""],
        "Last Name": ["Lee", "三", "", ""],
        "Full Name": ["", "", "Bo X", ""],
    }
    assert values(mapper.map(chunk(cells)), "full_name") == ["Ann Lee", "张三", "Bo X", None]
    mapper = mapping.bind(mapping.choose(header[:2], PLAT).mapping, header[:2], PLAT)
    found = mapper.map(chunk({name: cells[name] for name in header[:2]}))
    assert values(found, "full_name") == ["Ann Lee", "张三", "Bo", None]
    assert found.columns["full_name"] == "First Name"
    assert mapping.choose(["First Name", "Email"], PLAT).mapping.fields.keys() == {"first_name", "email"}


def test_plat_takes_the_channels_that_sea_has_not() -> None:
    header = ["First Name", "Last Name", "Viber", "Zalo", "LINE ID", "Instagram", "Messenger"]
    assert set(fields(*header, contract=PLAT)) > {"viber_phone", "zalo", "line", "instagram", "messenger"}
    assert mapping.choose(header, SEA).left_out == tuple(header[2:])


def test_known_names_are_api_names_labels_and_ready_made_headers() -> None:
    for name in ("sms_phone", "手机号（必填）", "Default Address Phone", "MEMBER_RATING", "E-mail 1 - Value"):
        assert mapping.is_known_name(name) is (name != "MEMBER_RATING")
    assert not mapping.is_known_name("")
    assert not mapping.is_known_name("Zhang San")


def test_doubt_is_an_error_that_names_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[match]\nall = ["X"]\n[fields.first_name]\nfrom = "X"'
    matches = {name: [{"all": ["X"]}, ["X"]] for name in "ab"}
    monkeypatch.setattr(headers, "packaged_index", lambda _: {"ready_matches": matches})
    monkeypatch.setattr(loader, "ready_mapping", lambda name: mapping.load_text(text, f"{name}.toml"))
    with pytest.raises(MappingError, match=r"a, b") as caught:
        mapping.choose(["X"], SEA)
    assert caught.value.code == "mapping-doubtful"


def test_nothing_is_said_of_a_header_that_is_used_whole() -> None:
    assert mapping.choose(["First Name", "Last Name"], SEA).notes == ()


def test_columns_that_stand_in_no_sheet_together_are_one_field() -> None:
    sheets = (("First Name", "Last Name", "Mobile"), ("First Name", "Surname", "Phone", "Shoe"))
    header = tuple(dict.fromkeys(name for sheet in sheets for name in sheet))
    found = mapping.choose(header, SEA, sheets=sheets)
    rules = found.mapping.fields
    assert rules["sms_phone"].source == ("Mobile", "Phone")
    assert rules["last_name"].source == ("Last Name", "Surname")
    assert found.left_out == ("Shoe",)
    with pytest.raises(MappingError) as caught:
        mapping.choose(header, SEA, sheets=(*sheets, ("Phone", "Mobile")))
    assert caught.value.code == "mapping-two-columns"
    assert (caught.value.found["one"], caught.value.found["other"]) == ("Mobile", "Phone")


def test_a_name_of_the_mapping_may_be_spelled_differently_in_each_sheet() -> None:
    rules = mapping.load_text(
        '[fields.first_name]\nfrom = "First Name"\n[fields.last_name]\nfrom = "Last"\n'
        '[fields.sms_phone]\nfrom = "Mobile"'
    )
    sheets = (("First Name", "Last", "Mobile"), ("first_name", "Last", "mobile"))
    header = ("First Name", "Last", "Mobile", "first_name", "mobile")
    mapper = mapping.bind(rules, header, SEA, sheets=sheets)
    assert mapper.columns["sms_phone"] == ("Mobile", "mobile")
    assert mapper.columns["first_name"] == ("First Name", "first_name")
    assert mapper.unused == ()
    with pytest.raises(MappingError, match="Mobile"):
        mapping.bind(rules, header, SEA, sheets=(*sheets, ("mobile", "MOBILE")))
