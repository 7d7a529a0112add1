"""Tell of which country phones without a country code probably are, and by what. Nothing is decided by it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache

import pandas as pd

from importer.dataclass import dataclass
from importer.mapping import headers, regions
from importer.mapping.phone_texts import read_phone, region_of_phone

_MOST_NUMBERS = 60
"""Numbers that are tried."""
_BY_FORM = 8
"""Of these, numbers that are tried with all countries of the world."""
_FEWEST_BY_FORM = 3
_FITTING = 0.6
_PROPOSED = 3
_WITH_CODE = re.compile(r"\s*(?:\+|00)\s*[1-9][\d ().\-/]{6,20}")
_SPOKEN_IN = {
    language: tuple(spoken.split())
    for language, spoken in {
        "ar": "SA AE EG",
        "az": "AZ",
        "bg": "BG",
        "bn": "BD IN",
        "ca": "ES",
        "cs": "CZ",
        "da": "DK",
        "de": "DE AT CH",
        "el": "GR",
        "es": "MX ES CO AR PE CL",
        "et": "EE",
        "fa": "IR",
        "fi": "FI",
        "fil": "PH",
        "fr": "FR BE CH",
        "he": "IL",
        "hi": "IN",
        "hr": "HR",
        "hu": "HU",
        "id": "ID",
        "is": "IS",
        "it": "IT",
        "ja": "JP",
        "ka": "GE",
        "ko": "KR",
        "lt": "LT",
        "lv": "LV",
        "mk": "MK",
        "ms": "MY",
        "nl": "NL BE",
        "pl": "PL",
        "pt": "BR PT",
        "ro": "RO",
        "ru": "RU KZ",
        "sk": "SK",
        "sr": "RS",
        "sv": "SE",
        "th": "TH",
        "tr": "TR",
        "uk": "UA",
        "ur": "PK",
        "vi": "VN",
        "zh": "CN TW HK",
    }.items()
}
"""The countries in which most files in a language are kept, by the languages of `aliases.toml`."""


class CountryEvidence(StrEnum):
    """By what a country is likely, the most telling first."""

    CODED = "coded"
    """Other numbers of the file begin with its code."""
    NAMED = "named"
    """The file has a column of countries that names it."""
    CHOSEN = "chosen"
    """A person chose it for an earlier file."""
    HEADER = "header"
    """The headers are in a language that is spoken there."""
    READER = "reader"
    """So is the language of the person who is asked."""
    FORM = "form"
    """Mobiles of few countries look like these."""


_WEIGHT = {
    CountryEvidence.CODED: 3.0,
    CountryEvidence.NAMED: 3.0,
    CountryEvidence.CHOSEN: 2.0,
    CountryEvidence.HEADER: 1.5,
    CountryEvidence.READER: 1.0,
    CountryEvidence.FORM: 1.0,
}


@dataclass(frozen=True, slots=True)
class LikelyCountry:
    """A country that phones without a country code may be of."""

    region: str
    """ISO 3166-1: two letters."""
    evidence: CountryEvidence
    seen: int
    """Numbers or rows that are the evidence."""
    fits: int
    """How many of the numbers are valid there,"""
    tried: int
    """of so many."""


def likely_countries(
    numbers: Iterable[str],
    frame: pd.DataFrame | None,
    *,
    chosen: Iterable[str] = (),
    tags: Sequence[str] = (),
) -> tuple[LikelyCountry, ...]:
    """Return up to three countries in which most of these numbers are valid, the likeliest first.

    `numbers` have no country code. `frame` holds the first rows of their file. `chosen`: countries that were
    chosen before. `tags`: languages of the person, such as id-ID and en, the preferred one first.
    """
    some = tuple(dict.fromkeys(map(_first, numbers)))[:_MOST_NUMBERS]
    if not some:
        return ()
    weights: dict[str, float] = {}
    best: dict[str, tuple[float, CountryEvidence, int]] = {}
    for region, evidence, seen, share in _evidence(frame, chosen, tags):
        weight = _WEIGHT[evidence] * share
        weights[region] = weights.get(region, 0.0) + weight
        if weight > best.get(region, (0.0, evidence, 0))[0]:
            best[region] = (weight, evidence, seen)
    least = _FITTING * len(some)
    likely = [region for region in best if sum(_is_of(number, region) for number in some) >= least]
    # A mobile tells more than a number of a fixed line, for which some countries have too much room.
    mobiles = {region: sum(_is_of(number, region, mobile=True) for number in some) for region in likely}
    if max(mobiles.values(), default=0) < least:
        for region in _by_form(some):
            weights[region] = _WEIGHT[CountryEvidence.FORM]
            best[region] = (0.0, CountryEvidence.FORM, 0)
            mobiles[region] = len(some)
    found = [
        LikelyCountry(region, *best[region][1:], sum(_is_of(number, region) for number in some), len(some))
        for region in mobiles
    ]
    found.sort(key=lambda one: -weights[one.region] * (one.fits + mobiles[one.region]))
    return tuple(found[:_PROPOSED])


def _evidence(
    frame: pd.DataFrame | None, chosen: Iterable[str], tags: Sequence[str]
) -> Iterator[tuple[str, CountryEvidence, int, float]]:
    """Yield countries, what speaks for each, how often, and how strongly (0 to 1)."""
    if frame is not None:
        for evidence, found in (
            (CountryEvidence.CODED, _coded(frame)),
            (CountryEvidence.NAMED, _named(frame)),
        ):
            for region, seen in found.items():
                yield region, evidence, seen, seen / found.total()
        for region in _SPOKEN_IN.get(_language(map(str, frame.columns)), ()):
            yield region, CountryEvidence.HEADER, 1, 1.0
    for region in dict.fromkeys(chosen):
        yield region, CountryEvidence.CHOSEN, 1, 1.0
    for tag in tags[:1]:
        language, _, region = tag.partition("-")
        for one in (region.upper(),) if region else _SPOKEN_IN.get(language.lower(), ()):
            yield one, CountryEvidence.READER, 1, 1.0


def _coded(frame: pd.DataFrame) -> Counter[str]:
    """The countries of numbers with a country code, whatever their column."""
    found: Counter[str] = Counter()
    for place in range(frame.shape[1]):
        for cell in dict.fromkeys(map(str, frame.iloc[:, place])):
            if _WITH_CODE.fullmatch(cell):
                digits = re.sub(r"\D", "", cell).removeprefix("00" if "+" not in cell else "")
                region = region_of_phone(f"+{digits}")
                if region and region != "001":
                    found[region] += 1
    return found


def _named(frame: pd.DataFrame) -> Counter[str]:
    """The countries that a column of countries names."""
    found: Counter[str] = Counter()
    for place, name in enumerate(map(str, frame.columns)):
        if any(alias.field == "country" for alias in headers.meanings(name)):
            found.update(filter(None, (regions.region_of(str(cell)) for cell in frame.iloc[:, place])))
    return found


def _language(names: Iterable[str]) -> str:
    """The language that most of these headers are in; empty if none of them tells."""
    found: Counter[str] = Counter()
    for name in names:
        languages = {alias.language for alias in headers.meanings(name)}
        if len(languages) == 1:
            found.update(languages)
    return max(found, key=lambda language: found[language], default="")


def _by_form(numbers: Sequence[str]) -> Sequence[str]:
    """The countries whose mobiles look like these, if they are few."""
    import phonenumbers

    some = numbers[:_BY_FORM]
    likely = [
        region
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        if len(some) >= _FEWEST_BY_FORM and all(_is_of(number, region, mobile=True) for number in some)
    ]
    return likely if len(likely) <= _PROPOSED else ()


def _first(cell: str) -> str:
    """The first number of a cell, as the importer reads it."""
    reading = read_phone(cell)
    if reading is None:
        return cell.strip()
    return f"+{reading.digits}" if reading.international else reading.digits


@lru_cache(maxsize=4096)
def _is_of(number: str, region: str, *, mobile: bool = False) -> bool:
    """Whether a number is valid in a country; `mobile`: as one of a mobile, as far as they can be told."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number_for_region(parsed, region):
        return False
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return not mobile or phonenumbers.number_type(parsed) in kinds
