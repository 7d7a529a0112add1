"""Columns of exports that nobody has prepared for: labels, qualifiers, rivals, whole headers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import mapping
from importer.mapping import vocabulary
from importer.mapping.assignment import assign
from importer.mapping.base import packaged_index
from importer.mapping.proposals import Proposal
from tests.bench import unprepared
from tests.support.mapping import SEA, chunk


def proposed(cells: Mapping[str, Sequence[str]]) -> dict[str, Proposal]:
    return {one.column: one for one in mapping.propose(list(cells), chunk(cells).frame, SEA)}


def taken(*header: str) -> dict[str, str | None]:
    return {one.column: one.field for one in mapping.propose(header, None, SEA) if one.taken}


@pytest.mark.parametrize("file", unprepared.FILES)
def test_no_column_of_an_unprepared_export_goes_wrong_and_few_stay_open(file: str) -> None:
    columns = unprepared.judged(file)
    found = unprepared.count(columns)
    assert found["wrong"] == 0
    assert found["right"] >= 0.97 * (found["right"] + found["open"])
    others = [verdict for _, verdict in unprepared.left_out(columns)]
    assert others.count("wrong") == 0


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Legal Name - First", "first_name"),
        ("住家電話", "sms_phone"),
        ("室內電話", "sms_phone"),
        ("流動電話", "sms_phone"),
        ("固定電話", "sms_phone"),
        ("携帯メール", "email"),
        ("Festnetz", "sms_phone"),
        ("Hemtelefon", "sms_phone"),
        ("Data urodz.", "birthday"),
        ("phone_1", "sms_phone"),
        ("billingEmail", "email"),
        ("AddressLine1", "address"),
        ("住所１", "address"),
        ("Privat: Adresse", "address"),
        ("Téléphone (domicile)", "sms_phone"),
        ("本人・電話番号", "sms_phone"),
        ("What is your e-mail address?", "email"),
        ("Tel.-Nr.", "sms_phone"),
        ("dob", "birthday"),
        ("Rechnungsadresse Telefon", "sms_phone"),
        ("मोबाइल नंबर", "sms_phone"),
        ("Birthday (yyyy-mm-dd)", "birthday"),
        ("Κινητό τηλέφωνο", "sms_phone"),
        ("תאריך לידה", "birthday"),
        ("Broj mobitela", "sms_phone"),
        ("Telefónne číslo", "sms_phone"),
        ("Дата на раждане", "birthday"),
        ("Nr. de telefon", "sms_phone"),
    ],
)
def test_a_header_is_a_label_and_what_stands_around_it(header: str, field: str) -> None:
    assert taken("xyz", header)[header] == field


@pytest.mark.parametrize(
    "header",
    [
        "Customer_Address_ID", "Customer Field", "负责人邮箱", "备注名", "Owner Email",
        "Emergency Contact Phone",
        "Company Name", "Email Opt Out", "Phone Type", "Birth City", "Spouse Birthday", "Attendee #",
        "性別コード", "氏名カナ", "Geburtsort", "Nom de jeune fille", "家庭名", "Address 2", "Phone 2",
        "Last Service", "LINE名",
        "tagline",
    ],
)  # fmt: skip
def test_a_word_that_changes_the_meaning_is_never_dropped(header: str) -> None:
    assert taken("xyz", header) == {}


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Support Email", ["ann@corp.example", "bob@corp.example", "eve@corp.example"]),
        ("Tenant Support Phone", ["+49 171 2233445", "+33 6 12 34 56 78", "+34 612 345 678"]),
        ("Toll Free", ["+49 171 2233445", "+33 6 12 34 56 78", "+34 612 345 678"]),
        ("DID Number", ["+49 171 2233445", "+33 6 12 34 56 78", "+34 612 345 678"]),
        ("SIM Number", ["+49 171 2233445", "+33 6 12 34 56 78", "+34 612 345 678"]),
        ("E-mail opiekuna klienta", ["ola@corp.example", "iza@corp.example", "jan@corp.example"]),
        ("Issuing Country", ["Germany", "France", "Poland"]),
        ("宝宝生日", ["2022-03-12", "2023-07-08", "2021-12-30"]),
        ("Langue", ["FR", "FR", "FR"]),
        ("Membership Name", ["Unlimited", "Trial", "Family"]),
        ("Household Name", ["Grant Household", "Grant Household", "Hale Household"]),
        ("Adresse valide", ["Oui", "Non", "Oui"]),
        ("Cliente", ["Sí", "Sí", "No"]),
        ("Interested In", ["male", "female", "male"]),
        ("Note Number", ["100234", "100235", "100236"]),
        ("Preferred Contact", ["email", "phone", "sms"]),
    ],
)
def test_what_is_not_the_customer_s_stays_out_where_nothing_else_competes(
    header: str, cells: list[str]
) -> None:
    assert not proposed({header: cells})[header].taken


def test_a_contact_person_is_somebody_else_beside_the_customer_s_own_name() -> None:
    columns = {
        "姓名": ["陳怡君", "黃志明", "吳佩玲"],
        "聯絡人": ["陳大文", "王小美", "吳先生"],
        "聯絡人電話": ["0922-111-222", "0955-333-444", "0966-777-888"],
    }
    found = proposed(columns)
    assert found["姓名"].taken
    assert not found["聯絡人"].taken
    assert found["聯絡人電話"].field == "sms_phone"
    assert found["聯絡人電話"].why.code == "why-contact-person"
    found = proposed({**columns, "住家電話": ["", "04-2222-3333", ""]})
    assert found["住家電話"].taken
    assert not found["聯絡人電話"].taken


def test_the_contact_person_of_a_company_is_the_customer() -> None:
    found = proposed(
        {
            "客户名称": ["市第一中学", "县人民医院", "华星科技有限公司"],
            "联系人": ["张伟", "王芳", "刘洋"],
            "联系人电话": ["13800138000", "13800138001", "13800138002"],
        }
    )
    assert found["联系人"].taken
    assert not found["客户名称"].taken
    assert found["联系人电话"].why.code != "why-contact-person"


def test_the_contact_person_s_names_are_nobody_s_beside_the_customer_s_own() -> None:
    found = proposed(
        {
            "Roepnaam": ["Daan", "Lotte", "Yasmina"],
            "Achternaam": ["Vermeer", "Haan", "Idrissi"],
            "Voornaam contactpersoon": ["Els", "Marjan", "Karin"],
            "Achternaam contactpersoon": ["Vermeer", "Wolters", "Smit"],
        }
    )
    assert [one.column for one in found.values() if one.taken] == ["Roepnaam", "Achternaam"]


def test_what_is_the_same_in_all_rows_beside_names_that_differ_is_no_customer_s() -> None:
    names = {"First name": ["Ann", "Bo", "Cy"], "Last name": ["Lee", "Ek", "Ray"]}
    assert not proposed({**names, "E-mail": ["office@school.example"] * 3})["E-mail"].taken
    assert proposed({**names, "E-mail": ["a@b.example", "office@school.example", ""]})["E-mail"].taken
    one = {"First name": ["Ann"] * 3, "Last name": ["Lee"] * 3, "E-mail": ["ann@lee.example"] * 3}
    assert all(found.taken for found in proposed(one).values())


def test_people_who_are_no_companies_are_customers_where_rows_have_a_company() -> None:
    assert taken("Company ID", "Guest Name", "E-mail").keys() == {"Guest Name", "E-mail"}
    assert taken("Company ID", "Name", "Gender", "Birthday").keys() == {"Name", "Gender", "Birthday"}
    assert taken("Company ID", "Name", "E-mail").keys() == {"E-mail"}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Patient Tag", "tagStr"),  # a member in Hungarian
        ("Kraj pobytu", "country"),  # a place in Slovenian
        ("Registered Mobile No", "sms_phone"),
        ("登録メール", "email"),
        ("Email client", "email"),  # the customer's in French
        ("Adres do korespondencji", "address"),
    ],
)
def test_a_word_of_another_language_does_not_change_a_label(header: str, field: str) -> None:
    assert taken(header) == {header: field}


@pytest.mark.parametrize(
    "header",
    [
        ("Vardas", "Pavardė", "Gimimo data", "Lytis", "El. paštas", "Mobilusis telefonas", "Komentaras"),
        ("Vārds", "Uzvārds", "Dzimšanas datums", "Dzimums", "E-pasts", "Tālruņa numurs", "Piezīmes"),
        ("Eesnimi", "Perekonnanimi", "Sünniaeg", "Sugu", "E-posti aadress", "Mobiiltelefon", "Märkused"),
        ("Nom", "Cognoms", "Data de naixement", "Sexe", "Correu electrònic", "Telèfon mòbil", "Observacions"),
        ("Ad", "Soyad", "Doğum tarixi", "Cinsiyyət", "E-poçt", "Mobil nömrə", "Qeydlər"),
        ("სახელი", "გვარი", "დაბადების თარიღი", "სქესი", "ელ. ფოსტა", "მობილურის ნომერი", "შენიშვნა"),
        ("Име", "Презиме", "Датум рођења", "Пол", "Имејл", "Мобилни телефон", "Напомена"),
        ("Keresztneve", "Vezetékneve", "Szül. dátum", "Neme", "E-mail címe", "Telefonszáma", "Megj."),
    ],
)
def test_people_s_columns_are_known_in_smaller_languages_too(header: tuple[str, ...]) -> None:
    fields = ("first_name", "last_name", "birthday", "gender", "email", "sms_phone", "remark")
    assert taken(*header) == dict(zip(header, fields, strict=True))


@pytest.mark.parametrize(
    "others",
    [
        ("Telefon lékaře", "Jméno manželky", "Rodné číslo", "Město"),
        ("Munkatárs telefonszáma", "Anyja neve", "Születési hely", "Cégnév"),
        ("Телефон менеджера", "Ім’я дружини", "Місце народження", "По батькові"),
        ("Puhelin työntekijä", "Puolison nimi", "Syntymävuosi", "Postinumero"),
        ("Τηλέφωνο προπονητή", "Πατρώνυμο", "Έτος γέννησης", "Πόλη"),
        ("Telefon agent", "Nume soție", "Locul nașterii", "Județ"),
        ("טלפון המורה", "שם החברה", "מקום לידה", "תעודת זהות"),
        ("تلفن پزشک", "نام پدر", "محل تولد", "کد ملی"),
    ],
)
def test_what_is_not_the_customer_s_stays_out_in_smaller_languages_too(others: tuple[str, ...]) -> None:
    assert taken(*others) == {}


def test_the_loser_and_the_winner_are_named() -> None:
    found = proposed({"Telefon privat": ["030 12345"], "Handy": ["0171 2345678"], "E-Mail": ["a@b.de"]})
    assert found["Handy"].field == "sms_phone"
    assert found["Handy"].rivals == ("Telefon privat",)
    assert "“Handy”" in found["Telefon privat"].reason


def test_a_filled_column_comes_before_an_empty_one() -> None:
    found = proposed({"email_home": ["", "", "c@d.org"], "email_work": ["a@b.org", "b@b.org", "c@b.org"]})
    assert found["email_work"].taken
    assert not found["email_home"].taken


def test_a_guardian_s_phone_is_taken_only_without_another_and_says_so() -> None:
    found = proposed({"姓名": ["王芳"], "家长电话": ["13812345678"]})
    assert (found["家长电话"].field, found["家长电话"].why.code) == ("sms_phone", "why-guardian")
    found = proposed({"姓名": ["王芳"], "家长电话": ["13812345678"], "手机": ["13912345678"]})
    assert (found["家长电话"].taken, found["手机"].field) == (False, "sms_phone")


def test_beside_a_guardian_s_columns_the_customer_s_own_come_first_whatever_they_are_numbered() -> None:
    header = ("Cell 1 /madre", "Cell 2/padre", "Cell 3/ allievo", "Mail 1", "Mail allievo")
    assert taken("Cognome", "Nome", *header) == {
        "Cognome": "last_name", "Nome": "first_name", "Cell 3/ allievo": "sms_phone", "Mail allievo": "email",
    }  # fmt: skip


def test_a_guardian_s_phone_is_not_taken_beside_one_of_which_nobody_knows_whose_it_is() -> None:
    assert taken("Name", "Zorbian phone", "Mother's phone").keys() == {"Name"}


@pytest.mark.parametrize(
    ("header", "own"),
    [
        (("Ime i prezime", "Telefon roditelja", "Telefon"), "Telefon"),
        (("Jméno žáka", "Telefon matky", "Mobil žáka"), "Mobil žáka"),
        (("Ονοματεπώνυμο", "Τηλέφωνο Γονέα", "Τηλέφωνο Μαθητή"), "Τηλέφωνο Μαθητή"),
        (("Tanuló neve", "Anyja telefonszáma", "Tanuló telefonszáma"), "Tanuló telefonszáma"),
        (("שם התלמיד", "טלפון הורה", "טלפון התלמיד"), "טלפון התלמיד"),
        (("Nume elev", "Telefon părinte", "Telefon elev"), "Telefon elev"),
        (("Oppilaan nimi", "Huoltajan puhelin", "Oppilaan puhelin"), "Oppilaan puhelin"),
    ],
)
def test_a_parent_s_phone_gives_way_in_every_language(header: tuple[str, ...], own: str) -> None:
    found = taken(*header)
    assert found[own] == "sms_phone"
    assert len(found) == 2


@pytest.mark.parametrize(
    "header",
    [
        "Ime oca",
        "Jméno firmy",
        "Όνομα πατρός",
        "Anyja neve",
        "שם האב",
        "Nume firmă",
        "Äidin nimi",
        "নমিনির নাম",
        "نام پدر",
    ],
)
def test_a_name_of_somebody_else_is_no_customer_s_in_any_language(header: str) -> None:
    assert header not in taken(header, "E-mail", "Telefon")


def test_what_a_database_puts_before_each_column_says_nothing_unless_it_is_a_word() -> None:
    header = ("KU_NUM", "KU_VORNAME", "KU_NACHNAME", "KU_STRASSE", "KU_ORT", "KU_EMAIL")
    assert taken(*header) == {
        "KU_VORNAME": "first_name", "KU_NACHNAME": "last_name", "KU_STRASSE": "address", "KU_EMAIL": "email",
    }  # fmt: skip
    assert "KU_STRASSE" not in taken("KU_STRASSE", "Name", "Telefon", "Ort")
    assert taken("father_name", "father_phone", "father_email", "father_job").keys() <= {
        "father_phone",
        "father_email",
    }


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (("Vorname", "Name"), "last_name"),
        (("Cognome", "Nome"), "first_name"),
        (("Nom", "Téléphone"), "first_name"),
        (("注文者姓", "注文者名"), "last_name"),
    ],
)
def test_a_short_name_is_what_its_neighbours_leave(header: tuple[str, str], field: str) -> None:
    name = "Nom" if "Nom" in header else header[1]
    assert taken(*header)[name] == field


def test_a_word_means_what_it_means_in_the_language_of_the_file() -> None:
    assert taken("Nome", "Telefone", "CEP").keys() == {"Nome", "Telefone"}
    assert taken("Ad Soyad", "Cep", "Ülke")["Cep"] == "sms_phone"


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Farmer Name", ["Baldev Ram", "Laxmi Devi", "Gurpreet Singh"]),
        ("Nama Petani", ["Budi Santoso", "Siti Aminah", "Agus Salim"]),
        ("农户姓名", ["王建国", "李秀英", "张伟"]),
    ],
)
def test_a_farmer_is_a_customer_also_beside_a_company(header: str, cells: list[str]) -> None:
    found = proposed(
        {header: cells, "Company": ["Bayer", "Corteva", "Syngenta"], "Farm Name": ["A", "B", "C"]}
    )
    assert (found[header].taken, found[header].split) == (True, True)
    assert found["Farm Name"].field is None


def test_cells_decide_where_a_name_may_mean_several_things() -> None:
    companies = ["华宇科技有限公司", "申联机械厂", "Bluefin GmbH"]
    assert not proposed({"客户名称": companies, "联系人": ["陈伟", "林静", "周明"]})["客户名称"].taken
    assert not proposed({"CPF": ["39053344705", "12345678909", "98765432100"]})["CPF"].taken
    assert proposed({"phone_number": ["p:+14155550132", "p:+12125550187"]})["phone_number"].taken
    assert proposed({"Country Code": ["US", "GB"]})["Country Code"].field == "country"
    assert not proposed({"Country Code": ["1", "44"]})["Country Code"].taken


def test_an_unlisted_person_is_the_customer_only_where_the_header_has_no_other() -> None:
    assert taken("Zorbian name", "Zorbian e-mail", "City").keys() == {"Zorbian name", "Zorbian e-mail"}
    assert taken("Zorbian first name", "Zorbian last name", "Phone").keys() == {
        "Zorbian first name", "Zorbian last name", "Phone",
    }  # fmt: skip
    assert taken("Name", "Zorbian name", "Zorbian e-mail").keys() == {"Name"}
    assert taken("Zorbian e-mail", "Zorbian note") == {}


def test_in_a_list_of_animals_the_owner_is_the_customer() -> None:
    header = ("Pet Name", "Breed", "Date of birth", "Owner name", "Owner phone")
    assert taken(*header).keys() == {"Owner name", "Owner phone"}
    assert taken("Name", "Owner phone") == {"Name": "first_name"}


def test_in_a_list_of_children_and_parents_the_child_is_the_customer() -> None:
    header = ("Child first name", "Child last name", "Child birthday", "Mother name", "Mother phone")
    assert taken(*header) == {
        "Child first name": "first_name",
        "Child last name": "last_name",
        "Child birthday": "birthday",
        "Mother phone": "sms_phone",
    }
    assert taken("First name", "Last name", "Child birthday", "Mother phone").keys() == {
        "First name", "Last name", "Mother phone",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("參加人電話", "sms_phone"),
        ("البريد الإلكتروني للطالب", "email"),
        ("Uczestnik - imię", "first_name"),
        ("Teléfono con lada", "sms_phone"),
        ("Domicilio de entrega", "address"),
        ("foedselsdato", "birthday"),
        ("koen", "gender"),
        ("Strasse des Schuelers", "address"),
        ("Τηλέφωνο Μαθητή", "sms_phone"),
        ("Teilnehmer*in Telefon", "sms_phone"),
        ("Téléphone du/de la client(e)", "sms_phone"),
        ("Teléfono del/la alumno/a", "sms_phone"),
        ("Τηλέφωνο μαθητή/τριας", "sms_phone"),
        ("Дата рождения ученика/ученицы", "birthday"),
        ("Telefonní číslo účastníka", "sms_phone"),
        ("כתובת התלמיד", "address"),
        ("شماره موبايل مشتري", "sms_phone"),
        ("Oppilaan sähköposti", "email"),
        ("E-mail adresa korisnika", "email"),
        ("Data nașterii a elevului", "birthday"),
        ("Дата на раждане на клиента", "birthday"),
        ("Mokinio gimimo data", "birthday"),
        ("Pacienta tālrunis", "sms_phone"),
        ("রোগীর মোবাইল নম্বর", "sms_phone"),
        ("Farmer's Mobile", "sms_phone"),
        ("Date de naissance de l'agriculteur", "birthday"),
        ("Nomor HP Petani", "sms_phone"),
        ("Address and City", "address"),
        ("Adresse und Ort", "address"),
    ],
)
def test_a_word_is_known_in_other_forms_and_scripts(header: str, field: str) -> None:
    assert taken("xyz", header)[header] == field


def test_a_word_of_another_language_is_no_slip_of_the_pen() -> None:
    assert "Direction" not in taken("Nom", "Prénom", "Direction", "Téléphone")
    assert taken("Nombre", "Teléfono", "Direcion", "Ciudad")["Direcion"] == "address"


@pytest.mark.parametrize(
    ("header", "cell"), [("Contact", "77 123 45 6"), ("Kontak", "0812345678"), ("Контакт", "89161234")]
)
def test_below_a_contact_are_names_or_phones_as_the_cells_say(header: str, cell: str) -> None:
    phones = proposed({"Nom": ["Awa Ba", "Bo Ek", "Cy Day"], header: [f"{cell}{end}" for end in "123"]})
    assert phones[header].field == "sms_phone"
    names = proposed({"Company": ["A Ltd", "B Ltd", "C Ltd"], header: ["Awa Ba", "Bo Ek", "Cy Day"]})
    assert names[header].split


@pytest.mark.parametrize("cell", ["10023", "2024-01-0", "2024010", "003Ab0000123456", "-"])
def test_other_numbers_below_a_contact_are_no_phones(cell: str) -> None:
    found = proposed({"Nom": ["Awa Ba", "Bo Ek", "Cy Day"], "Contact": [f"{cell}{end}" for end in "123"]})
    assert found["Contact"].field is None


@pytest.mark.parametrize(
    "cells", [("男", "女", "女"), ("male", "female", "female"), ("Herr", "Frau", "Frau")]
)
def test_words_for_a_gender_count_whatever_the_column_is_called(cells: list[str]) -> None:
    found = proposed({"x": cells, "y": ["Spain", "Spain", "France"], "z": ["M", "F", "F"]})
    assert (found["x"].field, found["x"].taken) == ("gender", True)
    assert (found["y"].field, found["y"].taken) == ("country", False)
    assert found["z"].field is None


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (("名字", "电话"), ("first_name", "sms_phone")),
        (("姓氏", "名字"), ("first_name", "last_name")),
        (("联系人（姓）", "联系人（名）"), ("first_name", "last_name")),
    ],
)
def test_a_chinese_name_is_whole_unless_a_column_has_its_other_part(
    header: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    assert tuple(taken(*header).values()) == fields


def test_the_category_of_a_booking_is_no_tag_of_the_customer() -> None:
    assert taken("Name", "Phone", "Category")["Category"] == "tagStr"
    assert "Category" not in taken("Name", "Phone", "Category", "Room Number")


def test_a_name_in_the_letters_of_the_file_is_taken_before_its_transcription() -> None:
    header = ("ชื่อ", "นามสกุล", "Name", "Last Name", "เบอร์โทร")
    found = taken(*header)
    assert (found["ชื่อ"], found["นามสกุล"]) == ("first_name", "last_name")
    assert found.keys().isdisjoint({"Name", "Last Name"})


def test_numbers_of_rows_are_no_genders() -> None:
    assert not proposed({"L/P": ["1", "2", "3"]})["L/P"].taken
    assert proposed({"L/P": ["1", "2", "2", "1"]})["L/P"].taken


def test_a_home_is_preferred_to_the_registered_address() -> None:
    found = proposed({"Адрес регистрации": ["Тула"], "Фактический адрес (проживания)": ["Москва"]})
    assert found["Фактический адрес (проживания)"].rivals == ("Адрес регистрации",)


def test_names_of_countries_speak_for_a_column_and_other_words_against_it() -> None:
    assert proposed({"Wohnland des Gastes": ["Schweiz", "Österreich", "Italia"]})["Wohnland des Gastes"].taken
    assert not proposed({"Land": ["Bayern", "Hessen", "Sachsen"]})["Land"].taken
    found = proposed({"Zorbian": ["Deutschland", "France", "日本"]})["Zorbian"]
    assert (found.field, found.taken) == ("country", False)


@pytest.mark.parametrize(
    ("header", "cells", "field"),
    [
        ("phone_number", ["p:+14155550132", "p:+12125550187", "p:+447700900123"], "sms_phone"),
        (
            "Fecha de nacimiento",
            ["1 de marzo de 1990", "2 de abril de 1985", "3 de mayo de 2000"],
            "birthday",
        ),
        ("Пол", ["жен", "муж", "жен"], "gender"),
        ("Gender", ["laki-laki", "perempuan", "perempuan"], "gender"),
        ("Zorbian", ["ann@example.com", "bo@example.com", "cy@example.com"], "email"),
        ("2、您的手机", ["13800000001", "13900000002", "13700000003"], "sms_phone"),
        ("收件人手机", ["13800000001", "13900000002", "13700000003"], "sms_phone"),
    ],
)
def test_three_rows_are_enough(header: str, cells: list[str], field: str) -> None:
    assert proposed({header: cells})[header].field == field
    assert proposed({header: cells})[header].taken


def test_an_ending_for_women_is_no_part_of_another_word() -> None:
    assert "Telefon/e-mail" not in taken("Telefon/e-mail", "Name")
    assert taken("M/F", "Name")["M/F"] == "gender"
    assert "Phone_e" not in taken("Phone_e", "Name")


def test_every_line_of_the_indexes_says_one_thing() -> None:
    for names in (packaged_index("names.json")["names"], packaged_index("phrases.json")["phrases"]):
        for lines in names.values():
            assert all(line.count("|") in (1, 3) for line in lines.split("\n")), lines
    assert taken("GSM številka", "Ime in priimek stranke").keys() == {
        "GSM številka",
        "Ime in priimek stranke",
    }


@given(st.text(max_size=40))
def test_any_header_can_be_read(header: str) -> None:
    found = vocabulary.read(header)
    letters = "".join(vocabulary.words(header))
    assert sum(len(phrase.text) for phrase in found.phrases) <= max(len(letters), 1) or not letters


pairs = st.dictionaries(
    st.tuples(st.integers(0, 3), st.sampled_from("abc")), st.floats(0.01, 1, allow_nan=False), max_size=12
)


@given(pairs)
def test_the_assignment_is_the_best_of_all(weights: dict[tuple[int, str], float]) -> None:
    found = assign(weights)
    assert len(set(found.values())) == len(found)
    fields = sorted({field for _, field in weights})
    best = 0.0
    for columns in itertools.permutations([0, 1, 2, 3, None, None, None], len(fields)):
        pairs_of = [
            (column, field) for column, field in zip(columns, fields, strict=True) if column is not None
        ]
        best = max(best, sum(weights.get(pair, 0.0) for pair in pairs_of))
    assert sum(weights[column, field] for field, column in found.items()) == pytest.approx(best)
