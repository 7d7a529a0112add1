"""Bind a mapping to the header of one file, or say why it does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from importer.contracts import Contract, Field, FieldKind
from importer.errors import MappingError
from importer.mapping.custom_fields import TYPES, CustomFieldEncoder
from importer.mapping.dates import ReadColumn
from importer.mapping.filters import RowFilter
from importer.mapping.headers import lacking, listed, matching_columns, normalize
from importer.mapping.mapper import CUSTOM_FIELD, BoundCustomField, BoundMapping, Mapper
from importer.mapping.schema import Condition, CustomRule, FieldRule, MappingFile
from importer.mapping.transforms import BoundField
from importer.models import Note, TenantField


def bind(
    mapping: MappingFile,
    header: Sequence[str],
    contract: Contract,
    *,
    tenant_fields: tuple[TenantField, ...] | None = None,
    look: ReadColumn | None = None,
    dry_run: bool = False,
    sheets: Sequence[Sequence[str]] = (),
) -> Mapper:
    """A mapper from files with this header to the contract's fields.

    `tenant_fields` are the tenant's own fields, None if unknown: then custom fields are taken as their key
    says and not checked by type, and one given by its display name is an error unless it is a dry run.
    `look(column)` iterates over the whole column of the file again. `sheets` are the headers that `header`
    unites, if there are several: a name of the mapping may be spelled differently in each.
    Raises MappingError: `mapping-missing-header`, `mapping-required-field`, `custom-field-unknown`,
    `custom-field-needs-list`, `custom-field-type`.
    """
    fitting = _Binder(mapping, tuple(header), contract, sheets or (header,))
    return Mapper(fitting.plan(tenant_fields, dry_run), look)


def check_required(mapping: MappingFile, contract: Contract) -> None:
    """Raises MappingError `mapping-lacks-required` if the mapping feeds a required field from nothing,
    whatever the file."""
    unfed = lacking(mapping.fields, contract)
    if unfed:
        fields = ", ".join(unfed)
        raise MappingError(
            "mapping-lacks-required",
            mapping=mapping.name,
            fields=fields,
            field=unfed[0],
            contract=contract.name,
        )


class _Binder:
    def __init__(
        self,
        mapping: MappingFile,
        header: tuple[str, ...],
        contract: Contract,
        sheets: Sequence[Sequence[str]],
    ) -> None:
        self.mapping = mapping
        self.header = header
        self.sheets = sheets
        self.contract = contract
        self.notes: list[Note] = []

    def plan(self, tenant_fields: tuple[TenantField, ...] | None, dry_run: bool) -> BoundMapping:
        steps = tuple(self._steps())
        own = tuple(self._customs(tenant_fields, dry_run))
        self._required({step.field.name for step in steps})
        filters = tuple(self._filters())
        return BoundMapping(self.mapping, self.contract, self.header, steps, own, filters, tuple(self.notes))

    def _steps(self) -> Iterator[BoundField]:
        for name, rule in self.mapping.fields.items():
            if name not in self.contract.names:
                if self.mapping.missing_headers == "ignore":
                    continue
                self.notes.append(
                    Note("field-not-in-contract", (("field", name), ("contract", self.contract.name)))
                )
                continue
            step = self._step(self.contract.field(name), rule, f"fields.{name}")
            if step:
                yield step
        step = self._ready_customs()
        if step:
            yield step

    def _ready_customs(self) -> BoundField | None:
        """A `customize_field` column that no rule names, beside own fields that are packed: both are sent."""
        if not self.mapping.custom or CUSTOM_FIELD in self.mapping.fields:
            return None
        if CUSTOM_FIELD not in self.header or CUSTOM_FIELD in self.mapping.columns():
            return None
        rule = FieldRule.model_validate({"from": CUSTOM_FIELD})
        return self._step(self.contract.field(CUSTOM_FIELD), rule, f"fields.{CUSTOM_FIELD}")

    def _step(self, field: Field, rule: FieldRule, place: str) -> BoundField | None:
        wanted = (self._columns(name, place, optional=bool(rule.split)) for name in rule.source)
        sources = tuple(dict.fromkeys(column for columns in wanted for column in columns))
        name_rule = None
        if rule.split and not sources and (whole := self._column(rule.split, place)):
            sources, name_rule = (whole,), self.mapping.name_rule
        if not sources and rule.constant is None and rule.default is None:
            return None
        code = self._column(rule.country_code, place) if rule.country_code else None
        return BoundField(
            field, rule, sources, code, name_rule, self._filter(rule.when, place) if rule.when else None
        )

    def _column(self, name: str, place: str, optional: bool = False) -> str | None:
        return next(iter(self._columns(name, place, optional)), None)

    def _columns(self, name: str, place: str, optional: bool = False) -> tuple[str, ...]:
        """The column that a name of the mapping means in each sheet."""
        found: dict[str, None] = {}
        for sheet in self.sheets:
            columns = matching_columns(name, sheet)
            if len(columns) > 1:
                told = {"mapping": self.mapping.name, "place": place, "header": name}
                raise MappingError("mapping-two-sources", **told, columns=listed(columns))
            found |= dict.fromkeys(columns)
        if not found and self.mapping.missing_headers == "error" and not optional:
            near = difflib.get_close_matches(name, self.header, n=3, cutoff=0.5)
            raise MappingError(
                "mapping-missing-header",
                mapping=self.mapping.name,
                place=place,
                header=name,
                near=listed(near or self.header),
            )
        return tuple(found)

    def _filters(self) -> Iterator[RowFilter]:
        for number, condition in enumerate(self.mapping.only, start=1):
            found = self._filter(condition, f"only {number}")
            if found:
                yield found

    def _filter(self, condition: Condition, place: str) -> RowFilter | None:
        column = self._column(condition.column, place, condition.optional)
        return RowFilter(column, condition) if column is not None else None

    def _required(self, fed: set[str]) -> None:
        unfed = lacking(fed, self.contract)
        if unfed:
            raise MappingError(
                "mapping-required-field",
                field=", ".join(unfed),
                mapping=self.mapping.name,
                contract=self.contract.name,
                header=listed(self.header),
            )

    def _customs(
        self, tenant_fields: tuple[TenantField, ...] | None, dry_run: bool
    ) -> Iterator[BoundCustomField]:
        seen: dict[str, str] = {}
        for key, rule in self.mapping.custom.items():
            tenant = self._tenant_field(key, tenant_fields, dry_run)
            self._same_type(key, rule, tenant)
            name = tenant.name if tenant else key
            if name in seen:
                raise MappingError("custom-field-twice", name=name, one=seen[name], other=key)
            seen[name] = key
            field = Field(CUSTOM_FIELD, FieldKind.TEXT, {})
            step = self._step(field, rule, f"custom.{key}")
            if step:
                yield BoundCustomField(step, CustomFieldEncoder(name, rule, tenant))

    def _tenant_field(
        self, key: str, tenant_fields: tuple[TenantField, ...] | None, dry_run: bool
    ) -> TenantField | None:
        if tenant_fields is None:
            if not key.startswith("customize_") and not dry_run:
                raise MappingError("custom-field-needs-list", key=key)
            self.notes.append(Note("custom-field-unchecked", (("key", key),)))
            return None
        own = [field for field in tenant_fields if not field.preset]
        names = _by_name(own)
        if normalize(key) not in names:
            known = ", ".join(f"{field.name} ({field.label})" for field in own)
            raise MappingError("custom-field-unknown", key=key, mapping=self.mapping.name, known=known or "–")
        found = names[normalize(key)]
        if len(found) > 1:
            known = ", ".join(f"{field.name} ({field.label})" for field in found)
            raise MappingError("custom-field-ambiguous", key=key, mapping=self.mapping.name, known=known)
        return found[0]

    def _same_type(self, key: str, rule: CustomRule, tenant: TenantField | None) -> None:
        actual = TYPES.get(tenant.field_type) if tenant else None
        if rule.type and actual and rule.type != actual:
            raise MappingError(
                "custom-field-type", key=key, mapping=self.mapping.name, given=rule.type, actual=actual
            )


def _by_name(fields: Sequence[TenantField]) -> Mapping[str, list[TenantField]]:
    """Own fields by key and display names; the key wins over another field's display name."""
    found: dict[str, list[TenantField]] = {}
    for field in fields:
        for label in {normalize(field.label), normalize(field.label_en)} - {""}:
            found.setdefault(label, []).append(field)
    return found | {normalize(field.name): [field] for field in fields}
