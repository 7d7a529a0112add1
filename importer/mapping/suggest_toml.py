"""Write the proposals for a file as a commented mapping file for a person to check and keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from importer import messages
from importer.contracts import Contract, FieldKind
from importer.escaping import printable
from importer.mapping import dates, headers, loader, person_names, phones, tags, vocabulary
from importer.mapping.addresses import join_of
from importer.mapping.base import packaged_index, quote_names
from importer.mapping.headers import normalize
from importer.mapping.person_names import NameRule
from importer.mapping.phone_texts import is_national, region_of_phone, strip_formatting
from importer.mapping.proposals import Proposal
from importer.mapping.rules import ReadingRules, keys_of
from importer.mapping.suggest import propose
from importer.models import TenantField
from importer.options import RunOptions

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = Path(__file__).parents[1] / "schemas" / "mapping.json"
"""The JSON Schema of mapping files, with which TOML editors complete and check them."""
_COUNTRY_CODE = {
    normalize(name) for name in ("Country Code", "Dial Code", "Calling Code", "区号", "国家区号", "国际区号")
}
_RIVALS = 3
"""The most columns that a reason names beside the chosen one."""
_LOOKED_AT = 200
_OWN_NUMBERS = 0.7
"""The share of a country's own numbers with which it is likely; some in a file are wrong."""
_TAG_MARKS = (";", "|")
"""Marks that separate tags where a mapping says so."""


def mapping_text(
    header: Sequence[str],
    samples: pd.DataFrame | None,
    contract: Contract,
    *,
    lang: str = "en",
    sheets: Sequence[Sequence[str]] = (),
    fields: Sequence[TenantField] = (),
    options: RunOptions | None = None,
    country: str | None = None,
) -> str:
    """Return the text of a mapping file for files with this header.

    Comments give the reason and the confidence of each line. For a header that a ready-made mapping knows,
    this is the text of that mapping, with the tenant's own fields of the columns that it leaves out. What is
    unsure is commented out. The same arguments give the same text. `samples`, `sheets` and `fields` are as
    for `propose`; `options` say how the file was read, which the mapping keeps, and `country` (an ISO code)
    of which country phones without a country code are.
    """
    read = _reading_lines(options or RunOptions())
    known = headers.recognised(header)
    proposals = propose(header, samples, contract, sheets=sheets, fields=fields)
    writer = _SuggestionWriter(proposals, samples, contract, lang, read, country)
    if len(known) == 1:
        note = messages.sentence("suggest-recognised", {"name": known[0].name}, lang)
        own = "".join(f"{line}\n" for line in (*writer.own_fields(), *read))
        text = known[0].in_country(country).dump() if country else loader.ready_text(known[0].name)
        return f"{_schema_line()}# {note}\n{text}{printable(own)}"
    text = "\n".join(writer.lines())
    return printable(f"{_schema_line()}{text}\n")


def _reading_lines(options: RunOptions) -> list[str]:
    """Return the table `[read]` with what the options say of reading; nothing if they say nothing."""
    said = {name: getattr(options, name) for name in keys_of(ReadingRules)}
    given = {name: value for name, value in said.items() if value is not None}
    return ["", "[read]", *tomli_w.dumps(given).splitlines()] if given else []


def _schema_line() -> str:
    """Return the line by which an editor finds the schema."""
    return f"#:schema {SCHEMA.as_uri()}\n"


class _SuggestionWriter:
    def __init__(
        self,
        proposals: Sequence[Proposal],
        samples: pd.DataFrame | None,
        contract: Contract,
        lang: str,
        read: Sequence[str],
        country: str | None,
    ) -> None:
        self.read = read
        self.country = country
        self.proposals = proposals
        self.samples = samples
        self.contract = contract
        self.lang = lang

    def lines(self) -> Iterator[str]:
        yield self._say("suggest-head")
        taken = [one for one in self.proposals if one.taken]
        whole = next((one for one in taken if one.split), None)
        if whole:
            rule = self._name_rule(whole)
            yield from ("", self._say("suggest-name-rule"))
            if found := person_names.guessed_split(whole.column, self._cells(whole), rule):
                name, first, last = map(printable, found)
                yield self._say("suggest-name-order", name=name, first=first, last=last)
            yield f"name_rule = {_text(rule)}"
        yield from self.read
        for proposals in self._in_order([one for one in self.proposals if one.fed]):
            yield from self._table(*proposals)
        unsure = [one for one in self.proposals if one.field and not one.taken]
        if unsure:
            yield from ("", self._say("suggest-unsure"))
            for proposal in unsure:
                yield from (f"# {line}".rstrip() for line in self._table(proposal))
        yield from self._unfed({one.field for one in taken})
        rest = [one for one in self.proposals if one.field is None and not one.joined_to]
        if rest:
            yield from ("", self._say("suggest-left-out"))
            yield from (f"#   {_text(one.column)}: {one.why.sentence(self.lang)}" for one in rest)

    def own_fields(self) -> Iterator[str]:
        """Yield the lines of the tenant's own fields alone."""
        for one in self.proposals:
            if one.taken and one.why.code == "why-own-field" and one.field not in self.contract.names:
                yield from self._table(one)

    def _in_order(self, used: Sequence[Proposal]) -> list[list[Proposal]]:
        """Return the proposals of each field, in the contract's order."""
        fields: dict[str, list[Proposal]] = {name: [] for name in self.contract.names}
        for one in used:
            fields.setdefault(one.fed, []).append(one)
        return [proposals for proposals in fields.values() if proposals]

    def _table(self, proposal: Proposal, *more: Proposal) -> Iterator[str]:
        """Yield the lines of one field; it may have a different column in each of several sheets."""
        every = (proposal, *more)
        why = "# " + "; ".join(map(self._reason, every))
        if proposal.split:
            for name in ("first_name", "last_name"):
                yield from ("", f"[fields.{name}]", f"split = {_text(proposal.column)}  {why}")
            return
        field = proposal.fed or proposal.field or ""
        custom = field not in self.contract.names
        yield from ("", f"[{'custom' if custom else 'fields'}.{_key(field)}]")
        source = _list(one.column for one in every) if more else _text(proposal.column)
        yield f"from = {source}  {why}"
        if any(one.joined_to for one in every):
            yield f"join = {_text(join_of([one.column for one in every]))}"
        if not custom:
            cells = [cell for one in every for cell in self._cells(one)]
            yield from self._value_rules(self.contract.field(field).kind, cells)

    def _reason(self, one: Proposal) -> str:
        said = f"{one.confidence:.0%} – {one.why.sentence(self.lang)}"
        if not one.rivals:
            return said
        rivals = quote_names(one.rivals[:_RIVALS]) + ("…" if len(one.rivals) > _RIVALS else "")
        return f"{said}; {messages.sentence('suggest-rivals', {'rivals': rivals}, self.lang)}"

    def _value_rules(self, kind: FieldKind, cells: Sequence[str]) -> Iterator[str]:
        """Yield the keys that the cells suggest beside `from`; a guess is commented out."""
        if kind is FieldKind.DATE and any(map(dates.readings, cells)):
            yield self._say("suggest-date-order")
            yield '# formats = ["dd/MM/yyyy"]'
        elif kind is FieldKind.GENDER and any(cell.strip().isdigit() for cell in cells):
            yield self._say("suggest-gender-codes")
            codes = sorted({cell.strip() for cell in cells if cell.strip().isdigit()})
            yield f"# values = {_inline_table(dict.fromkeys(codes, 'male or female'))}"
        elif kind is FieldKind.TAGS:
            marks = [mark for mark in _TAG_MARKS if any(mark in cell for cell in cells)]
            if marks:
                # The usual marks go on separating: other cells may have them.
                yield f"separators = {_list((*marks, *tags.USUAL_SEPARATORS))}"
        elif kind is FieldKind.PHONE and any(map(phones.looks_national, cells)):
            code = self._country_code()
            if code is not None:
                yield f"country_code = {_text(code)}"
                return
            columns = [one.column for one in self.proposals if one.field == "country" and one.taken]
            if columns:
                default = f", default = {_text(self.country)}" if self.country else ""
                named = _list(columns) if len(columns) > 1 else _text(columns[0])
                yield f"region = {{ from = {named}{default} }}"
            elif self.country:
                yield f"region = {_text(self.country)}"
            else:
                likely = self._likely_country(cells)
                yield self._say("suggest-likely-region" if likely else "suggest-region", country=likely)
                yield f'# region = "{likely or "XX"}"'

    def _likely_country(self, cells: Sequence[str]) -> str | None:
        """Return the one country that the other numbers, or the language of the header, make likely.

        Most of the numbers that lack a country code have to be its own.
        """
        lacking = [strip_formatting(cell) for cell in cells if phones.looks_national(cell)][:_LOOKED_AT]
        carrying = [cell.strip() for cell in cells if cell.strip().startswith("+")]
        named = Counter(filter(None, map(region_of_phone, carrying))).most_common(1)
        likely = {region for region, _ in named}
        if not likely:
            regions = packaged_index("words.json")["countries"]
            spoken = vocabulary.main_languages([one.column for one in self.proposals])
            likely = {region for language in spoken for region in regions.get(language, ())}
        fitting = [one for one in likely if _share(lacking, partial(is_national, region=one)) >= _OWN_NUMBERS]
        return fitting[0] if len(fitting) == 1 else None

    def _unfed(self, fed: set[str | None]) -> Iterator[str]:
        if "first_name" in fed and any(one.split for one in self.proposals):
            fed = fed | {"last_name"}
        for name in headers.unfed_fields({field for field in fed if field}, self.contract):
            yield from ("", self._say("suggest-lacking", field=name))
            yield from (f"# [fields.{name}]", '# from = "…"')

    def _country_code(self) -> str | None:
        """Return a column of dialling codes beside the phones; a country's two letters are none."""
        for proposal in self.proposals:
            if normalize(proposal.column) in _COUNTRY_CODE:
                cells = [cell for cell in self._cells(proposal) if cell.strip()]
                if cells and all(map(phones.looks_like_country_code, cells)):
                    return proposal.column
        return None

    def _name_rule(self, whole: Proposal) -> NameRule:
        cells = self._cells(whole)
        if "," in whole.column and person_names.show_an_order(cells):
            # “Name, Vorname” says what stands around a comma, and nothing of cells without one.
            return person_names.likely_rule(cells)
        family_first = packaged_index("words.json")["full_names"]["family_first"]
        # Words around it say whose name it is: ФИО клиента.
        name = normalize(whole.column)
        if any(name.startswith(one) or name.endswith(one) for one in map(normalize, family_first)):
            return NameRule.FAMILY_FIRST
        return person_names.likely_rule(cells)

    def _cells(self, proposal: Proposal) -> list[str]:
        if self.samples is None or proposal.column not in self.samples.columns:
            return []
        return [str(cell) for cell in self.samples[proposal.column].tolist()]

    def _say(self, code: str, **found: object) -> str:
        return f"# {messages.sentence(code, found, self.lang)}"


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    """Return the share of the cells of which something holds."""
    return sum(map(holds, cells)) / len(cells) if cells else 0.0


def _key(name: str) -> str:
    """Return a TOML key, in quotation marks where it needs them."""
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")


def _text(value: str) -> str:
    """Return a TOML text in quotation marks."""
    return tomli_w.dumps({"_": value}).removeprefix("_ = ").removesuffix("\n")


def _list(values: Iterable[str]) -> str:
    """Return a TOML list on one line, as a person would write it; the library gives each text a line."""
    return f"[{', '.join(map(_text, values))}]"


def _inline_table(table: Mapping[str, str]) -> str:
    """Return a TOML table on one line, which can be commented out; the library writes none."""
    return f"{{ {', '.join(f'{_key(name)} = {_text(value)}' for name, value in table.items())} }}"
