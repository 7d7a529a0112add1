"""Which countries are proposed for phones without a country code, and by what."""

from __future__ import annotations

import pandas as pd
import pytest

from importer.mapping.likely_countries import CountryEvidence, likely_countries

NOTHING = pd.DataFrame({"x": ["a"]})
INDONESIAN = ("0812-1111-2222", "081355556666 / 0812", "081299990000")


@pytest.mark.parametrize(
    ("numbers", "header", "region"),
    [
        (INDONESIAN, "Nama depan", "ID"),
        (("0170 1234567", "030 123456"), "Nachname", "DE"),
        (("0170/1234567", "030/123456"), "Nachname", "DE"),
        (("0664 1234567", "0676 7654321"), "Nachname", "AT"),
        (("13800138000", "13911112222"), "手机号", "CN"),
        (("11 98765-4321", "(21) 2345-6789"), "Sobrenome", "BR"),
    ],
)
def test_the_language_of_the_headers_tells_the_country(
    numbers: tuple[str, ...], header: str, region: str
) -> None:
    first = likely_countries(numbers, pd.DataFrame({header: ["a"]}))[0]
    assert (first.region, first.evidence) == (region, CountryEvidence.HEADER)
    assert first.tried == len(numbers)


def test_other_numbers_of_the_file_tell_more_than_a_browser() -> None:
    frame = pd.DataFrame({"Notes": ["+62 813 3333 4444", "0062 813 3333 4445", "+49 170 1234567"]})
    first = likely_countries(INDONESIAN, frame, tags=["de-DE"])[0]
    assert (first.region, first.evidence, first.seen, first.fits) == ("ID", CountryEvidence.CODED, 2, 3)


def test_a_column_of_countries_tells_it() -> None:
    frame = pd.DataFrame({"Country": ["Indonesia", "ID", "Germany"], "Phone": ["a", "b", "c"]})
    first = likely_countries(INDONESIAN, frame)[0]
    assert (first.region, first.evidence, first.seen) == ("ID", CountryEvidence.NAMED, 2)


def test_what_was_chosen_before_and_the_browser_tell_it() -> None:
    assert likely_countries(INDONESIAN, NOTHING, chosen=["ID"])[0].evidence == CountryEvidence.CHOSEN
    for tag in ("id-ID", "id"):
        assert (
            likely_countries(INDONESIAN, NOTHING, tags=[tag, "en-US"])[0].evidence == CountryEvidence.READER
        )


def test_a_country_in_which_the_numbers_are_not_valid_is_not_proposed() -> None:
    frame = pd.DataFrame({"Nachname": ["a"], "Country": ["France"], "Phone": ["+33612345678"]})
    numbers = ("13800138000", "13911112222", "13611112222")
    assert likely_countries(numbers, frame)[0].region == "CN"
    assert "FR" not in {one.region for one in likely_countries(numbers, frame)}
    assert likely_countries(("12345", "abc", ""), frame, tags=["en-US"]) == ()
    assert likely_countries((), frame) == ()


def test_mobiles_of_few_countries_are_told_by_their_form_and_by_that_alone() -> None:
    (only,) = likely_countries(INDONESIAN, NOTHING, tags=["en-US"])
    assert (only.region, only.evidence) == ("ID", CountryEvidence.FORM)
    assert likely_countries(INDONESIAN[:2], NOTHING) == (), "two numbers are too few for that"
