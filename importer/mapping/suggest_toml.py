"""Write the proposals for a file as a commented mapping file for a person to check and keep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from importer import messages
from importer.contracts import Contract, FieldKind
from importer.mapping import dates, evidence, headers, loader
from importer.mapping.headers import normalize
from importer.mapping.person_names import NameRule
from importer.mapping.suggest import Proposal, propose
from importer.mapping.toml import key, text, value

if TYPE_CHECKING:
    import pandas as pd

_FAMILY_FIRST = {normalize(name) for name in ("Họ tên", "Họ và tên")}
_NATIONAL = re.compile(r"0?[1-9]\d{7,10}")
_DIALLING = {
    normalize(name) for name in ("Country Code", "Dial Code", "Calling Code", "区号", "国家区号", "国际区号")
}
_TAG_MARKS = (";", "；", "|")


def suggest(
    header: Sequence[str],
    samples: pd.DataFrame | None,
    contract: Contract,
    *,
    lang: str = "en",
    sheets: Sequence[Sequence[str]] = (),
) -> str:
    """A mapping file for files with this header, with the reason and confidence of each line as comments.

    For a header that a ready-made mapping knows it is that mapping's own text. The same header and samples
    give the same text; what is unsure stands in it commented out. `sheets` as for `propose`.
    """
    known = headers.recognised(header)
    if len(known) == 1:
        note = messages.sentence("suggest-recognised", {"name": known[0].name}, lang)
        return f"# {note}\n{loader.ready_text(known[0].name)}"
    proposals = propose(header, samples, contract, sheets=sheets)
    return "\n".join(_SuggestionWriter(proposals, samples, contract, lang).lines()) + "\n"


class _SuggestionWriter:
    def __init__(
        self, proposals: Sequence[Proposal], samples: pd.DataFrame | None, contract: Contract, lang: str
    ) -> None:
        self.proposals = proposals
        self.samples = samples
        self.contract = contract
        self.lang = lang

    def lines(self) -> Iterator[str]:
        yield self._say("suggest-head")
        taken = [one for one in self.proposals if one.taken]
        whole = next((one for one in taken if one.split), None)
        if whole:
            yield from ("", self._say("suggest-name-rule"), f"name_rule = {text(self._name_rule(whole))}")
        for proposals in self._in_order(taken):
            yield from self._table(*proposals)
        unsure = [one for one in self.proposals if one.field and not one.taken]
        if unsure:
            yield from ("", self._say("suggest-unsure"))
            for proposal in unsure:
                yield from (f"# {line}".rstrip() for line in self._table(proposal))
        yield from self._lacking({one.field for one in taken})
        rest = [one for one in self.proposals if one.field is None]
        if rest:
            yield from ("", self._say("suggest-left-out"))
            yield from (f"#   {text(one.column)}: {one.why.sentence(self.lang)}" for one in rest)

    def _in_order(self, taken: Sequence[Proposal]) -> list[list[Proposal]]:
        """The proposals of each field, in the contract's order."""
        fields: dict[str, list[Proposal]] = {name: [] for name in self.contract.names}
        for one in taken:
            fields.setdefault(one.field or "", []).append(one)
        return [proposals for proposals in fields.values() if proposals]

    def _table(self, proposal: Proposal, *more: Proposal) -> Iterator[str]:
        """The lines of one field, which has a column of its own in each of several sheets."""
        every = (proposal, *more)
        why = "# " + "; ".join(f"{one.confidence:.0%} – {one.why.sentence(self.lang)}" for one in every)
        if proposal.split:
            for name in ("first_name", "last_name"):
                yield from ("", f"[fields.{name}]", f"split = {text(proposal.column)}  {why}")
            return
        own = headers.is_custom(proposal.field or "")
        yield from ("", f"[{'custom' if own else 'fields'}.{key(proposal.field or '')}]")
        columns = [one.column for one in every]
        yield f"from = {value(columns if more else proposal.column)}  {why}"
        if not own:
            cells = [cell for one in every for cell in self._cells(one)]
            yield from self._manners(self.contract.field(proposal.field or "").kind, cells)

    def _manners(self, kind: FieldKind, cells: Sequence[str]) -> Iterator[str]:
        """What the cells suggest beyond the column's name; a guess is commented out."""
        if kind is FieldKind.DATE and any(map(dates.readings, cells)):
            yield self._say("suggest-date-order")
            yield '# formats = ["dd/MM/yyyy"]'
        elif kind is FieldKind.GENDER and any(cell.strip().isdigit() for cell in cells):
            yield self._say("suggest-gender-codes")
            codes = sorted({cell.strip() for cell in cells if cell.strip().isdigit()})
            yield f"# values = {value(dict.fromkeys(codes, 'male or female'))}"
        elif kind is FieldKind.TAGS:
            marks = [mark for mark in _TAG_MARKS if any(mark in cell for cell in cells)]
            if marks and not any("," in cell or "，" in cell for cell in cells):
                yield f"separators = {value(marks)}"
        elif kind is FieldKind.PHONE and any(_NATIONAL.fullmatch(cell.strip()) for cell in cells):
            code = self._country_code()
            if code is not None:
                yield f"country_code = {text(code)}"
                return
            yield self._say("suggest-region")
            yield '# region = "CN"'

    def _lacking(self, fed: set[str | None]) -> Iterator[str]:
        if "first_name" in fed and any(one.split for one in self.proposals):
            fed = fed | {"last_name"}
        for name in headers.lacking({field for field in fed if field}, self.contract):
            yield from ("", self._say("suggest-lacking", field=name))
            yield from (f"# [fields.{name}]", '# from = "…"')

    def _country_code(self) -> str | None:
        """A column of dialling codes beside the phones; a country's two letters are none."""
        for proposal in self.proposals:
            if normalize(proposal.column) in _DIALLING:
                cells = [cell.strip() for cell in self._cells(proposal) if cell.strip()]
                if cells and all(re.fullmatch(r"\+?\d{1,4}", cell) for cell in cells):
                    return proposal.column
        return None

    def _name_rule(self, whole: Proposal) -> NameRule:
        if normalize(whole.column) in _FAMILY_FIRST:
            return NameRule.FAMILY_FIRST
        return evidence.name_rule(self._cells(whole))

    def _cells(self, proposal: Proposal) -> list[str]:
        if self.samples is None or proposal.column not in self.samples.columns:
            return []
        return [str(cell) for cell in self.samples[proposal.column].tolist()]

    def _say(self, code: str, **found: object) -> str:
        return f"# {messages.sentence(code, found, self.lang)}"
