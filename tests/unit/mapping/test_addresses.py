"""Addresses in parts become one, in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from importer import arrow, contracts, mapping
from importer.mapping import addresses
from importer.mapping.addresses import joined_address
from importer.mapping.suggest_toml import mapping_text
from tests.support.mapping import SEA


@pytest.mark.parametrize(
    ("column", "header", "columns", "join"),
    [
        ("Straße", ["Vorname", "Straße", "PLZ", "Ort"], ["Straße", "PLZ", "Ort"], ", "),
        ("Straße", ["PLZ", "Ort", "Straße", "Hausnummer"], ["PLZ", "Ort", "Straße", "Hausnummer"], " "),
        ("Street", ["Street", "City", "State", "Zip"], ["Street", "City", "State", "Zip"], ", "),
        (
            "Mailing Street",
            ["Mailing Street", "Mailing City", "City"],
            ["Mailing Street", "Mailing City"],
            ", ",
        ),
        (
            "番地",
            ["郵便番号", "都道府県", "市区町村", "番地"],
            ["郵便番号", "都道府県", "市区町村", "番地"],
            " ",
        ),
        ("Rua", ["Rua", "Número", "Cidade", "UF", "N°"], ["Rua", "Número", "Cidade", "UF"], " "),
    ],
)
def test_a_street_is_joined_with_its_place(
    column: str, header: Sequence[str], columns: Sequence[str], join: str
) -> None:
    found = joined_address(column, header, {"Vorname"})
    assert found is not None
    assert (list(found.columns), found.join) == (list(columns), join)


@pytest.mark.parametrize(
    ("column", "header"),
    [
        ("Straße", ["Straße", "Telefon"]),
        ("Adresse", ["Adresse", "PLZ", "Ort"]),
        ("Street", ["Street", "Phone", "State"]),
        ("Mailing Street", ["Mailing Street", "City"]),
    ],
)
def test_what_may_be_a_whole_address_or_something_else_is_left_alone(
    column: str, header: Sequence[str]
) -> None:
    assert joined_address(column, header, ()) is None


def proposed(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    return mapping_text(header, pd.DataFrame(rows, columns=list(header)), contracts.load("sea"))


def test_the_cells_tell_whether_an_address_is_whole() -> None:
    header = ["Prénom", "Nom de famille", "Adresse", "Code postal", "Ville"]
    text = proposed([["Jean", "Dupont", "3 rue de la Paix", "75002", "Paris"]], header)
    rule = mapping.load_text(text).fields["address"]
    assert (rule.source, rule.join) == (("Adresse", "Code postal", "Ville"), ", ")
    street = proposed([["Jean", "Dupont", "3 rue de Paris la Neuve", "75002", "Paris"]], header)
    assert len(mapping.load_text(street).fields["address"].source) == 3
    whole = proposed([["Jean", "Dupont", "3 rue de la Paix, 75002 Paris, France", "75002", "Paris"]], header)
    assert mapping.load_text(whole).fields["address"].source == ("Adresse",)


def test_a_column_that_joins_an_address_is_proposed_as_such() -> None:
    header = ["Vorname", "Nachname", "Straße", "PLZ", "Ort"]
    samples = pd.DataFrame([["Uwe", "Ek", "Ring 7", "50667", "Köln"]], columns=header)
    found = mapping.propose(header, samples, SEA)
    assert [one.fed for one in found] == ["first_name", "last_name", "address", "address", "address"]
    assert [one.field for one in found][3:] == [None, None]
    assert all("Straße" in one.why.sentence(lang) for one in found[3:] for lang in ("en", "zh"))


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("12-may", "12/5, 5/12"),
        ("3-ene", "3/1, 1/3"),
        ("5. Mrz", "5/3, 3/5"),
        ("12-May", "12/5, 5/12"),
        ("12/mai", "12/5, 5/12"),
        ("may-26", "26/5, 5/26"),
        ("4月12日", "12/4, 4/12"),
        ("2026-04-12", "12/4, 4/12"),
    ],
)
def test_a_day_as_a_spreadsheet_shows_it_is_no_house_number(text: str, before: str) -> None:
    assert addresses.days(arrow.array([text])).all()
    assert addresses.before_excel(text) == before


@pytest.mark.parametrize(
    "text", ["12-4", "45-may", "12-A", "A-12", "5 de Mayo", "Mayo 5", "5. Etage", "13月12日", ""]
)
def test_other_parts_of_addresses_are_no_days(text: str) -> None:
    assert not addresses.days(arrow.array([text])).any()
