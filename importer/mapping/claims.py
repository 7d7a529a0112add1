"""Score one column for each field that it may feed: by its name, by its cells, by the language of the file.

A claim says which field, how surely, and why. `suggest` lets the columns of a header compete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from importer.contracts import FieldKind
from importer.mapping import evidence, gender, headers, vocabulary
from importer.mapping.assignment import Claim
from importer.mapping.headers import Alias, normalize
from importer.mapping.rules import field_kinds
from importer.mapping.vocabulary import Phrase, Reading
from importer.models import Note

API, SURE, LIKELY = 1.0, 0.95, 0.7
_UNKNOWN_WORDS = 0.55
_OTHER_LANGUAGE = 0.6
_FOREIGN = 0.75
_DENIED = 0.4
_BESIDE = {
    "名": frozenset({"filler", "billing"}),
    "姓": frozenset({"filler", "billing", "customer"}),
    "氏": frozenset({"filler", "billing"}),
    **dict.fromkeys(("first", "last"), frozenset({"filler", "customer"})),
}
"""All that may stand beside a short label: 名 is a part of a name, 家庭名 and “Last service” are none."""
_BEHIND = frozenset({"es", "pt", "fr", "it", "ru", "pl", "ar", "vi", "id", "ms", "th", "fil"})
"""Languages that put what a thing belongs to behind it."""
_SHORT = 5
"""A label of fewer letters may be a word of another language."""
_COMPANY_ADDRESS = 0.72
_INVOICES = 0.8
"""An e-mail address for invoices is less of the person than one at work."""
_TINY = 3
_OWN_LETTERS = 1.15
"""More than what a name of the API is surer than a likely label beside its other part."""
CELLS, DOUBT = 0.65, 0.5
_ALIKE = 88
_LONG_NAME = 8
"""A shorter name of a name column is too near to other words."""
FULL, FIRST, LAST = "full_name", "first_name", "last_name"
NAMES = (FULL, FIRST, LAST)
_PHONE_KINDS = frozenset({"mobile", "landline"})
PHONES = ("sms_phone", "whats_app_phone", "viber_phone", "zalo")
_REACH = (*PHONES, "email")
"""What is worth nothing where it is empty."""
_NO_ANSWERS = frozenset({*NAMES, "address", "country", "remark"})
_NEVER = {"company": (*NAMES, "birthday", "gender"), "code": NAMES}
"""Fields that a column with such a word never feeds."""
# What two labels in one header mean together: “WhatsApp phone”, “Full name (last)”, “Address: country”.
_TOGETHER = {
    frozenset({"sms_phone", channel}): channel
    for channel in ("whats_app_phone", "viber_phone", "zalo", "line", "instagram", "messenger")
} | {
    frozenset({FULL, FIRST}): FIRST,
    frozenset({FULL, LAST}): LAST,
    frozenset({FIRST, LAST}): FULL,
    frozenset({"address", "country"}): "country",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a header."""

    index: int
    name: str
    cells: tuple[str, ...]
    """Its filled cells, at most some hundred."""
    filled: float
    """The share of the looked-at rows in which it is filled; 1 if there are none."""
    reading: Reading
    of_animal: bool = False
    """Whether the column is about an animal, and other columns about its owner."""


def of_column(column: Column) -> list[Claim]:
    """Return the claims of a column: by its name, else by a similar name, else by its cells."""
    found = list(_by_name(column))
    if column.reading.unknown:
        found = _by_likeness(column) or found
    weighed = [
        _weighed(claim, column)
        for claim in found
        if not (column.of_animal and claim.field in (*NAMES, "gender", "birthday"))
    ]
    if all(claim.why.code == "why-values-differ" for claim in weighed):
        weighed = _by_salutations(column) or _by_cells(column) or weighed
    return weighed


def with_languages(claims: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Return the claims, those less sure whose label is of a language that no other column speaks.

    “Via” is a street in an Italian header and a channel in an English one. Of ชื่อ and “Name” beside it, the
    name in the letters of the file is the customer's, the other one its transcription.
    """
    spoken = [
        frozenset(lang for phrase in one.reading.phrases for lang in phrase.languages) for one in columns
    ]
    speaking = Counter(lang for langs in spoken for lang in langs)
    telling = sum(map(bool, spoken))
    found = []
    for claim in claims:
        own = spoken[claim.column]
        others = telling - bool(own)
        factor = 1.0
        if claim.languages and not _spoken_beside(claim.languages, own, speaking):
            name = normalize(columns[claim.column].name)
            # English stands in files of any language.
            if claim.denying and (
                "en" not in claim.languages or _spoken_beside(claim.denying, own, speaking)
            ):
                factor = _DENIED
            elif others > 1 and (len(name) < _SHORT or claim.confidence <= LIKELY):
                code = claim.field == "gender" and len(name) <= _TINY and name.isascii()
                factor = _DENIED if code else _FOREIGN
        own_letters = claim.field in NAMES and own and not columns[claim.column].name.isascii()
        preference = claim.preference * (_OWN_LETTERS if own_letters else 1)
        found.append(replace(claim, confidence=claim.confidence * factor, preference=preference))
    return found


def _spoken_beside(languages: frozenset[str], own: frozenset[str], speaking: Counter[str]) -> bool:
    """Return whether columns other than one, which speaks its `own` languages, speak any of these."""
    return any(speaking[lang] > (lang in own) for lang in languages)


def _by_name(column: Column) -> Iterator[Claim]:
    chosen = _label(column.reading)
    if chosen is None:
        return
    phrases, aliases, whole = chosen
    languages = _common([phrase.label_languages for phrase in phrases])
    others = [phrase for phrase in column.reading.phrases if phrase not in phrases]
    roles = frozenset(role for phrase in others for role in phrase.roles_in(languages))
    allowed = _BESIDE.get(phrases[0].text) if len(phrases) == 1 else None
    # LINE名 is a name in LINE.
    if allowed is not None and (roles - allowed or any(not _means_only(phrase, FULL) for phrase in others)):
        return
    if roles & {*vocabulary.VETO} or _names_a_company(column.reading):
        return
    spoken = [
        phrase.languages
        for phrase in column.reading.phrases
        if phrase.languages and (phrase in phrases or not _english_filler(phrase))
    ]
    strange = bool(spoken) and not frozenset.intersection(*spoken)
    for alias in aliases:
        factor = _factor(alias.field, roles, column) * (_OTHER_LANGUAGE if strange else 1)
        if column.reading.unknown:
            factor *= _UNKNOWN_WORDS
        base = API if alias.language == "api" else SURE if alias.sure else LIKELY
        if factor:
            code = "why-api-name" if alias.language == "api" else "why-alias" if alias.sure else "why-likely"
            if not whole:
                code = "why-guardian" if "guardian" in roles else "why-core"
            note = Note(code, (("label", alias.label), ("field", alias.field), ("language", alias.language)))
            yield Claim(
                column.index,
                alias.field,
                base * factor,
                note,
                _rank(alias.label),
                preference=_preference(alias.field, roles | _own_roles(phrases), column),
                guardian="guardian" in roles,
                languages=frozenset().union(*(phrase.label_languages for phrase in phrases)),
                denying=frozenset().union(*(phrase.denying for phrase in phrases)),
            )


def _english_filler(phrase: Phrase) -> bool:
    """Return whether a phrase is a harmless English word, as “customer” in “No. HP customer”."""
    return "filler" in phrase.roles and "en" in phrase.languages


def _common(languages: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return the languages that all phrases have in common; empty if all belong to all, or none is common."""
    bound = [one for one in languages if one]
    return frozenset.intersection(*bound) if bound else frozenset()


def _label(reading: Reading) -> tuple[tuple[Phrase, ...], tuple[Alias, ...], bool] | None:
    """Return the phrases that are the label, the fields it may mean, and whether it is the whole header."""
    labelled = [phrase for phrase in reading.phrases if phrase.labels]
    alone = [one for one in labelled if one.roles_beside(reading.phrases) <= _PHONE_KINDS]
    if not alone:
        # “Domicilio” says where a phone is, but alone it is an address.
        alone = [phrase for phrase in labelled if set(phrase.roles) == {"home"} and _means(phrase, "address")]
    if not alone:
        # “Customer” alone is a name; in “Customer field” it only says whose the field is.
        if len(reading.phrases) == 1 and labelled and not reading.unknown:
            return (labelled[0],), labelled[0].labels, reading.number == 1
        rest = {role for phrase in reading.phrases if phrase not in labelled for role in phrase.roles}
        if len(labelled) == 1 and rest <= {"primary"} and not reading.unknown:
            return (labelled[0],), labelled[0].labels, False
        return None
    whole = len(reading.phrases) == 1 and not reading.unknown and reading.number == 1
    if len(alone) == 1:
        return (alone[0],), alone[0].labels, whole
    shared = [alias for alias in alone[0].labels if all(_means(phrase, alias.field) for phrase in alone[1:])]
    if shared:
        return tuple(alone), tuple(shared), False
    fields = [frozenset(alias.field for alias in phrase.labels) for phrase in alone]
    if (
        fields[0] == {"address"}
        and fields[1] <= {*_REACH, "country"}
        and reading.phrases[-2:] == (alone[0], alone[1])
        and not reading.listing
    ):
        # “Billing address phone”
        return (alone[1],), alone[1].labels, False
    thing = _of_a_person(alone)
    if thing is not None and not reading.listing:
        return (thing,), thing.labels, False
    united = _TOGETHER.get(frozenset(field for found in fields for field in found))
    if united is None and len(alone) == 2:
        pairs = {_TOGETHER.get(frozenset({one, other})) for one in fields[0] for other in fields[1]}
        united = next(iter(pairs - {None}), None) if len(pairs - {None}) == 1 else None
    if united is None:
        return None
    of_field = [alias for phrase in alone for alias in phrase.labels if alias.field == united]
    model = of_field[0] if of_field else alone[0].labels[0]
    label = " ".join(phrase.labels[0].label for phrase in alone)
    sure = all(any(alias.sure for alias in phrase.labels) for phrase in alone)
    return tuple(alone), (Alias(united, label, model.language, sure),), False


def _of_a_person(phrases: Sequence[Phrase]) -> Phrase | None:
    """Return what two labels name if one says only whose it is: 收件人手机, “Kunde Telefon”."""
    if len(phrases) != 2:
        return None
    owners = [one for one in phrases if _means_only(one, FULL)]
    things = [one for one in phrases if not any(alias.field in NAMES for alias in one.labels)]
    if len(owners) != 1 or len(things) != 1:
        return None
    owner, names = owners[0].text, tuple(vocabulary.listed("short_names"))
    return None if owner.startswith(names) or owner.endswith(names) else things[0]


def _names_a_company(reading: Reading) -> bool:
    """Return whether a header ends in the company, as “Default Address Company” does: it names one.

    Where languages put what a thing belongs to behind it, “Dirección empresa” is still an address.
    """
    last = reading.phrases[-1]
    return len(reading.phrases) > 1 and "company" in last.roles and not last.languages & _BEHIND


def _means_only(phrase: Phrase, field: str) -> bool:
    """Return whether a phrase is no label, or one of this field alone."""
    return all(alias.field == field for alias in phrase.labels)


def _means(phrase: Phrase, field: str) -> bool:
    return any(alias.field == field for alias in phrase.labels)


def _own_roles(phrases: Sequence[Phrase]) -> frozenset[str]:
    """Return what a label says of itself: “Mobile”, and “Mobilnummer”, which begins so."""
    return frozenset(role for phrase in phrases for role in phrase.roles) | frozenset(
        role
        for role in vocabulary.INSIDE
        for phrase in phrases
        if any(word in phrase.text for word in vocabulary.words_of(role))
    )


def _factor(field: str, roles: frozenset[str], column: Column) -> float:
    factor = 1.0
    for role in roles:
        if field in _NEVER.get(role, ()) or (role == "guardian" and field not in _REACH):
            return 0.0
        if role == "company":
            factor *= _COMPANY_ADDRESS if field == "address" else vocabulary.role_weight(role)
        elif role == "primary" and field in NAMES:
            continue
        elif role == "billing" and field == "email":
            factor *= _INVOICES
        else:
            factor *= vocabulary.role_weight(role)
    if column.reading.number > 1:
        factor *= vocabulary.role_weight("secondary")
    return factor


def _preference(field: str, roles: frozenset[str], column: Column) -> float:
    found = 1.0
    if field in _REACH:
        found *= 0.3 + 0.7 * column.filled
    elif not column.filled:
        found *= 0.5
    if field in PHONES:
        found *= 1.25 if "mobile" in roles else 0.95 if "landline" in roles else 1.0
    if field == "address" and "registered" in roles:
        found *= 0.9
    if "text" in roles:
        found *= 1.05
    return found


@cache
def _ranks() -> dict[str, int]:
    """Return the position of each known name in the data, which lists the most usual ones first."""
    return {name: rank for rank, name in enumerate(headers.known_names())}


def _rank(label: str) -> int:
    return _ranks().get(normalize(label), len(_ranks()))


def _by_likeness(column: Column) -> list[Claim]:
    """Return the field of a known name that differs by a slip of the pen: no word more, none less."""
    name, reading = normalize(column.name), column.reading
    if (
        len(name) < 6
        or not name.isalpha()
        or not reading.unknown
        or reading.roles() & {*vocabulary.VETO, "code"}
    ):
        return []
    from rapidfuzz import fuzz, process

    known = _known_by_length()
    near = [one for length in range(len(name) - 1, len(name) + 2) for one in known.get(length, ())]
    words = len(vocabulary.words(column.name))
    best = process.extractOne(name, near, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    if best is None or best[0][:1] != name[:1]:
        return []
    alias = Alias.of_line(headers.known_names()[best[0]])
    if words != len(vocabulary.words(alias.label)):
        return []
    if alias.field == "customize_field" or (alias.field in NAMES and len(name) < _LONG_NAME):
        return []
    found = (("label", alias.label), ("field", alias.field), ("percent", round(best[1])))
    # “Direction” is French, and no slip of the pen in “Dirección”.
    spoken = frozenset({alias.language})
    why = Note("why-alike", found)
    return [Claim(column.index, alias.field, 0.75 * best[1] / 100, why, 98, languages=spoken)]


@cache
def _known_by_length() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in headers.sure_names():
        found.setdefault(len(name), []).append(name)
    return found


def _by_cells(column: Column) -> list[Claim]:
    """Return what the cells say, for a name that says nothing.

    Addresses, phones and days that repeat are those of somebody who has many customers.
    """
    roles, cells = column.reading.roles(), column.cells
    if (
        not cells
        or roles & {*vocabulary.VETO, "code", "guardian", "secondary"}
        or any(phrase.labels and not phrase.roles for phrase in column.reading.phrases)
    ):
        return []
    if evidence.are_countries(cells):
        return [_content("country", DOUBT, column)]
    if len(cells) > 1 and len(set(cells)) < 0.9 * len(cells):
        return []
    if evidence.confirms(FieldKind.EMAIL, cells):
        return [_content("email", CELLS, column)]
    reach = normalize(column.name) in vocabulary.listed("reach")
    about_contact = bool(column.reading.phrases) and not column.reading.unknown
    if evidence.are_phones(cells) or (reach and evidence.may_all_be_phones(cells)):
        sure = reach or about_contact or evidence.are_written_phones(cells)
        return [_content("sms_phone", CELLS if sure else DOUBT, column)]
    return [_content("birthday", DOUBT, column)] if evidence.are_birthdays(cells) else []


def _by_salutations(column: Column) -> list[Claim]:
    """Return a claim on the gender for forms of address (Herr, Mme), whatever the column is called."""
    others = column.reading.roles() & {"somebody-else", "guardian", "child", "keeper"}
    # Below “Langue” FR is no Frau.
    codes = len(set(column.cells)) == 1 and evidence.are_country_codes(column.cells)
    if others or codes or column.of_animal or not gender.are_salutations(column.cells):
        return []
    return [_content("gender", CELLS, column)]


def _content(field: str, confidence: float, column: Column) -> Claim:
    why = Note("why-values", (("field", field),))
    preference = 0.3 + 0.7 * column.filled
    return Claim(column.index, field, confidence, why, 99, preference=preference, by_cells=True)


def _weighed(claim: Claim, column: Column) -> Claim:
    """Return the claim as the cells leave it: less sure if they are something else, surer if they fit."""
    kind = field_kinds().get(claim.field, FieldKind.TEXT)
    differs = (
        evidence.contradicts(kind, column.cells)
        or (claim.field in NAMES and evidence.are_no_names(column.cells))
        or (claim.field == "country" and evidence.are_no_countries(column.cells))
        or (claim.field == "address" and evidence.are_no_addresses(column.cells))
        or (claim.field in _NO_ANSWERS and evidence.are_answers(column.cells))
    )
    if differs:
        why = Note("why-values-differ", claim.why.found)
        return replace(claim, confidence=claim.confidence * 0.4, why=why)
    if claim.field == "country" and (
        evidence.are_country_codes(column.cells) or evidence.are_countries(column.cells)
    ):
        return replace(claim, confidence=max(claim.confidence, CELLS))
    if claim.confidence < CELLS and evidence.confirms(kind, column.cells) and not column.reading.unknown:
        return replace(claim, confidence=min(CELLS, claim.confidence * 1.1))
    return claim
