"""Columns that are called like the tenant's own fields, or hold their choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from importer import mapping
from importer.mapping.custom_fields import missed_note, own_columns, preset_columns, with_own_fields
from importer.mapping.proposals import Proposal
from importer.models import TenantField
from tests.support.mapping import SEA, chunk, tenant_field

LEVEL = tenant_field("customize_3_1", "Loyalty level", 3, choices=(("1", "Gold"), ("2", "Tin")))
VISITS = replace(tenant_field("customize_2_2", "到店次数", 2), label_en="Visits")
LIKES = tenant_field("customize_4_3", "Likes", 4, choices=(("1", "Tea"), ("2", "Milk"), ("3", "Water")))
VIP = tenant_field("customize_3_4", "VIP", 3, choices=(("1", "yes"), ("2", "no")))
TWINS = (tenant_field("customize_1_5", "Twin", 1), tenant_field("customize_1_6", "Twin", 1))
OWN = (LEVEL, VISITS, LIKES, VIP, *TWINS)
SHOE = TenantField("remark", "Shoe size", "Shoe size", False, preset=True, field_type=1)


def proposed(cells: Mapping[str, Sequence[str]], fields: Sequence[TenantField] = OWN) -> dict[str, Proposal]:
    found = mapping.propose(list(cells), chunk(cells).frame, SEA, fields=fields)
    return {one.column: one for one in found}


def test_columns_are_known_by_key_and_by_the_label_of_either_language() -> None:
    header = ["LOYALTY LEVEL", "Visits (required)", "customize_4_3", "Twin", "Colour"]
    found = {column: field.name for column, field in own_columns(header, OWN).items()}
    assert found == {
        "LOYALTY LEVEL": "customize_3_1",
        "Visits (required)": "customize_2_2",
        "customize_4_3": "customize_4_3",
    }
    assert own_columns(["到店次数", "Visits"], OWN) == {"到店次数": VISITS}


def test_a_recognised_export_sends_what_the_tenant_has_fields_for() -> None:
    header = ["First Name", "Last Name", "Loyalty level", "Colour"]
    choice = mapping.choose(header, SEA)
    found, notes = with_own_fields(choice.mapping, choice.left_out, OWN)
    assert found.custom.keys() == {"customize_3_1"}
    assert found.fields == choice.mapping.fields
    assert "“Loyalty level” → customize_3_1" in notes[0].sentence()
    assert mapping.load_text(found.dump(), "x").custom == found.custom
    assert with_own_fields(choice.mapping, choice.left_out, ()) == (choice.mapping, ())


def test_a_field_that_the_mapping_sends_already_gets_no_second_column() -> None:
    given = mapping.load_text('[fields.first_name]\nfrom = "A"\n[custom.customize_3_1]\nfrom = "B"\n')
    assert with_own_fields(given, ["Loyalty level"], OWN) == (given, ())


def test_the_tenant_s_label_of_a_field_of_the_api_counts_where_no_known_name_does() -> None:
    header = ["First Name", "Last Name", "Shoe size"]
    labels = preset_columns(header, (SHOE,), SEA)
    assert labels == {"Shoe size": "remark"}
    found = mapping.choose(header, SEA, labels=labels).mapping
    assert found.fields["remark"].source == ("Shoe size",)
    both = mapping.choose([*header, "Notes"], SEA, labels=labels).mapping
    assert both.fields["remark"].source == ("Notes",)


def test_columns_that_are_left_out_though_there_are_fields_are_told() -> None:
    assert missed_note(["Colour"], OWN) == ()
    assert missed_note([], None) == ()
    (note,) = missed_note(["Colour", "Likes"], OWN)
    assert "“Likes” → customize_4_3" in note.sentence()
    assert missed_note(["Colour"], None)[0].code == "own-fields-unknown"


def test_a_suggestion_knows_own_fields_by_label_and_by_choices() -> None:
    found = proposed(
        {
            "Loyalty level": ["Gold", "Tin", "gold"],
            "Drinks": ["Tea,Milk", "water", ""],
            "Wants mail": ["yes", "no", "yes"],
            "Visits": ["a lot", "few", "none"],
        }
    )
    assert (found["Loyalty level"].field, found["Loyalty level"].taken) == ("customize_3_1", True)
    assert (found["Drinks"].field, found["Drinks"].taken) == ("customize_4_3", True)
    assert "“Likes”" in found["Drinks"].reason
    assert (found["Wants mail"].field, found["Wants mail"].taken) == ("customize_3_4", False)
    assert not found["Visits"].taken


@pytest.mark.parametrize("fields", [(), OWN])
def test_the_api_s_own_fields_come_first(fields: tuple[TenantField, ...]) -> None:
    mail = tenant_field("customize_1_9", "Email", 1)
    found = proposed({"Email": ["a@b.de"], "First Name": ["Ann"]}, (*fields, mail))
    assert found["Email"].field == "email"
