"""Apply a field's rule to its column, in a fixed order, by the kind of the field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import (
    constant,
    if_else,
    join_columns,
    join_nonempty,
    nonempty,
    offsets_and_bytes,
    rework,
    rework_all,
    starting_with,
    to_mask,
)
from importer.contracts import Field, FieldKind
from importer.mapping import dates, gender, person_names, phones, tags
from importer.mapping.dates import DateOrder
from importer.mapping.filters import RowFilter
from importer.mapping.headers import matches_pattern, normalize
from importer.mapping.person_names import NameRule
from importer.mapping.schema import FieldRule

_AMBIGUOUS = "\x00"
"""Marks dates whose order is not known; no cell begins with it."""
_TOLD = 3
"""So many of a rule's formats are told."""


@dataclass(frozen=True, slots=True)
class UnreadableValues:
    """Values that the mapping cannot read: an issue for each row of the mask."""

    code: str
    where: np.ndarray
    """bool, one for each row."""
    expected: Callable[[str], str | None] = lambda _: None
    """What would have been right, from the text that was found."""
    wording: str | None = None
    """The message that says it better than the code's own."""


@dataclass(frozen=True, slots=True)
class BoundField:
    """One field's rule, tied to the columns of a file."""

    field: Field
    rule: FieldRule
    sources: tuple[str, ...]
    country_code: str | None = None
    name_rule: NameRule | None = None
    """Given only if the one source holds full names to split."""
    when: RowFilter | None = None

    @property
    def own_gender_header(self) -> bool:
        """Only below the API's own header are 1 and 0 the API's codes (DESIGN.md, “Values”)."""
        return len(self.sources) == 1 and self.sources[0].strip() == self.field.name

    @property
    def iberian_header(self) -> bool:
        """Below Sexo and Género M can mean mujer."""
        return (
            len(self.sources) == 1
            and normalize(self.sources[0]) in ("sexo", "genero")
            and not self.rule.values
        )


def gathered(step: BoundField, cell: Callable[[str], pa.Array], rows: int) -> pa.Array:
    """The cells of a step's columns as one (constant, first filled or joined), replaced as the rule says."""
    rule = step.rule
    if rule.constant is not None:
        return constant(rule.constant, rows)
    if not step.sources:
        return constant("", rows)
    column = _together(parts(step, cell), rule.join)
    if step.when is not None:
        column = if_else(step.when.excluded(cell(step.when.column)), "", column)
    if rule.several_at or rule.behind:
        column = rework_all(column, lambda text: _one_of(text, rule))
    if step.name_rule:
        name_rule, place = step.name_rule, int(step.field.name == "last_name")
        column = rework_all(column, lambda text: person_names.split(text, name_rule)[place])
    if rule.values:
        table = {key.strip().casefold(): value for key, value in rule.values.items()}
        column = rework_all(column, lambda text: table.get(text.strip().casefold(), text))
    return column


def parts(step: BoundField, cell: Callable[[str], pa.Array]) -> list[pa.Array]:
    """The cells of each of a step's columns, those that mean “empty” emptied."""
    return [_without(cell(source), step.rule.nothing) for source in step.sources]


def finished(step: BoundField, column: pa.Array) -> pa.Array:
    """Case, default and length, after the value itself is read."""
    rule = step.rule
    if rule.case != "keep":
        kernel = {"upper": pc.utf8_upper, "lower": pc.utf8_lower, "title": pc.utf8_title}[rule.case]
        column = kernel(column)
    if rule.default is not None:
        column = if_else(nonempty(column), column, rule.default)
    if rule.shorten and step.field.max_length:
        column = pc.utf8_slice_codeunits(column, 0, step.field.max_length)
    return column


def read(
    step: BoundField, column: pa.Array, cell: Callable[[str], pa.Array], letters: gender.Letters
) -> tuple[pa.Array, list[UnreadableValues]]:
    """The column as the field's kind wants it, and what could not be read (left as found); dates have
    `read_dates`. `letters` is asked only where a value needs all single letters of the whole column."""
    match step.field.kind:
        case FieldKind.PHONE | FieldKind.DIGITS:
            code = cell(step.country_code) if step.country_code else None
            return phones.read(column, step.rule, code), []
        case FieldKind.GENDER:
            own = step.own_gender_header or _mapped_to_codes(step.rule)
            coded, bad = gender.codes(column, own, letters if step.iberian_header else None)
            return coded, [UnreadableValues("bad-gender", bad)] if bad.any() else []
        case FieldKind.TAGS:
            return tags.comma_separated(column, step.rule.separators, step.rule.nothing), []
    return column, []


def read_dates(
    column: pa.Array, formats: Sequence[str], order: Callable[[], DateOrder]
) -> tuple[pa.Array, list[UnreadableValues]]:
    """Dates as yyyy-MM-dd; other texts by the formats or by the order that `order` finds proved."""
    where = dates.unread(column)
    if not where.any():
        return column, []
    unread = column.filter(pa.array(where))
    read, faults = _by_formats(unread, tuple(formats)) if formats else _by_order(unread, order)
    faults = [replace(fault, where=_among(where, fault.where)) for fault in faults]
    return pc.replace_with_mask(column, pa.array(where), read), faults


def _by_formats(column: pa.Array, formats: tuple[str, ...]) -> tuple[pa.Array, list[UnreadableValues]]:
    """The same for texts of which none is yyyy-MM-dd yet."""
    wanted = ", ".join([*formats[:_TOLD], *["…"] * (len(formats) > _TOLD)])
    column = rework_all(column, lambda text: dates.by_format(text, formats) or dates.year_first(text) or text)
    where = dates.unread(column)
    fault = UnreadableValues("bad-date", where, lambda _: wanted, "date-in-no-format")
    return column, [fault] if where.any() else []


def _by_order(column: pa.Array, order: Callable[[], DateOrder]) -> tuple[pa.Array, list[UnreadableValues]]:
    """The same by the order that a whole column proves."""
    column = dates.dashed(column)
    where = dates.unread(column)

    def day(text: str) -> str:
        plain = dates.year_first(text)
        if plain or dates.readings(text) is None:
            return plain or text
        return dates.ordered(text, order()) or _AMBIGUOUS + text

    column = rework(column, where, day)
    where = starting_with(column, _AMBIGUOUS)
    if not where.any():
        return column, []
    column = rework(column, where, lambda text: text.removeprefix(_AMBIGUOUS))
    wording = "contradictory-dates" if order() is DateOrder.CONTRADICTORY else None
    return column, [UnreadableValues("ambiguous-date", where, both_readings, wording)]


def _among(mask: np.ndarray, part: np.ndarray) -> np.ndarray:
    """A mask over the rows at which another one is true, as a mask over all rows."""
    found = np.zeros(len(mask), dtype=bool)
    found[mask] = part
    return found


def both_readings(text: str) -> str | None:
    """The days that a year-last date can mean: 1990-07-05 / 1990-05-07."""
    both = dates.readings(text.strip())
    return " / ".join(dict.fromkeys(filter(None, both))) if both else None


def full_names(full: pa.Array | None, first: pa.Array, last: pa.Array) -> pa.Array:
    """Full names, made from first and last where empty: with a blank, Chinese ones without."""
    made = join_nonempty((first, last), " ")
    if not offsets_and_bytes(made)[1].tobytes().isascii():
        han = to_mask(pc.match_substring_regex(first, f"{person_names.HAN}$"))
        han &= to_mask(pc.match_substring_regex(last, f"^{person_names.HAN}"))
        made = if_else(han, join_columns(first, last), made)
    return made if full is None else if_else(nonempty(full), full, made)


def _together(parts: Sequence[pa.Array], join: str | None) -> pa.Array:
    if len(parts) == 1:
        return parts[0]
    if join is not None:
        return join_nonempty(parts, join)
    column = parts[0]
    for part in parts[1:]:
        some = nonempty(column)
        if some.all():
            break
        column = if_else(some, column, part)
    return column


def _one_of(text: str, rule: FieldRule) -> str:
    parts = [text]
    for mark in rule.several_at:
        parts = [piece for part in parts for piece in part.split(mark)]
    found = [part.strip() for part in parts if part.strip()]
    if rule.behind is not None:
        mark = rule.behind.casefold()
        found = [part[len(mark) :].strip() for part in found if part.casefold().startswith(mark)]
    return found[rule.take - 1] if len(found) >= rule.take else ""


def _without(column: pa.Array, nothing: Sequence[str]) -> pa.Array:
    if not nothing:
        return column
    return rework_all(column, lambda text: "" if any(matches_pattern(one, text) for one in nothing) else text)


def _mapped_to_codes(rule: FieldRule) -> bool:
    return (bool(rule.values) and set(rule.values.values()) <= {"0", "1", ""}) or rule.constant in ("0", "1")
