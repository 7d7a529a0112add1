"""Propose the field that each column of an unknown file most likely feeds, with confidence and reason.

A column claims fields by its name (`headers`), by a similar name, and by its cells (`evidence`). Then the
neighbours are looked at, and the surest claim on each field wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

from importer.contracts import Contract, FieldKind
from importer.mapping import custom_fields, evidence, headers
from importer.mapping.headers import (
    find_column,
    normalize,
    recognised,
    share_sheet,
    without_brackets,
    without_remarks,
)
from importer.mapping.schema import MappingFile, field_kinds
from importer.models import Note

if TYPE_CHECKING:
    import pandas as pd

TAKEN = 0.6
"""A proposal of at least this confidence is taken; any other is only mentioned."""
_API, _SURE, _LIKELY = 1.0, 0.95, 0.7
_BARE, _CORE = 0.9, 0.8
_CELLS, _DOUBT = 0.65, 0.5
_BY_CONTENT = 99
"""The rank of a claim by the cells alone: after all others."""
_ALIKE = 88
_FULL, _FIRST, _LAST = "full_name", "first_name", "last_name"
# Names that mean a full name alone and a first name beside a last-name column.
_SHORT = {normalize(name) for name in ("Name", "Nombre", "Nome", "Nama", "Tên")}


@dataclass(frozen=True, slots=True)
class Proposal:
    """The field that one column most likely feeds."""

    column: str
    field: str | None
    """The API field, or the key of a custom field; None if the column would be left out."""
    confidence: float
    """0 to 1."""
    why: Note
    split: bool = False
    """True if the column holds full names, of which `field` and last_name each take a part."""

    @property
    def reason(self) -> str:
        """Why, in English."""
        return self.why.sentence()

    @property
    def taken(self) -> bool:
        """Whether the proposal is sure enough to be used without asking a person."""
        return self.field is not None and self.confidence >= TAKEN


@dataclass(frozen=True, slots=True)
class _Claim:
    """One reason to take one column for one field."""

    column: int
    """Its index in the header."""
    field: str
    confidence: float
    rank: int
    """Decides between claims of the same confidence: the lowest wins."""
    why: Note


def propose(
    header: Sequence[str],
    samples: pd.DataFrame | None,
    contract: Contract,
    *,
    ready_made: bool = True,
    sheets: Sequence[Sequence[str]] = (),
) -> tuple[Proposal, ...]:
    """Return one proposal for each column, in order.

    `samples` holds some rows of text under the same column names, or is None. Cells that a field could not
    hold make its column less likely. With `ready_made`, a mapping that the header identifies decides.
    `sheets` are the headers that `header` unites, if there are several: proposals are made for each of them
    separately.
    """
    known = recognised(header) if ready_made else ()
    if len(known) == 1:
        return tuple(_from_mapping(known[0], header, contract))
    if len(sheets) > 1:
        found = [one for names in sheets for one in propose(names, samples, contract, ready_made=False)]
        return _united(header, found, sheets)
    cells = {name: _cells(samples, name) for name in header}
    claims = [claim for index, name in enumerate(header) for claim in _claims(index, name, cells[name])]
    claims = [claim for claim in _in_context(claims, header) if claim.field in (*contract.names, _FULL)]
    claims = _doubted(claims)
    winners = _winners(claims)
    if _FULL not in contract.names:
        winners = _split_names(winners)
    won = {claim.column: (field, claim, split) for field, (claim, split) in winners.items()}
    best: dict[int, _Claim] = {}
    for claim in claims:
        if claim.column not in best or claim.confidence > best[claim.column].confidence:
            best[claim.column] = claim
    return tuple(_proposal(name, won.get(index), best.get(index)) for index, name in enumerate(header))


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
    fields = [{_FIRST, _LAST} if each.split else {each.field} for each in (one, other)]
    if fields[0].isdisjoint(fields[1]):
        return False
    return one.split or other.split or share_sheet(one.column, other.column, sheets)


def _proposal(column: str, won: tuple[str, _Claim, bool] | None, best: _Claim | None) -> Proposal:
    if custom_fields.is_key(column):
        return Proposal(column, column.strip(), _API, Note("why-custom"))
    if won is not None:
        field, claim, split = won
        why = Note("why-split", claim.why.found) if split else claim.why
        return Proposal(column, field, round(claim.confidence, 2), why, split)
    if best is None:
        return Proposal(column, None, 0.0, Note("why-unknown"))
    return Proposal(column, None, round(1 - best.confidence, 2), Note("why-taken", (("field", best.field),)))


def _claims(index: int, column: str, cells: Sequence[str]) -> list[_Claim]:
    if custom_fields.is_key(column) or not normalize(column):
        return []
    found = _by_name(index, column) or _by_likeness(index, column)
    return [_weighed(claim, cells) for claim in found] or _by_content(index, column, cells)


def _by_content(index: int, column: str, cells: Sequence[str]) -> list[_Claim]:
    """Return what the cells say, for a name that says nothing."""

    def claim(field: str, confidence: float) -> list[_Claim]:
        return [_Claim(index, field, confidence, _BY_CONTENT, Note("why-values", (("field", field),)))]

    if evidence.confirms(FieldKind.EMAIL, cells):
        return claim("email", _CELLS)
    if headers.means_something_else(column):
        return []
    if evidence.are_phones(cells):
        return claim("sms_phone", _CELLS)
    return claim("birthday", _DOUBT) if evidence.are_birthdays(cells) else []


def _by_name(index: int, column: str) -> list[_Claim]:
    bare = without_brackets(column)
    variants = [(column, 1.0), (without_remarks(column), 1.0), (bare, _BARE)]
    variants += [(core, _CORE) for text in (column, bare) if (core := headers.core_name(text))]
    for text, factor in variants:
        if factor < 1 and normalize(text) in headers.other_names():
            return []
        found = headers.aliases_by_name().get(normalize(text), ())
        if found:
            return [_claim(index, alias, factor, column) for alias in found]
    return []


def _claim(index: int, alias: headers.Alias, factor: float, column: str) -> _Claim:
    base = _API if alias.language == "api" else _SURE if alias.sure else _LIKELY
    code = "why-api-name" if alias.language == "api" else "why-alias" if alias.sure else "why-likely"
    if factor < 1:
        code = "why-core"
    found = (("label", alias.label), ("field", alias.field), ("language", alias.language))
    rank = 0 if headers.says_mobile(column) else _ranks()[normalize(alias.label)]
    return _Claim(index, alias.field, base * factor, rank, Note(code, found))


@cache
def _ranks() -> dict[str, int]:
    """Return the position of each known name in the data, which lists the most usual ones first."""
    return {name: rank for rank, name in enumerate(headers.aliases_by_name())}


def _by_likeness(index: int, column: str) -> list[_Claim]:
    name = normalize(column)
    if len(name) < 4 or name in headers.other_names():
        return []
    known = headers.sure_names()
    best = process.extractOne(name, known.keys(), scorer=fuzz.ratio, score_cutoff=_ALIKE)
    if best is None or _digits(best[0]) != _digits(name) or best[0][:1] != name[:1]:
        return []
    alias = known[best[0]]
    found = (("label", alias.label), ("field", alias.field), ("percent", round(best[1])))
    return [_Claim(index, alias.field, 0.75 * best[1] / 100, 98, Note("why-alike", found))]


def _weighed(claim: _Claim, cells: Sequence[str]) -> _Claim:
    kind = field_kinds().get(claim.field, FieldKind.TEXT)
    if evidence.contradicts(kind, cells):
        why = Note("why-values-differ", claim.why.found)
        return replace(claim, confidence=claim.confidence * 0.4, why=why)
    return claim


def _in_context(claims: Sequence[_Claim], header: Sequence[str]) -> list[_Claim]:
    """Read names by their neighbours.

    “Name” beside last names and no other first names is a first name. A company's name is no person's.
    """
    if headers.lists_companies(header):
        claims = [claim for claim in claims if claim.field != _FULL]
    fields = {claim.field for claim in claims}
    if _LAST not in fields or any(
        claim.field == _FIRST and normalize(header[claim.column]) not in _SHORT for claim in claims
    ):
        return list(claims)
    beside = Note("why-beside", (("field", _FIRST),))
    return [
        replace(claim, field=_FIRST, confidence=0.85, why=beside)
        if claim.field == _FULL and normalize(header[claim.column]) in _SHORT
        else claim
        for claim in claims
    ]


def _doubted(claims: Sequence[_Claim]) -> list[_Claim]:
    """Doubt all columns that only look like phones, if there are several.

    It is not known which one messages should go to.
    """
    alike = [claim for claim in claims if claim.field == "sms_phone" and claim.rank == _BY_CONTENT]
    doubtful = alike if len(alike) > 1 else []
    return [replace(claim, confidence=_DOUBT) if claim in doubtful else claim for claim in claims]


def _winners(claims: Sequence[_Claim]) -> dict[str, tuple[_Claim, bool]]:
    """Return for each field the claim that is surest; a column wins one field only."""
    found: dict[str, tuple[_Claim, bool]] = {}
    used: set[int] = set()
    for claim in sorted(claims, key=lambda one: (-one.confidence, one.rank, one.column)):
        if claim.field not in found and claim.column not in used:
            found[claim.field] = (claim, False)
            used.add(claim.column)
    return found


def _split_names(winners: dict[str, tuple[_Claim, bool]]) -> dict[str, tuple[_Claim, bool]]:
    """Let a full name feed first and last name, unless there is a column for either."""
    full = winners.pop(_FULL, None)
    if full and not winners.keys() & {_FIRST, _LAST}:
        winners[_FIRST] = (full[0], True)
    return winners


def _from_mapping(mapping: MappingFile, header: Sequence[str], contract: Contract) -> list[Proposal]:
    fields: dict[str, tuple[str, bool]] = {}
    rules = {name: rule for name, rule in mapping.fields.items() if name in contract.names}
    for name, rule in {**rules, **mapping.custom}.items():
        present = [column for source in rule.source if (column := find_column(source, header))]
        if rule.split and not present and (whole := find_column(rule.split, header)):
            fields.setdefault(whole, (_FIRST, True))
        for column in (*present, *(c for c in (find_column(rule.country_code or "", header),) if c)):
            fields.setdefault(column, (name, False))
    why = Note("why-ready-made", (("name", mapping.name),))
    return [
        Proposal(column, fields[column][0], 1.0, why, fields[column][1])
        if column in fields
        else Proposal(column, None, 1.0, Note("why-not-in-mapping", (("name", mapping.name),)))
        for column in header
    ]


def _cells(samples: pd.DataFrame | None, column: str) -> list[str]:
    if samples is None or column not in samples.columns:
        return []
    filled = (text for cell in samples[column].tolist() if (text := str(cell)).strip())
    return list(islice(filled, 200))


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
