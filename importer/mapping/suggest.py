"""Propose the field that each column of an unknown file most likely feeds, with confidence and reason.

Each column claims fields (`claims`). Then the other columns have their say (`neighbours`), and the claims are
settled for the whole header at once (`assignment`): no column gets two fields, and no field two columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from importer import arrow
from importer.contracts import Contract
from importer.mapping import claims as scoring
from importer.mapping import consent, neighbours, vocabulary
from importer.mapping.addresses import joined_address
from importer.mapping.assignment import Claim, assign
from importer.mapping.base import is_key
from importer.mapping.claims import FIRST, FULL, LAST, Column
from importer.mapping.custom_fields import by_choices, contradicts, own_columns, preset_columns
from importer.mapping.headers import find_column, normalize, recognised, share_sheet
from importer.mapping.nothing import is_nothing
from importer.mapping.proposals import TAKEN, Proposal
from importer.mapping.rules import MappingFile
from importer.models import Note, TenantField

if TYPE_CHECKING:
    import pandas as pd

_MENTIONED = 0.01
_LOOKED_AT = 200
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
    if samples is not None and len(samples) > _LOOKED_AT:
        samples = samples.head(_LOOKED_AT)
    looked_at = () if samples is None else samples.items()
    cells = {str(name): arrow.to_arrow(column).to_pylist() for name, column in looked_at}
    beginning = vocabulary.common_beginning(header)
    columns = [_column(index, name, cells.get(name), beginning) for index, name in enumerate(header)]
    columns = neighbours.about_customers(columns)
    found_claims = [
        claim
        for column in columns
        if not is_key(column.name) and normalize(column.name)
        for claim in scoring.of_column(column)
    ]
    found_claims = scoring.with_languages(found_claims, columns)
    found_claims = neighbours.in_context(found_claims, columns)
    found_claims = [one for one in found_claims if one.field in (*contract.names, FULL)]
    found_claims += _own_claims(columns, fields, contract)
    found_claims = neighbours.doubted(found_claims)
    if FULL not in contract.names:
        found_claims = neighbours.whole_or_parts(found_claims)
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
    if consent.kind_of(column) in ("given", "refused"):
        return Note("why-consent")
    return Note("why-something-else" if "something-else" in roles else "why-unknown")


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


def _column(index: int, name: str, cells: list[str | None] | None, beginning: str) -> Column:
    reading = vocabulary.read(name.removeprefix(beginning))
    if cells is None:
        return Column(index, name, (), 1.0, reading)
    cells = [cell.strip() for cell in cells if cell is not None]  # a sheet without the column has none
    filled = tuple(cell for cell in cells if cell and not is_nothing(cell))
    return Column(index, name, filled, len(filled) / len(cells) if cells else 1.0, reading)
