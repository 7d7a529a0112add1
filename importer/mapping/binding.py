"""Bind a mapping to the header of one file, or report why it does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from importer.contracts import Contract, Field, FieldKind
from importer.errors import MappingError
from importer.mapping.base import CUSTOM_FIELD, ReadColumn, may_be_key, quote_names
from importer.mapping.custom_fields import TYPES, CustomFieldEncoder, fields_by_name
from importer.mapping.filters import RowFilter
from importer.mapping.headers import matching_columns, normalize, unfed_fields
from importer.mapping.mapper import BoundMapping, Mapper
from importer.mapping.rules import Condition, CustomRule, FieldRule, MappingFile, RegionColumn
from importer.mapping.transforms import BoundCustomField, BoundField
from importer.models import Note, TenantField


def bind(
    mapping: MappingFile,
    header: Sequence[str],
    contract: Contract,
    *,
    tenant_fields: tuple[TenantField, ...] | None = None,
    read_column: ReadColumn | None = None,
    dry_run: bool = False,
    sheets: Sequence[Sequence[str]] = (),
) -> Mapper:
    """Return a mapper from files with this header to the contract's fields.

    `tenant_fields` is the tenant's list of fields. If it is None, custom fields are taken as their keys say
    and their values are not checked by type; one that is given by its display name is an error, except in a
    dry run. `read_column(name)` reads a column of the whole file again. `sheets` are the headers that
    `header` unites, if there are several: each may spell a name of the mapping differently.

    Raises MappingError for the first of all mistakes, with the others in `also`: `mapping-missing-header`,
    `mapping-two-sources`, `mapping-required-field`, `custom-field-unknown`, `custom-field-ambiguous`,
    `custom-field-twice`, `custom-field-needs-list`, `custom-field-type`.
    """
    binder = _Binder(mapping, tuple(header), contract, sheets or (header,))
    return Mapper(binder.bind(tenant_fields, dry_run), read_column)


def check_required(mapping: MappingFile, contract: Contract) -> None:
    """Raise MappingError `mapping-lacks-required` if no file could feed a required field by the mapping."""
    unfed = unfed_fields(mapping.fields, contract)
    if unfed:
        raise MappingError(
            "mapping-lacks-required",
            mapping=mapping.name,
            fields=", ".join(unfed),
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
        self.mistakes: list[MappingError] = []
        """All that does not fit; told together."""

    def bind(self, tenant_fields: tuple[TenantField, ...] | None, dry_run: bool) -> BoundMapping:
        fields = tuple(self._fields())
        custom = tuple(self._custom_fields(tenant_fields, dry_run))
        self._check_required({bound.field.name for bound in fields} | self._mistaken())
        filters = tuple(self._filters())
        if self.mistakes:
            first, *others = self.mistakes
            first.also = tuple(others)
            raise first
        notes = tuple(self.notes)
        return BoundMapping(self.mapping, self.contract, self.header, fields, custom, filters, notes)

    def _fields(self) -> Iterator[BoundField]:
        for name, rule in self.mapping.fields.items():
            if name not in self.contract.names:
                if self.mapping.missing_headers == "error":
                    found = (("field", name), ("contract", self.contract.name))
                    self.notes.append(Note("field-not-in-contract", found))
                continue
            bound = self._field(self.contract.field(name), rule, f"fields.{name}")
            if bound:
                yield bound
        packed = self._packed_custom_fields()
        if packed:
            yield packed

    def _packed_custom_fields(self) -> BoundField | None:
        """Bind a `customize_field` column that no rule names, beside custom fields of the mapping: both are
        sent."""
        if not self.mapping.custom or CUSTOM_FIELD in self.mapping.fields:
            return None
        if CUSTOM_FIELD not in self.header or CUSTOM_FIELD in self.mapping.columns():
            return None
        rule = FieldRule((CUSTOM_FIELD,))
        return self._field(self.contract.field(CUSTOM_FIELD), rule, f"fields.{CUSTOM_FIELD}")

    def _field(self, field: Field, rule: FieldRule, key_path: str) -> BoundField | None:
        """Bind one rule; None if the file has nothing for it. `key_path` is for errors: fields.email."""
        wanted = (self._columns(name, key_path, optional=bool(rule.split)) for name in rule.source)
        sources = tuple(dict.fromkeys(column for columns in wanted for column in columns))
        name_rule = None
        if rule.split and not sources and (whole := self._column(rule.split, key_path)):
            sources, name_rule = (whole,), self.mapping.name_rule
        if not sources and rule.constant is None and rule.default is None:
            return None
        code = self._column(rule.country_code, key_path) if rule.country_code else None
        region = self._region(field, rule, key_path)
        when = self._filter(rule.when, key_path) if rule.when else None
        return BoundField(field, rule, sources, code, region, name_rule, when)

    def _region(self, field: Field, rule: FieldRule, key_path: str) -> tuple[str, ...]:
        """Return the columns that say of which country a phone is."""
        if field.kind is not FieldKind.PHONE and not isinstance(rule.region, RegionColumn):
            return ()
        wanted = (self._columns(name, key_path) for name in self.mapping.region_columns(rule))
        return tuple(dict.fromkeys(column for columns in wanted for column in columns))

    def _column(self, name: str, key_path: str, optional: bool = False) -> str | None:
        return next(iter(self._columns(name, key_path, optional)), None)

    def _columns(self, name: str, key_path: str, optional: bool = False) -> tuple[str, ...]:
        """Return the columns that a name of the mapping means: at most one in each sheet."""
        found: dict[str, None] = {}
        for sheet in self.sheets:
            columns = matching_columns(name, sheet)
            if len(columns) > 1:
                self._refuse("mapping-two-sources", place=key_path, header=name, columns=quote_names(columns))
                return ()
            found |= dict.fromkeys(columns)
        if not found and self.mapping.missing_headers == "error" and not optional:
            near = difflib.get_close_matches(name, self.header, n=3, cutoff=0.5)
            self._refuse(
                "mapping-missing-header", place=key_path, header=name, near=quote_names(near or self.header)
            )
        return tuple(found)

    def _filters(self) -> Iterator[RowFilter]:
        for number, condition in enumerate(self.mapping.only, start=1):
            found = self._filter(condition, f"only {number}")
            if found:
                yield found

    def _filter(self, condition: Condition, key_path: str) -> RowFilter | None:
        column = self._column(condition.column, key_path, condition.optional)
        return RowFilter(column, condition) if column is not None else None

    def _check_required(self, fed: set[str]) -> None:
        unfed = unfed_fields(fed, self.contract)
        if unfed:
            self._refuse(
                "mapping-required-field",
                field=", ".join(unfed),
                contract=self.contract.name,
                header=quote_names(self.header),
            )

    def _refuse(self, code: str, **found: object) -> None:
        self.mistakes.append(MappingError(code, mapping=self.mapping.name, **found))

    def _mistaken(self) -> set[str]:
        """Return the fields whose own mistake explains why nothing feeds them."""
        places = (str(one.found.get("place", "")) for one in self.mistakes)
        return {place.removeprefix("fields.") for place in places if place.startswith("fields.")}

    def _custom_fields(
        self, tenant_fields: tuple[TenantField, ...] | None, dry_run: bool
    ) -> Iterator[BoundCustomField]:
        seen: dict[str, str] = {}
        for key, rule in self.mapping.custom.items():
            try:
                tenant = self._tenant_field(key, tenant_fields, dry_run)
                self._check_type(key, rule, tenant)
            except MappingError as error:
                self.mistakes.append(error)
                continue
            name = tenant.name if tenant else key
            if name in seen:
                self._refuse("custom-field-twice", name=name, one=seen[name], other=key)
                continue
            seen[name] = key
            field = Field(CUSTOM_FIELD, FieldKind.TEXT, {})
            bound = self._field(field, rule, f"custom.{key}")
            if bound:
                yield BoundCustomField(bound, CustomFieldEncoder(name, rule, tenant))

    def _tenant_field(
        self, key: str, tenant_fields: tuple[TenantField, ...] | None, dry_run: bool
    ) -> TenantField | None:
        if tenant_fields is None:
            if not may_be_key(key) and not dry_run:
                raise MappingError("custom-field-needs-list", key=key)
            self.notes.append(Note("custom-field-unchecked", (("key", key),)))
            return None
        custom = [field for field in tenant_fields if not field.preset]
        found = fields_by_name(custom).get(normalize(key), [])
        if len(found) == 1:
            return found[0]
        code = "custom-field-ambiguous" if found else "custom-field-unknown"
        known = ", ".join(f"{field.name} ({field.label})" for field in found or custom)
        raise MappingError(code, key=key, mapping=self.mapping.name, known=known or "–")

    def _check_type(self, key: str, rule: CustomRule, tenant: TenantField | None) -> None:
        actual = TYPES.get(tenant.field_type) if tenant else None
        if rule.type and actual and rule.type != actual:
            raise MappingError(
                "custom-field-type", key=key, mapping=self.mapping.name, given=rule.type, actual=actual
            )
