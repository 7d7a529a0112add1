"""What headers mean: when two are the same name, which field a name stands for, which mapping a file needs.

Case, blanks, dashes, underscores, accents and character width do not count. `aliases.toml` holds the known
names. Where several mappings fit a header, the error names them.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

from importer import contracts
from importer.contracts import Contract
from importer.errors import MappingError
from importer.mapping import loader
from importer.mapping.schema import CustomRule, FieldRule, HeaderMatch, MappingFile
from importer.models import Note

_NOT_A_LETTER = re.compile(r"[\W_]+")
_BRACKETS = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")
_REMARK = re.compile(
    r"必填|选填|可选|必须|格式|required|optional|mandatory|format|yyyy"
    r"|obligatori[oa]|opcional|wajib|bắt buộc",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def normalize(name: str) -> str:
    """The letters and digits of a header, in one case and width, without accents; may be empty."""
    folded = unicodedata.normalize("NFKC", name).casefold().replace("đ", "d").replace("ı", "i")
    bare = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return _NOT_A_LETTER.sub("", unicodedata.normalize("NFC", bare))


def without_remarks(name: str) -> str:
    """The header without bracketed remarks on how to fill it in: “手机号（必填）” is 手机号."""
    return _BRACKETS.sub(lambda found: "" if _REMARK.search(found[0]) else found[0], name)


def without_brackets(name: str) -> str:
    """The header without anything in brackets: “类型(1:个人；2:公司)” is 类型."""
    return _BRACKETS.sub("", name)


def find_column(name: str, header: Sequence[str]) -> str | None:
    """The first column that a mapping may mean by `name`, or None."""
    return next(iter(matching_columns(name, header)), None)


def matching_columns(name: str, header: Sequence[str]) -> tuple[str, ...]:
    """The columns that a mapping may mean by `name`, in the file's order.

    The same text wins over the same name in another spelling; a `*` stands for any text (Intercom writes the
    time zone into its headers).
    """
    if name in header:
        return (name,)
    if "*" in name:
        return tuple(column for column in header if matches_pattern(name, column))
    wanted = normalize(name)
    return tuple(column for column in header if wanted and normalize(column) == wanted)


def matches_pattern(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern in which `*` stands for any text; case does not count."""
    parts = (re.escape(part) for part in pattern.strip().split("*"))
    return re.fullmatch(".*".join(parts), text.strip(), re.IGNORECASE | re.DOTALL) is not None


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: “A”, “B”."""
    return ", ".join(f"“{name}”" for name in names)


@dataclass(frozen=True, slots=True)
class Alias:
    """One known name of a field."""

    field: str
    label: str
    language: str
    """`api` for the API's own name."""
    sure: bool


@cache
def api_names() -> Mapping[str, str]:
    """The API's names of every contract by their normal form; not the undocumented ones, which only a mapping
    may name."""
    fields = (field for contract in contracts.NAMES for field in contracts.load(contract).fields)
    return {normalize(field.name): field.name for field in fields if field.documented}


@cache
def aliases_by_name() -> Mapping[str, tuple[Alias, ...]]:
    """All known names by their normal form; a name can stand for several fields."""
    found: dict[str, list[Alias]] = {}
    for alias in all_aliases():
        known = found.setdefault(normalize(alias.label), [])
        if all(other.field != alias.field for other in known):
            known.append(alias)
    return {name: tuple(aliases) for name, aliases in found.items()}


def meanings(header: str) -> tuple[Alias, ...]:
    """What a header may mean: none, one or several fields; remarks in brackets (“必填”) don't count."""
    for text in (header, without_remarks(header)):
        found = aliases_by_name().get(normalize(text))
        if found:
            return found
    return ()


def sure_field(header: str) -> str | None:
    """The one field that a header surely means, or None."""
    fields = {alias.field for alias in meanings(header) if alias.sure}
    return fields.pop() if len(fields) == 1 else None


@cache
def sure_names() -> Mapping[str, Alias]:
    """Sure names of one field only, by their normal form: what likeness is measured against."""
    return {name: found[0] for name, found in aliases_by_name().items() if len(found) == 1 and found[0].sure}


@cache
def other_names() -> frozenset[str]:
    """Normal forms of names that are near a field's but mean something else."""
    return frozenset(normalize(name) for name in _tables()["nothing"]["names"])


def means_something_else(header: str) -> bool:
    """Whether a name says that its column is no customer's own, or nothing that the API has a field for."""
    names = {normalize(text) for text in (header, without_brackets(header), core_name(header) or "")}
    words = (normalize(word) for word in _tables()["nothing"]["words"])
    return not names.isdisjoint(other_names()) or any(word in normalize(header) for word in words)


def lists_companies(header: Iterable[str]) -> bool:
    """Whether a header belongs to a list of companies rather than persons."""
    names = {normalize(name) for name in _tables()["nothing"]["companies"]}
    return any(normalize(name) in names for name in header)


def says_mobile(header: str) -> bool:
    """Whether a header says that its phones are mobile ones."""
    return any(normalize(word) in normalize(header) for word in _tables()["around"]["mobile"])


def core_name(header: str) -> str | None:
    """The header without a word before and after that does not change its meaning; None if there is none."""
    text = header.strip()
    around = _tables()["around"]
    before = (word for word in around["before"] if text.casefold().startswith(word.casefold()))
    text = text[len(max(before, key=len, default="")) :].strip()
    after = (word for word in around["after"] if text.casefold().endswith(word.casefold()))
    text = text[: len(text) - len(max(after, key=len, default=""))].strip()
    return text if text and text != header.strip() else None


def all_aliases() -> Iterator[Alias]:
    """All known names: the API's own, then the sure, then the likely ones, each in the order of the data."""
    for name in api_names().values():
        yield Alias(name, name, "api", sure=True)
    for sure in (True, False):
        for field, levels in _tables().items():
            for language, labels in levels.get("sure" if sure else "likely", {}).items():
                for label in labels:
                    yield Alias(field, label, language, sure)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files("importer.mapping").joinpath("aliases.toml").read_text("utf-8"))


CUSTOM_PREFIX = "customize"
_TOLD = 20
"""The most columns that a sentence lists: exports of address books have seventy."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The mapping that fits a header."""

    mapping: MappingFile
    how: Literal["ready-made", "headers"]
    left_out: tuple[str, ...]
    """Columns that go nowhere."""
    notes: tuple[Note, ...] = ()


def known_name(name: str) -> bool:
    """Whether a text is a header that the importer knows: an API name, a label or a ready-made mapping's."""
    found = normalize(name)
    return bool(found) and (found in _known() or normalize(without_remarks(name)) in _known())


def choose(
    header: Sequence[str], contract: Contract, file: str = "FILE", sheets: Sequence[Sequence[str]] = ()
) -> Choice:
    """The ready-made mapping that a header identifies, else one made of headers that surely name a field.
    `file` is what the person called the file, for the command in an error; `sheets` are the headers that
    `header` unites, if there are several.

    Raises MappingError: `mapping-doubtful` (several ready-made ones fit), `mapping-two-columns` (two columns
    of a sheet claim one field), `mapping-none-fits` (a required field has no column).
    """
    named = tuple(name for name in header if name.strip())
    candidates = recognised(named)
    if len(candidates) > 1:
        raise MappingError("mapping-doubtful", candidates=", ".join(mapping.name for mapping in candidates))
    if candidates:
        mapping = candidates[0]
        left_out = _unused(mapping, header, sheets)
        found = (("name", mapping.name), ("title", mapping.title or mapping.name))
        return Choice(
            mapping, "ready-made", left_out, (Note("mapping-recognised", found), *_left_out(left_out))
        )
    mapping = from_header(header, contract, file, sheets)
    left_out = _unused(mapping, header, sheets)
    return Choice(mapping, "headers", left_out, _left_out(left_out))


def recognised(header: Sequence[str]) -> tuple[MappingFile, ...]:
    """The ready-made mappings whose `match` a header fulfils."""
    texts = frozenset(name.strip().casefold() for name in header)
    ready = loader.ready()
    fitting = [mapping for mapping in ready if mapping.match and _fits(mapping, mapping.match, texts)]
    sharp = [mapping for mapping in fitting if mapping.match and not mapping.match.yields]
    return tuple(sharp or fitting)


def from_header(
    header: Sequence[str], contract: Contract, file: str = "FILE", sheets: Sequence[Sequence[str]] = ()
) -> MappingFile:
    """A mapping made of the columns whose header surely means a field of the contract; columns that stand in
    no sheet together may mean the same one.

    Raises MappingError `mapping-two-columns` or `mapping-none-fits`.
    """
    claims: dict[str, list[str]] = {}
    custom: dict[str, CustomRule] = {}
    for column in header:
        if is_custom(column):
            custom[column.strip()] = CustomRule.model_validate({"from": column})
            continue
        field = sure_field(column)
        if field is None or field not in contract.names:
            continue
        for one in claims.setdefault(field, []):
            if together(one, column, sheets):
                claim = {"field": field, "one": one, "other": column, "file": file}
                raise MappingError("mapping-two-columns", **claim)
        claims[field].append(column)
    unfed = lacking(claims, contract)
    if unfed:
        found = {"fields": ", ".join(unfed), "header": listed(header), "file": file}
        raise MappingError("mapping-none-fits", **found)
    rules = {
        name: FieldRule.model_validate({"from": claims[name]}) for name in contract.names if name in claims
    }
    return MappingFile(name="headers", fields=rules, custom=custom)


def together(one: str, other: str, sheets: Sequence[Sequence[str]]) -> bool:
    """Whether two columns stand in one sheet; `sheets` holds the header of each, if there are several."""
    return not sheets or any(one in sheet and other in sheet for sheet in sheets)


def is_custom(column: str) -> bool:
    """Whether a column is called like the key of a tenant's own field: customize_1_14."""
    prefix, _, rest = column.strip().partition("_")
    return prefix == CUSTOM_PREFIX and bool(rest) and rest.replace("_", "").isdigit()


def lacking(fed: Collection[str], contract: Contract) -> list[str]:
    """The required fields that are not among those that something feeds; a full name is made of its parts."""
    found = [field.name for field in contract.fields if field.required and field.name not in fed]
    if "full_name" in found and not {"first_name", "last_name"}.isdisjoint(fed):
        found.remove("full_name")
    return found


def _fits(mapping: MappingFile, match: HeaderMatch, header: frozenset[str]) -> bool:
    def there(name: str) -> bool:
        if "*" in name:
            return any(matches_pattern(name, column) for column in header)
        return name.strip().casefold() in header

    if not all(there(name) for name in match.all) or any(there(name) for name in match.none):
        return False
    if match.any and not any(there(name) for name in match.any):
        return False
    return match.others or header <= {name.strip().casefold() for name in mapping.columns()}


def _unused(mapping: MappingFile, header: Sequence[str], sheets: Sequence[Sequence[str]]) -> tuple[str, ...]:
    used = {find_column(name, sheet) for name in mapping.columns() for sheet in sheets or (header,)}
    return tuple(name for name in header if name not in used)


def _left_out(names: tuple[str, ...]) -> tuple[Note, ...]:
    if not names:
        return ()
    more = f", … (+{len(names) - _TOLD})" if len(names) > _TOLD else ""
    return (Note("columns-left-out", (("columns", listed(names[:_TOLD]) + more),)),)


@cache
def _known() -> frozenset[str]:
    ready = {normalize(name) for mapping in loader.ready() for name in mapping.columns() if "*" not in name}
    return frozenset(aliases_by_name().keys() | ready) - {""}
