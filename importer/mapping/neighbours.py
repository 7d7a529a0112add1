"""What the other columns of a header say of one: whose it is, which part of a name, whether to doubt it."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from importer.mapping import claims, vocabulary
from importer.mapping.assignment import Claim
from importer.mapping.claims import DOUBT, FIRST, FULL, LAST, NAMES, PHONES, SURE, Column
from importer.mapping.headers import normalize
from importer.mapping.proposals import TAKEN
from importer.mapping.vocabulary import Phrase
from importer.models import Note

_BESIDE = 0.85
_PERSONAL = frozenset({*NAMES, *PHONES, "email"})
_REACH = frozenset({*PHONES, "email"})
_GIVEN = re.compile(r"名([)）]?)$")
_NAMELESS = 0.5
_ONLY = 0.62
_CONTACT_PERSON = 0.65
_ONLY_WHY = "why-only-person"
_ALL_THE_SAME = 3
"""Fewer rows may be a family's."""


def about_customers(columns: list[Column]) -> list[Column]:
    """Return the columns as the customer's: an animal's owner's, and a child's beside its parents'."""
    return _numbered_by_person(_with_children(_with_keepers(columns)))


def _with_keepers(columns: list[Column]) -> list[Column]:
    """Return the columns; in a list of animals those of the owner as the customer's, if there are any."""
    if not _rows_are("animals", columns):
        return columns
    readings = [vocabulary.as_customer(column.reading, "keeper") for column in columns]
    if not any(readings):
        return columns
    return [
        replace(column, reading=reading or column.reading, of_animal=reading is None)
        for column, reading in zip(columns, readings, strict=True)
    ]


def _with_children(columns: list[Column]) -> list[Column]:
    """Return the columns; in a list of children and parents those of the child as the customer's.

    It is such a list if it has columns of a parent, and no name but theirs and the child's.
    """
    readings = [vocabulary.as_customer(column.reading, "child") for column in columns]
    if not any(readings) or not any("guardian" in column.reading.roles() for column in columns):
        return columns
    claimed = {
        claim.field for column in columns for claim in claims.of_column(column) if claim.confidence >= TAKEN
    }
    if not claimed.isdisjoint(NAMES):
        return columns
    return [
        replace(column, reading=reading) if reading else column
        for column, reading in zip(columns, readings, strict=True)
    ]


def _numbered_by_person(columns: list[Column]) -> list[Column]:
    """Return the columns, beside a parent's those of the customer numbered by themselves.

    Of “Mobile 1 (mother)”, “Mobile 2 (father)” and “Mobile 3 (pupil)” the last one is the pupil's first.
    """
    if not any("guardian" in column.reading.roles() for column in columns):
        return columns
    first: dict[tuple[str, ...], int] = {}
    for column in columns:
        if "guardian" not in column.reading.roles():
            first[_label(column)] = min(column.reading.number, first.get(_label(column), 99))
    return [
        replace(column, reading=replace(column.reading, number=1))
        if _names_the_customer(column) and column.reading.number == first[_label(column)]
        else column
        for column in columns
    ]


def _label(column: Column) -> tuple[str, ...]:
    """Return the words of a column that may be the label of a field."""
    return tuple(phrase.text for phrase in column.reading.phrases if phrase.labels and not _of_person(phrase))


def _names_the_customer(column: Column) -> bool:
    """Return whether a header says that a column is the customer's: “Pupil's phone”, not “Contact phone”."""
    roles = column.reading.roles()
    return "guardian" not in roles and any(map(_of_person, column.reading.phrases))


def _of_person(phrase: Phrase) -> bool:
    return "customer" in phrase.roles and phrase.text not in vocabulary.listed("reach")


def in_context(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Read names by their neighbours.

    “Name” beside last names and no other first names is a first name, beside first names a last name. A
    company's name is no person's, and the category of a booking no customer's. A guardian's phone counts only
    where the customer has none.
    """
    if _rows_are("companies", columns) and not _rows_are_people(found):
        found = [one for one in found if one.field != FULL or _names_a_person(columns[one.column])]
    if _rows_are("bookings", columns):
        found = [claim for claim in found if (claim.field, claim.why.code) != ("tagStr", "why-likely")]
    found = _of_everybody(_of_contact_people(found, columns), columns)
    own = {claim.field for claim in found if not claim.guardian and claim.confidence >= DOUBT}
    own |= {"sms_phone", "whats_app_phone"} if own & {"sms_phone", "whats_app_phone"} else set()
    found = [claim for claim in found if not (claim.guardian and claim.field in own)]
    found = _own_before_nameless(found, columns)
    return _only_person(_short_names(found, columns), columns)


def _own_before_nameless(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Prefer the customer's own columns where some are a parent's: whose “Mail 1” is, nobody knows then."""
    if not any("guardian" in column.reading.roles() for column in columns):
        return list(found)
    named = {claim.field for claim in found if _names_the_customer(columns[claim.column])} & _REACH
    return [
        replace(claim, preference=claim.preference * _NAMELESS)
        if claim.field in named and not _names_the_customer(columns[claim.column])
        else claim
        for claim in found
    ]


def _rows_are(rows: str, columns: Sequence[Column]) -> bool:
    """Return whether a column says that the rows are of a kind: `companies`, `animals` or `bookings`."""
    return any(normalize(column.name) in vocabulary.listed(rows) for column in columns)


def _rows_are_people(found: Sequence[Claim]) -> bool:
    """Return whether columns hold what no company has."""
    return any(claim.field in ("birthday", "gender") and claim.confidence >= TAKEN for claim in found)


def _names_a_person(column: Column) -> bool:
    """Return whether a header names somebody who is no company: “Guest name”, not “Customer name”."""
    return not vocabulary.listed("persons").isdisjoint(vocabulary.words(column.name))


def _of_contact_people(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Read a contact person's phone and e-mail as a guardian's where a column has the customer's own name.

    The contact's first and last name are then nobody's. Without cells nobody knows whether 客户名称 is a
    person or a company, whose contact is the customer.
    """
    people = {
        column.index
        for column in columns
        if any(
            person in phrase.text
            for phrase in column.reading.phrases
            for person in vocabulary.listed("contact_people")
        )
    }
    named = any(
        claim.field in NAMES
        and claim.confidence >= SURE * _BESIDE
        and claim.column not in people
        and columns[claim.column].cells
        for claim in found
    )
    if not people or not named:
        return list(found)
    found = [
        replace(one, preference=one.preference * _NAMELESS) if one.column in people else one
        for one in found
        if one.column not in people or one.field not in (FIRST, LAST)
    ]
    return [
        replace(
            claim,
            guardian=True,
            confidence=min(claim.confidence, _CONTACT_PERSON),
            why=replace(claim.why, code="why-contact-person"),
        )
        if claim.column in people and claim.field in {*PHONES, "email"}
        else claim
        for claim in found
    ]


def _of_everybody(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Leave out phones, e-mails and names that are the same in all rows beside names that differ.

    They are those of a shop, of a school, or of whoever made the list.
    """
    same = {
        column.index
        for column in columns
        if len(column.cells) >= _ALL_THE_SAME and column.filled == 1 and len(set(column.cells)) == 1
    }
    differ = {
        claim.field
        for claim in found
        if claim.field in NAMES and claim.confidence >= TAKEN and len(set(columns[claim.column].cells)) > 1
    }
    return [
        claim
        for claim in found
        if claim.column not in same or not (claim.field in differ or (differ and claim.field in _REACH))
    ]


def _only_person(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Take the columns of a person whose word nobody listed, if the header has no other such columns.

    “Examinee name” and “Examinee phone” share the unknown word. A name and a way to reach somebody, or a
    first and a last name, are a person's.
    """
    personal = [one for one in found if one.field in _PERSONAL and one.why.code != "why-values-differ"]
    kept = list(found)
    for unknown in {columns[one.column].reading.unknown for one in personal} - {()}:
        own = [one for one in personal if columns[one.column].reading.unknown == unknown]
        fields = {one.field for one in own}
        kinds = {_kind(field) for field in fields}
        others = {_kind(one.field) for one in personal if one not in own}
        if kinds.isdisjoint(others) and ("name" in kinds) and (len(kinds) > 1 or {FIRST, LAST} <= fields):
            kept = [
                replace(one, confidence=max(one.confidence, _ONLY), why=replace(one.why, code=_ONLY_WHY))
                if one in own
                else one
                for one in kept
            ]
    return kept


def _kind(field: str) -> str:
    return "name" if field in NAMES else field


def _short_names(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Decide what “Name”, “Nom” or “Имя” means here: a whole name, or the part that no other column has."""
    named = {claim.column for claim in found if claim.field in NAMES}
    names = {column.name for column in columns}
    short = {column.index for column in columns if column.index in named and _is_short(column, names)}
    parts = {
        field: [
            one.column
            for one in found
            if one.field == field and one.column not in short and one.confidence >= TAKEN
        ]
        for field in (FIRST, LAST)
    }
    kept = [one for one in found if one.column not in short or one.field not in NAMES]
    for index in sorted(short):
        own = [one for one in found if one.column == index]
        kept.append(_as_part(own, columns, parts) or _as_named(own, columns[index]))
    return kept


def _is_short(column: Column, names: Container[str]) -> bool:
    """Return whether a name may be a whole one or a part.

    注文者名 is a whole name, beside 注文者姓 a part of it; so is 联系人（名） beside 联系人（姓）.
    """
    called = {normalize(column.name), vocabulary.without_customer(column.name)}
    if called & vocabulary.listed("short_names"):
        return True
    return bool(_GIVEN.search(column.name)) and _GIVEN.sub(r"姓\1", column.name) in names


def _as_part(
    own: Sequence[Claim], columns: Sequence[Column], parts: Mapping[str, Sequence[int]]
) -> Claim | None:
    """Return the claim of a short name on the part that other columns leave, or None if they leave none.

    `parts` holds the columns that are surely first or last names. A column that holds those names is whole.
    """
    best = max(own, key=lambda one: one.confidence)
    for field, other in ((FIRST, LAST), (LAST, FIRST)):
        if not parts[other] or parts[field] or _holds(columns[best.column], columns[parts[other][0]]):
            continue
        if best.why.code == "why-values-differ" or (best.field == field and best.confidence >= _BESIDE):
            return replace(best, field=field)
        why = Note("why-beside", (("field", field), ("beside", other)))
        return replace(best, field=field, confidence=max(best.confidence, _BESIDE), why=why)
    return None


def _as_named(own: Sequence[Claim], column: Column) -> Claim:
    """Return the claim of a short name without others: on the first name if that is what it surely is called
    and its cells are single words, else on the whole name."""
    best = max(own, key=lambda one: one.confidence)
    if best.field == FULL or not column.cells or _of_two_words(column):
        return replace(best, field=FULL)
    first = any(one.field == FIRST and one.confidence >= SURE for one in own)
    return replace(best, field=FIRST if first else FULL)


def _holds(whole: Column, part: Column) -> bool:
    """Return whether most cells of one column hold the other's cell: “Ann Lee” holds “Lee”."""
    pairs = [(one, other) for one, other in zip(whole.cells, part.cells, strict=False)]
    return bool(pairs) and sum(other in one and one != other for one, other in pairs) > len(pairs) / 2


def _of_two_words(column: Column) -> bool:
    return 2 * sum(len(cell.split()) > 1 for cell in column.cells) > len(column.cells)


def doubted(found: Sequence[Claim]) -> list[Claim]:
    """Doubt all columns that only look like phones, or like e-mail addresses, if there are several.

    It is not known which one messages should go to. Cells alone also give way to a column that is called
    so.
    """
    kept = []
    for claim in found:
        if claim.by_cells:
            rivals = [one for one in found if one.field == claim.field and one.column != claim.column]
            if any(not one.by_cells and one.confidence >= DOUBT for one in rivals):
                continue
            if any(one.by_cells for one in rivals) and claim.confidence > DOUBT:
                claim = replace(claim, confidence=DOUBT)
        kept.append(claim)
    return kept


def whole_or_parts(found: Sequence[Claim]) -> list[Claim]:
    """Leave whole names out where columns hold their parts: only a name without parts is split."""
    parts = {claim.column for claim in found if claim.field in (FIRST, LAST) and claim.confidence >= TAKEN}
    whole = {claim.column for claim in found if claim.field == FULL and claim.confidence >= TAKEN}
    if parts - whole:
        return [claim for claim in found if claim.field != FULL]
    return list(found)
