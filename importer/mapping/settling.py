"""What a whole file has proved, written into its mapping: for the rows of it that come back alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from importer.mapping import dates
from importer.mapping.dates import Order
from importer.mapping.document import FieldRule, MappingFile
from importer.mapping.genders import iberian_values
from importer.mapping.transforms import Step


def settled(
    mapping: MappingFile,
    steps: Iterable[Step],
    orders: Mapping[str, Order],
    letters: Mapping[str, frozenset[str]],
) -> MappingFile:
    """The mapping with the order of dates as formats and Spanish letters for genders as values, as far as
    `orders` and `letters` (by column) hold what whole columns proved."""
    proven = [(step.rule, _proven(step, orders, letters)) for step in steps]

    def told(rule: FieldRule) -> FieldRule:
        found = next((found for one, found in proven if one is rule), {})
        return rule.model_copy(update=found) if found else rule

    tables = {
        "fields": {name: told(rule) for name, rule in mapping.fields.items()},
        "custom": {name: told(rule) for name, rule in mapping.custom.items()},
    }
    return mapping.model_copy(update=tables)


def _proven(
    step: Step, orders: Mapping[str, Order], letters: Mapping[str, frozenset[str]]
) -> dict[str, object]:
    """What was proved for a step, as keys of its rule."""
    if step.iberian_header and step.sources[0] in letters:
        return {"values": iberian_values(letters[step.sources[0]])}
    known = {orders[source] for source in step.sources if source in orders}
    formats = dates.FORMATS.get(known.pop()) if len(known) == 1 else None
    return {"formats": formats} if formats else {}
