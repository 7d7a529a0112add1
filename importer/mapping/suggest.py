"""Propose the field that each column of an unknown file most likely feeds, with confidence and reason.

Each column claims fields (`claims`). Then the neighbours are looked at, and the claims are settled for the
whole header at once (`assignment`): no column gets two fields, and no field two columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from importer import arrow
from importer.contracts import Contract
from importer.mapping import claims as scoring
from importer.mapping import vocabulary
from importer.mapping.addresses import joined_address
from importer.mapping.assignment import Claim, assign
from importer.mapping.base import is_key
from importer.mapping.claims import FIRST, FULL, LAST, Column
from importer.mapping.custom_fields import by_choices, contradicts, own_columns, preset_columns
from importer.mapping.headers import find_column, normalize, recognised, share_sheet
from importer.mapping.nothing import is_nothing
from importer.mapping.proposals import TAKEN, Proposal
from importer.mapping.schema import MappingFile
from importer.models import Note, TenantField

if TYPE_CHECKING:
    import pandas as pd

_MENTIONED = 0.01
_BESIDE = 0.85
_LOOKED_AT = 200
_PERSONAL = frozenset({*scoring.NAMES, *scoring.PHONES, "email"})
_GIVEN = re.compile(r"名([)）]?)$")
_ONLY = 0.62
_ONLY_WHY = "why-only-person"
_OWN = 0.9
"""A column that is called like a field of the tenant; the API's own names and labels come first."""


def propose(
    header: Sequence[str],
    samples: pd.DataFrame | None,
    contract: Contract,
    *,
    chosen: MappingFile | None = None,
    ready_made: bool = True,
    sheets: Sequence[Sequence[str]] = (),
    fields: Sequence[TenantField] = (),
) -> tuple[Proposal, ...]:
    """Return one proposal for each column, in order.

    `samples` holds some rows of text under the same column names, or is None. Cells that a field could not
    hold make its column less likely. The mapping `chosen` decides if it is given, and with `ready_made` one
    that the header identifies.
    `sheets` are the headers that `header` unites, if there are several: proposals are made for each of them
    separately. `fields` is the tenant's list of fields, if it is known: columns may go to its own ones, too.
    """
    known = (chosen,) if chosen else recognised(header) if ready_made else ()
    if len(known) == 1:
        return tuple(_from_mapping(known[0], header, contract, fields))
    if len(sheets) > 1:
        found = [
            one
            for names in sheets
            for one in propose(names, samples, contract, ready_made=False, fields=fields)
        ]
        return _united(header, found, sheets)
    looked_at = () if samples is None else samples.head(_LOOKED_AT).items()
    cells = {str(name): arrow.to_arrow(column).to_pylist() for name, column in looked_at}
    columns = [_column(index, name, cells.get(name)) for index, name in enumerate(header)]
    columns = _with_children(_with_keepers(columns))
    found_claims = [
        claim
        for column in columns
        if not is_key(column.name) and normalize(column.name)
        for claim in scoring.of_column(column)
    ]
    found_claims = scoring.with_languages(found_claims, columns)
    found_claims = _in_context(found_claims, columns)
    found_claims = [one for one in found_claims if one.field in (*contract.names, FULL)]
    found_claims += _own_claims(columns, fields, contract)
    found_claims = _doubted(found_claims)
    if FULL not in contract.names:
        found_claims = _whole_or_parts(found_claims)
    return _with_places(_settled(found_claims, header, contract), cells or None)


def _with_places(
    found: tuple[Proposal, ...], cells: Mapping[str, Sequence[str | None]] | None
) -> tuple[Proposal, ...]:
    """Return the proposals; the columns of a place go where the street goes, to be joined with it."""
    street = next((one for one in found if one.field == "address" and one.taken), None)
    if street is None:
        return found
    used = frozenset(one.column for one in found if one.taken)
    joined = joined_address(street.column, [one.column for one in found], used, cells)
    parts = frozenset(joined.columns) - {street.column} if joined else ()
    why = Note("why-address-part", (("column", street.column),))
    return tuple(
        Proposal(one.column, None, street.confidence, why, joined_to="address")
        if one.column in parts
        else one
        for one in found
    )


def _own_claims(
    columns: Sequence[Column], fields: Sequence[TenantField], contract: Contract
) -> Iterator[Claim]:
    """Yield what speaks for the tenant's own fields: their labels, and the names of their choices."""
    names = [column.name for column in columns]
    presets = preset_columns(names, fields, contract)
    own = own_columns(names, fields)
    for column in columns:
        preference = 0.3 + 0.7 * column.filled
        if column.name in presets:
            why = Note("why-own-field", (("label", column.name), ("field", presets[column.name])))
            yield Claim(column.index, presets[column.name], _OWN, why, preference=preference)
        if column.name in own:
            field = own[column.name]
            differs = contradicts(field, column.cells)
            code = "why-values-differ" if differs else "why-own-field"
            why = Note(code, (("label", column.name), ("field", field.name)))
            sure = _OWN * 0.4 if differs else _OWN
            yield Claim(column.index, field.name, sure, why, preference=preference)
        elif found := by_choices(column.cells, fields):
            labels = dict.fromkeys(filter(None, (found[0].label_en, found[0].label)))
            why = Note("why-own-choices", (("label", " / ".join(labels)),))
            sure = scoring.CELLS if found[1] else scoring.DOUBT
            yield Claim(column.index, found[0].name, sure, why, 99, preference=preference)


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
    claimed = {claim.field for column in columns for claim in scoring.of_column(column)}
    if not claimed.isdisjoint(scoring.NAMES):
        return columns
    return [
        replace(column, reading=reading) if reading else column
        for column, reading in zip(columns, readings, strict=True)
    ]


def _united(
    header: Sequence[str], found: Sequence[Proposal], sheets: Sequence[Sequence[str]]
) -> tuple[Proposal, ...]:
    """Return for each column the proposal of the first sheet that has it.

    A field may have one column in each sheet. Full names that are split exclude any other column for a name.
    """
    first = {one.column: one for one in reversed(found)}
    kept: list[Proposal] = []
    for name in header:
        one = first[name]
        if one.taken and any(other.taken and _clash(one, other, sheets) for other in kept):
            why = Note("why-taken", (("field", one.field),))
            one = Proposal(name, None, round(1 - one.confidence, 2), why)
        kept.append(one)
    return tuple(kept)


def _clash(one: Proposal, other: Proposal, sheets: Sequence[Sequence[str]]) -> bool:
    fields = [{FIRST, LAST} if each.split else {each.field} for each in (one, other)]
    if fields[0].isdisjoint(fields[1]):
        return False
    return one.split or other.split or share_sheet(one.column, other.column, sheets)


def _settled(found: Sequence[Claim], header: Sequence[str], contract: Contract) -> tuple[Proposal, ...]:
    """Return one proposal for each column, from the claims of all."""
    best: dict[tuple[int, str], Claim] = {}
    for claim in sorted(found, key=lambda one: (-one.confidence, one.rank)):
        best.setdefault((claim.column, claim.field), claim)
    weights = {
        key: (claim.worth if claim.confidence >= TAKEN else claim.worth * _MENTIONED) - claim.rank * 1e-9
        for key, claim in best.items()
    }
    column_of = assign({key: weight for key, weight in weights.items() if weight > 0})
    field_of = {column: field for field, column in column_of.items()}
    of_column: dict[int, list[Claim]] = {}
    rivals_for: dict[str, list[int]] = {}
    for (column, field), claim in best.items():
        of_column.setdefault(column, []).append(claim)
        if column not in field_of and claim.confidence >= TAKEN:
            rivals_for.setdefault(field, []).append(column)
    proposals = []
    for index, name in enumerate(header):
        if is_key(name):
            proposals.append(Proposal(name, name.strip(), scoring.API, Note("why-custom")))
            continue
        own = of_column.get(index, [])
        if index in field_of:
            field = field_of[index]
            rivals = tuple(header[column] for column in rivals_for.get(field, []))
            proposals.append(_won(name, best[index, field], contract, rivals))
        elif own:
            claim = max(own, key=lambda one: one.confidence)
            winner = column_of.get(claim.field)
            lost = (("field", claim.field), ("winner", header[winner] if winner is not None else ""))
            why = Note("why-rival" if winner is not None else "why-taken", lost)
            proposals.append(Proposal(name, None, round(1 - claim.confidence, 2), why))
        else:
            proposals.append(Proposal(name, None, 0.0, _unclaimed(name)))
    return tuple(proposals)


def _won(column: str, claim: Claim, contract: Contract, rivals: tuple[str, ...]) -> Proposal:
    confidence = round(claim.confidence, 2)
    if claim.field == FULL and FULL not in contract.names:
        return Proposal(column, FIRST, confidence, Note("why-split", claim.why.found), True, rivals)
    return Proposal(column, claim.field, confidence, claim.why, False, rivals)


def _unclaimed(column: str) -> Note:
    roles = vocabulary.read(column).roles()
    if "somebody-else" in roles or "guardian" in roles:
        return Note("why-somebody-else")
    return Note("why-something-else" if "something-else" in roles else "why-unknown")


def _in_context(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Read names by their neighbours.

    “Name” beside last names and no other first names is a first name, beside first names a last name. A
    company's name is no person's, and the category of a booking no customer's. A guardian's phone counts only
    where the customer has none.
    """
    if _rows_are("companies", columns):
        found = [claim for claim in found if claim.field != FULL]
    if _rows_are("bookings", columns):
        found = [claim for claim in found if (claim.field, claim.why.code) != ("tagStr", "why-likely")]
    own = {claim.field for claim in found if not claim.guardian and claim.confidence >= TAKEN}
    own |= {"sms_phone", "whats_app_phone"} if own & {"sms_phone", "whats_app_phone"} else set()
    found = [claim for claim in found if not (claim.guardian and claim.field in own)]
    return _only_person(_short_names(found, columns), columns)


def _rows_are(rows: str, columns: Sequence[Column]) -> bool:
    """Return whether a column says that the rows are of a kind: `companies`, `animals` or `bookings`."""
    return any(normalize(column.name) in vocabulary.listed(rows) for column in columns)


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
    return "name" if field in scoring.NAMES else field


def _short_names(found: Sequence[Claim], columns: Sequence[Column]) -> list[Claim]:
    """Decide what “Name”, “Nom” or “Имя” means here: a whole name, or the part that no other column has."""
    names = {column.name for column in columns}
    short = {
        column.index
        for column in columns
        if {normalize(column.name), vocabulary.without_customer(column.name)}
        & vocabulary.listed("short_names")
        # 注文者名 is a whole name, beside 注文者姓 a part of it; so is 联系人（名） beside 联系人（姓）.
        or (_GIVEN.search(column.name) and _GIVEN.sub(r"姓\1", column.name) in names)
    }
    named = {claim.column for claim in found if claim.field in (FULL, FIRST, LAST)}
    short &= named
    parts = {
        field: [
            one.column
            for one in found
            if one.field == field and one.column not in short and one.confidence >= TAKEN
        ]
        for field in (FIRST, LAST)
    }
    kept = [one for one in found if one.column not in short or one.field not in (FULL, FIRST, LAST)]
    for index in sorted(short):
        own = max((one for one in found if one.column == index), key=lambda one: one.confidence)
        field = FULL
        for part, other in ((FIRST, LAST), (LAST, FIRST)):
            if parts[other] and not parts[part] and not _holds(columns[index], columns[parts[other][0]]):
                field = part
        confidence, why = own.confidence, own.why
        if field == FULL and own.field != FULL:
            firsts = any(
                one.field == FIRST and one.confidence >= scoring.SURE for one in found if one.column == index
            )
            if firsts and columns[index].cells and not _of_two_words(columns[index]):
                field = FIRST
        if (
            own.why.code != "why-values-differ"
            and field != FULL
            and (own.field != field or confidence < _BESIDE)
        ):
            beside = LAST if field == FIRST else FIRST
            confidence, why = (
                max(confidence, _BESIDE),
                Note("why-beside", (("field", field), ("beside", beside))),
            )
        kept.append(replace(own, field=field, confidence=confidence, why=why))
    return kept


def _holds(whole: Column, part: Column) -> bool:
    """Return whether most cells of one column hold the other's cell: “Ann Lee” holds “Lee”."""
    pairs = [(one, other) for one, other in zip(whole.cells, part.cells, strict=False)]
    return bool(pairs) and sum(other in one and one != other for one, other in pairs) > len(pairs) / 2


def _of_two_words(column: Column) -> bool:
    return 2 * sum(len(cell.split()) > 1 for cell in column.cells) > len(column.cells)


def _doubted(found: Sequence[Claim]) -> list[Claim]:
    """Doubt all columns that only look like phones, or like e-mail addresses, if there are several.

    It is not known which one messages should go to. Cells alone also give way to a column that is called
    so.
    """
    kept = []
    for claim in found:
        if claim.by_cells:
            rivals = [one for one in found if one.field == claim.field and one.column != claim.column]
            if any(not one.by_cells and one.confidence >= scoring.DOUBT for one in rivals):
                continue
            if any(one.by_cells for one in rivals) and claim.confidence > scoring.DOUBT:
                claim = replace(claim, confidence=scoring.DOUBT)
        kept.append(claim)
    return kept


def _whole_or_parts(found: Sequence[Claim]) -> list[Claim]:
    """Leave whole names out where columns hold their parts: only a name without parts is split."""
    parts = {claim.column for claim in found if claim.field in (FIRST, LAST) and claim.confidence >= TAKEN}
    whole = {claim.column for claim in found if claim.field == FULL and claim.confidence >= TAKEN}
    if parts - whole:
        return [claim for claim in found if claim.field != FULL]
    return list(found)


def _from_mapping(
    mapping: MappingFile, header: Sequence[str], contract: Contract, tenant_fields: Sequence[TenantField]
) -> list[Proposal]:
    fields: dict[str, tuple[str, bool]] = {}
    rules = {name: rule for name, rule in mapping.fields.items() if name in contract.names}
    for name, rule in {**rules, **mapping.custom}.items():
        present = [column for source in rule.source if (column := find_column(source, header))]
        if rule.split and not present and (whole := find_column(rule.split, header)):
            fields.setdefault(whole, (FIRST, True))
        for column in (*present, *(c for c in (find_column(rule.country_code or "", header),) if c)):
            fields.setdefault(column, (name, False))
    why = Note("why-ready-made", (("name", mapping.name),))
    found = {column: Proposal(column, name, 1.0, why, split) for column, (name, split) in fields.items()}
    for column, own in own_columns([name for name in header if name not in found], tenant_fields).items():
        label = Note("why-own-field", (("label", column), ("field", own.name)))
        found[column] = Proposal(column, own.name, _OWN, label)
    left_out = Note("why-not-in-mapping", (("name", mapping.name),))
    return [found.get(column) or Proposal(column, None, 1.0, left_out) for column in header]


def _column(index: int, name: str, cells: list[str | None] | None) -> Column:
    reading = vocabulary.read(name)
    if cells is None:
        return Column(index, name, (), 1.0, reading)
    cells = [cell.strip() for cell in cells if cell is not None]  # a sheet without the column has none
    filled = tuple(cell for cell in cells if cell and not is_nothing(cell))
    return Column(index, name, filled, len(filled) / len(cells) if cells else 1.0, reading)
