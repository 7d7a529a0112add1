"""Match headers: when two are the same name, which field a name stands for, which mapping a file needs.

Case, blanks, dashes, underscores, accents and character width do not count. `aliases.toml` holds the known
names. If several mappings fit a header, the error names them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, Self

from importer import contracts
from importer.contracts import Contract
from importer.dataclass import dataclass
from importer.errors import MappingError
from importer.escaping import as_argument
from importer.mapping import loader, person_names
from importer.mapping.base import (
    is_key,
    matches_pattern,
    names_in,
    packaged_index,
    packaged_words,
    quote_names,
)
from importer.mapping.rules import CustomRule, FieldRule, HeaderMatch, MappingFile
from importer.models import Note
from importer.patterns import late_pattern

_BRACKETS = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")
_REMARK = late_pattern(
    r"必填|选填|可选|必须|格式|必須|任意|例|required|optional|mandatory|format|\bdd\b|\bmm/|yyyy|\byy\b|aaaa|jjjj"
    r"|\be\.g|\bex[.:]|z\. ?b|p\. ?ej|contoh|ví dụ|obligatori[oa]|opcional|wajib|bắt buộc|obligatoire|pflicht"
    r"|zorunlu|=|\d/\d|\.\.\.|…",
    re.IGNORECASE,
)
# Letters that are written in several ways, and a mark that only stretches a word.
_ONE_LETTER = str.maketrans(
    {"đ": "d", "ı": "i", "ø": "o", "ł": "l", "ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": None}
)
_SURE = "sure"
_NEITHER = re.compile(r"[^0-9a-z]+")
_ACCENT = re.compile(r"[\u0300-\u036f\u064b-\u065f]")


@lru_cache(maxsize=65536)
def normalize(name: str) -> str:
    """Return the letters and digits of a header, in one case and width, without accents; may be empty."""
    if name.isascii():
        return _NEITHER.sub("", name.lower())
    folded = unicodedata.normalize("NFKC", name).casefold().translate(_ONE_LETTER)
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFKD", folded)))
    return "".join(c for c in folded if c.isalnum() or unicodedata.category(c)[0] == "M")


def without_remarks(name: str) -> str:
    """Return the header without bracketed remarks on how to fill it in: “手机号（必填）” is 手机号."""
    return _BRACKETS.sub(lambda found: "" if _REMARK.search(found[0]) else found[0], name)


def find_column(name: str, header: Sequence[str]) -> str | None:
    """Return the first column that a mapping may mean by `name`, or None."""
    return next(iter(matching_columns(name, header)), None)


def matching_columns(name: str, header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a mapping may mean by `name`, in the file's order.

    The same text wins over the same name in another spelling. A `*` stands for any text: Intercom writes the
    time zone into its headers.
    """
    if name in header:
        return (name,)
    if "*" in name:
        return tuple(column for column in header if matches_pattern(name, column))
    wanted = normalize(name)
    return tuple(column for column in header if wanted and normalize(column) == wanted)


@dataclass(frozen=True, slots=True)
class Alias:
    """One known name of a field."""

    field: str
    label: str
    language: str
    """`api` for the API's own name."""
    sure: bool

    @classmethod
    def of_line(cls, line: str) -> Self:
        """Return what a line of an index says of a name: `first_name|First Name|en|sure`."""
        field, label, language, level = line.split("|")
        return cls(field, label, language, level == _SURE)


@cache
def api_names() -> Mapping[str, str]:
    """Return the API's names of every contract by their normal form.

    Undocumented fields are left out: only a mapping may name them.
    """
    fields = (field for contract in contracts.NAMES for field in contracts.load(contract).fields)
    return {normalize(field.name): field.name for field in fields if field.documented}


def known_names() -> Mapping[str, str]:
    """Return all known names by their normal form, each with a line for every field that it stands for.

    The most usual ones come first. Few of them are looked for, so that lines are read when they are.
    """
    names: Mapping[str, str] = packaged_index("names.json")["names"]
    return names


def meanings(header: str) -> tuple[Alias, ...]:
    """Return the fields that a header may mean; remarks in brackets (“必填”) do not count."""
    for text in (header, without_remarks(header)):
        lines = known_names().get(normalize(text))
        if lines:
            return tuple(map(Alias.of_line, lines.split("\n")))
    return ()


def sure_field(header: str) -> str | None:
    """Return the one field that a header surely means, or None."""
    fields = {alias.field for alias in meanings(header) if alias.sure}
    return fields.pop() if len(fields) == 1 else None


def usual_field(header: str, fed: Container[str]) -> str:
    """Return the field that a header surely means, if it is not among those fed; else an empty text."""
    field = sure_field(header)
    return field if field and field not in fed else ""


def holds_salutations(header: str) -> bool:
    """Return whether a column is called like one of forms of address: Anrede, Civilité, 称谓."""
    return normalize(header) in _salutation_headers()


@cache
def _salutation_headers() -> frozenset[str]:
    return frozenset(map(normalize, packaged_index("words.json")["salutations"]["headers"]))


def sure_names() -> tuple[str, ...]:
    """Return the normal forms of the sure names of one field only: fuzzy matching compares with these."""
    names = known_names().items()
    return tuple(name for name, line in names if line.endswith(f"|{_SURE}") and "\n" not in line)


def all_aliases() -> Iterator[Alias]:
    """Yield all known names in the order of the data: the API's own, then the sure, then the likely ones."""
    for name in api_names().values():
        yield Alias(name, name, "api", sure=True)
    for sure in (True, False):
        for field, levels in _tables().items():
            for language, labels in levels.get("sure" if sure else "likely", {}).items():
                for label in names_in(labels):
                    yield Alias(field, label, language, sure)


def _tables() -> dict[str, Any]:
    return packaged_words("aliases.toml")


_MOST_LISTED = 20
"""The most columns that a message lists: exports of address books have seventy."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The mapping that fits a header."""

    mapping: MappingFile
    how: Literal["ready-made", "headers"]
    left_out: tuple[str, ...]
    """Columns that go nowhere."""
    notes: tuple[Note, ...] = ()


def is_known_name(name: str) -> bool:
    """Return whether a text is a known header: an API name, a label, or a column of a ready-made mapping."""
    found = normalize(name)
    return bool(found) and any(
        one in known_names() or one in _ready_columns() for one in (found, normalize(without_remarks(name)))
    )


def choose(
    header: Sequence[str],
    contract: Contract,
    file: str = "FILE",
    sheets: Sequence[Sequence[str]] = (),
    labels: Mapping[str, str] | None = None,
) -> Choice:
    """Return the ready-made mapping that a header identifies, else one made of the header itself.

    The latter takes the columns whose header surely means a field. `file` is what the person called the file,
    for the command in an error. `sheets` are the headers that `header` unites, if there are several. `labels`
    are columns that the tenant's list of fields calls like a field of the API.

    Raises MappingError: `mapping-doubtful` (several ready-made ones fit), `mapping-two-columns` (two columns
    of a sheet claim one field), `mapping-none-fits` (a required field has no column), `mapping-full-name`
    (the required names are in a column of full names), `mapping-name-unclear` (a column may hold the whole
    name or a part of it).
    """
    named = tuple(name for name in header if name.strip())
    candidates = recognised(named)
    if len(candidates) > 1:
        raise MappingError("mapping-doubtful", candidates=", ".join(mapping.name for mapping in candidates))
    if candidates:
        mapping = candidates[0]
        left_out = _unused(mapping, header, sheets)
        recognised_as = (("name", mapping.name), ("title", mapping.title or mapping.name))
        return Choice(mapping, "ready-made", left_out, (Note("mapping-recognised", recognised_as),))
    mapping = from_header(header, contract, file, sheets, labels)
    left_out = _unused(mapping, header, sheets)
    return Choice(mapping, "headers", left_out)


def recognised(header: Sequence[str]) -> tuple[MappingFile, ...]:
    """Return the ready-made mappings whose `match` a header fulfils."""
    texts = frozenset(name.strip().casefold() for name in header)
    fitting = [
        loader.ready_mapping(name)
        for name, (match, columns) in packaged_index("names.json")["ready_matches"].items()
        if _may_fit(match, texts) and _fits(HeaderMatch.of_table(match), columns, texts)
    ]
    sharp = [mapping for mapping in fitting if mapping.match and not mapping.match.yields]
    return tuple(sharp or fitting)


def from_header(
    header: Sequence[str],
    contract: Contract,
    file: str = "FILE",
    sheets: Sequence[Sequence[str]] = (),
    labels: Mapping[str, str] | None = None,
) -> MappingFile:
    """Return a mapping made of the columns whose header surely means a field of the contract.

    Two columns may mean the same field only if no sheet has both. The tenant's own `labels` of the API's
    fields fill what the known names leave.

    Raises MappingError `mapping-two-columns`, `mapping-full-name`, `mapping-name-unclear` or
    `mapping-none-fits`.
    """
    claims: dict[str, list[str]] = {}
    custom: dict[str, CustomRule] = {}
    for column in header:
        if is_key(column):
            custom[column.strip()] = CustomRule((column,))
            continue
        field = sure_field(column)
        if field is None or field not in contract.names:
            twin = next((name for name, columns in claims.items() if _repeats(column, columns)), None)
            if twin:
                claims[twin].append(column)
            continue
        for one in claims.setdefault(field, []):
            if share_sheet(one, column, sheets):
                claim = {"field": field, "one": one, "other": column, "file": as_argument(file)}
                raise MappingError("mapping-two-columns", **claim)
        claims[field].append(column)
    for column, field in (labels or {}).items():
        if field not in claims and sure_field(column) is None:
            claims[field] = [column]
    if "gender" not in claims and (titles := next(filter(holds_salutations, header), None)):
        claims["gender"] = [titles]
    unfed = unfed_fields(claims, contract)
    if unfed:
        raise _unfed_error(unfed, header, claims, file)
    rules = {name: FieldRule(tuple(claims[name])) for name in contract.names if name in claims}
    return MappingFile(name="headers", fields=rules, custom=custom)


def _unfed_error(
    unfed: Sequence[str], header: Sequence[str], claims: Mapping[str, Sequence[str]], file: str
) -> MappingError:
    """Return the error of a header that feeds not all required fields. A column of names may settle it."""
    found = {"fields": ", ".join(unfed), "header": quote_names(header), "file": as_argument(file)}
    taken = {column for columns in claims.values() for column in columns}
    names = [
        column
        for column in header
        if column not in taken and any(alias.field in person_names.FIELDS for alias in meanings(column))
    ]
    whole = [column for column in names if sure_field(column) == "full_name"]
    if not names or not set(person_names.FIELDS).issuperset(unfed):
        return MappingError("mapping-none-fits", **found)
    if whole and not claims.keys() & person_names.FIELDS:
        return MappingError("mapping-full-name", column=whole[0], **found)
    return MappingError("mapping-name-unclear", column=(whole or names)[0], **found)


def _repeats(column: str, others: Sequence[str]) -> bool:
    """Return whether a column has the name of another one, numbered by the reader: “Phone (2)”.

    It is read where the first one is empty.
    """
    return any(re.fullmatch(re.escape(one) + r" \(\d+\)", column) for one in others)


def share_sheet(one: str, other: str, sheets: Sequence[Sequence[str]]) -> bool:
    """Return whether a sheet has both columns; `sheets` holds the header of each, if there are several."""
    return not sheets or any(one in sheet and other in sheet for sheet in sheets)


def unfed_fields(fed: Collection[str], contract: Contract) -> list[str]:
    """Return the required fields that are not among those fed; a full name can be made of its parts."""
    found = [field.name for field in contract.fields if field.required and field.name not in fed]
    if "full_name" in found and not {"first_name", "last_name"}.isdisjoint(fed):
        found.remove("full_name")
    return found


def _may_fit(match: Mapping[str, Any], header: frozenset[str]) -> bool:
    """Return whether a header has all names that need no pattern: of nearly all mappings it has not."""
    return all("*" in name or name.strip().casefold() in header for name in match.get("all", ()))


def _fits(match: HeaderMatch, columns: Sequence[str], header: frozenset[str]) -> bool:
    def has(name: str) -> bool:
        if "*" in name:
            return any(matches_pattern(name, column) for column in header)
        return name.strip().casefold() in header

    if not all(has(name) for name in match.all) or any(has(name) for name in match.none):
        return False
    if match.any and not any(has(name) for name in match.any):
        return False
    return match.others or header <= {name.strip().casefold() for name in columns}


def _unused(mapping: MappingFile, header: Sequence[str], sheets: Sequence[Sequence[str]]) -> tuple[str, ...]:
    used = {find_column(name, sheet) for name in mapping.columns() for sheet in sheets or (header,)}
    return tuple(name for name in header if name not in used)


def left_out_note(names: Sequence[str]) -> tuple[Note, ...]:
    """Return the note that tells which columns go nowhere, if any do."""
    if not names:
        return ()
    more = f", … (+{len(names) - _MOST_LISTED})" if len(names) > _MOST_LISTED else ""
    return (Note("columns-left-out", (("columns", quote_names(names[:_MOST_LISTED]) + more),)),)


@cache
def _ready_columns() -> frozenset[str]:
    return frozenset(packaged_index("names.json")["ready_columns"])
