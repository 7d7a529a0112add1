"""Every ready-made mapping is known by its header, taken for no other, and reads its export right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import contracts, mapping
from tests.bench import unprepared
from tests.support.exports import BY_NAME, EXPORTS, HEADERS, Export
from tests.support.mapping import PLAT, SEA, chunk

names = pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.mapping)


def test_every_mapping_has_a_file_and_every_file_a_mapping() -> None:
    assert sorted(export.mapping for export in EXPORTS) == [found.name for found in mapping.ready()]


@pytest.mark.parametrize("export", [one for one in EXPORTS if one.header], ids=lambda export: export.mapping)
def test_a_file_has_the_header_of_the_real_export(export: Export) -> None:
    assert export.header
    assert list(export.columns) == HEADERS[export.header]


@names
def test_a_header_leads_to_its_own_mapping_and_to_no_other(export: Export) -> None:
    if export.mapping in BY_NAME:
        assert mapping.recognised(export.columns) == ()
        assert mapping.load(export.mapping).match is None
        return
    assert [found.name for found in mapping.recognised(export.columns)] == [export.mapping]
    assert [found.name for found in mapping.recognised(sorted(export.columns))] == [export.mapping]
    choice = mapping.choose(export.columns, SEA)
    assert (choice.mapping.name, choice.how) == (export.mapping, "ready-made")
    assert export.mapping in choice.notes[0].sentence()


@given(st.data())
def test_a_part_of_a_header_is_never_taken_for_another_export(data: st.DataObject) -> None:
    export = data.draw(st.sampled_from(EXPORTS))
    part = data.draw(st.lists(st.sampled_from(export.columns), unique=True))
    found = {one.name for one in mapping.recognised(part) if one.match and not one.match.yields}
    assert found <= {export.mapping, *_SMALL}


_SMALL = {"mixdesk", "cn-shop-customers"}
"""Exports of three to five common labels: a part of another export that is exactly those is one of theirs."""


@pytest.mark.parametrize("header", [name for name in HEADERS if name not in {one.header for one in EXPORTS}])
def test_other_exports_are_not_taken_for_one_of_these(header: str) -> None:
    known = {
        "shopify_customers_export_legacy": ["shopify"],
        "salesforce_dataloader_export": ["salesforce-dataloader"],
        "weiban_scrm_fields": ["weiban"],
    }
    assert [found.name for found in mapping.recognised(HEADERS[header])] == known.get(header, [])


_OF_NO_PRODUCT = {
    "ar_carwash_customers",
    "makerspace_member_export",
    "wvara_radio_members",
    "kr_dashboard_customers",
    "es_empresas_unificada",
    "fr_hotel_checkin_export",
    "id_filament_customers",
    "it_energia_clienti_privati",
    "ja_gym_members",
    "ja_school_applicants",
    "kr_church_members",
    "pt_clientes_export",
    "th_collection_customers",
    "tr_ihracat_crm_musteriler",
    "tr_spor_okulu_crm",
    "vn_pos_customers",
    "cn_clue_template",
    "cn_member_import_required",
    "cn_tutoring_leads",
}
"""Tables of a club, a school or a shop, and templates of nobody: no product has such a header."""


def test_every_product_among_the_known_headers_has_a_mapping() -> None:
    unknown = unprepared.header_sets("unprepared_headers.json").items()
    known = {**HEADERS, **{name: one["headers"] for name, one in unknown}}
    by_name = {one.header for one in EXPORTS if one.mapping in BY_NAME}
    without = {name for name, header in known.items() if len(mapping.recognised(header)) != 1} - by_name
    # Kit is taken by its name; Data Loader's accounts are companies.
    assert without == _OF_NO_PRODUCT | {"kit_convertkit", "salesforce_dataloader_accounts"}


_TOLD = ("gender-left-out", "no-country-code", "date-order-unsure", "landline")
"""What these systems write; it keeps no row back."""
_NICKNAME = "小明"
"""A name of which it is told that it is no whole one."""


@names
@pytest.mark.parametrize("contract", [SEA, PLAT], ids=lambda contract: contract.name)
def test_a_realistic_file_becomes_the_right_customers(export: Export, contract: contracts.Contract) -> None:
    cells = {name: [row[name] for row in export.rows] for name in export.columns}
    part = chunk(cells)
    mapper = mapping.bind(
        mapping.load(export.mapping),
        export.columns,
        contract,
        read_column=lambda column: iter([part.frame[column]]),
    )
    found = mapper.map(part)
    assert [issue for issue in found.issues if issue.code not in _TOLD and issue.found != _NICKNAME] == []
    skipped = {int(row) for skip in found.skips for row in skip.rows}
    rows = found.frame.drop(index=list(skipped)).to_dict("records")
    wanted = [{field: str(value) for field, value in one.items()} for one in export.customers]
    kept = [{field: value for field, value in row.items() if isinstance(value, str)} for row in rows]
    if contract is PLAT:
        full = [row.pop("full_name") for row in kept]
        assert all(
            one["first_name"] in name and one["last_name"] in name
            for one, name in zip(wanted, full, strict=True)
        )
    assert kept == wanted


@names
def test_a_mapping_explains_itself(export: Export) -> None:
    text = mapping.ready_text(export.mapping)
    assert text.startswith("# ")
    assert mapping.load(export.mapping).title
