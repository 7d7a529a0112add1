"""The sandbox tenant's sample data: custom fields and registered phone numbers. All of it is made up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from importer.contracts import FieldKind, load

TEXT, NUMBER, CHOICE, CHOICES, DATE, DATE_TIME, TAGS = range(1, 8)
"""`field_type` of customers/fields."""

_PRESET_TYPES: Mapping[FieldKind, int] = {
    FieldKind.DATE: DATE,
    FieldKind.GENDER: CHOICE,
    FieldKind.TAGS: TAGS,
}


@dataclass(frozen=True, slots=True)
class SampleField:
    """A field that the tenant added; its name is the key inside `customize_field`."""

    name: str
    label: str
    label_en: str
    field_type: int
    info: object = None


CUSTOM_FIELDS = (
    SampleField("customize_1_14", "会员编号", "Membership no.", TEXT),
    SampleField("customize_2_15", "积分", "Points", NUMBER),
    SampleField(
        "customize_3_16",
        "会员等级",
        "Membership level",
        CHOICE,
        [{"id": "1", "name": "Gold"}, {"id": "2", "name": "Silver"}, {"id": "3", "name": "Bronze"}],
    ),
    SampleField(
        "customize_4_17",
        "兴趣",
        "Interests",
        CHOICES,
        [{"id": "1", "name": "Sports"}, {"id": "2", "name": "Music"}, {"id": "3", "name": "Travel"}],
    ),
    SampleField("customize_5_18", "入会日期", "Member since", DATE, {"formatter": "yyyy-MM-dd"}),
    SampleField(
        "customize_6_19", "最近联系", "Last contact", DATE_TIME, {"formatter": "yyyy-MM-dd HH:mm:ss"}
    ),
    SampleField("customize_7_20", "标记", "Labels", TAGS),
)

PHONES = (
    {
        "display_phone_number": "+86 138 0000 0024",
        "quality_rating": "GREEN",
        "name_status": "APPROVED",
        "verified_name": "SANDBOX SHOP",
        "code_verification_status": "VERIFIED",
        "current_limit": "TIER_1K",
        "register_status": 5,
        "status": "CONNECTED",
        "waba_id": "116960000086404",
        "waba_name": "SANDBOX TEST",
    },
    {
        "display_phone_number": "+1 202 555 0199",
        "quality_rating": "UNKNOW",
        "name_status": "PENDING_REVIEW",
        "verified_name": "沙箱商店",
        "code_verification_status": "NOT_VERIFIED",
        "current_limit": "",
        "register_status": 3,
        "status": "PENDING",
        "waba_id": "116960000086404",
        "waba_name": "SANDBOX TEST",
    },
)


def tenant_fields(tenant_id: int, preset: bool | None = None) -> list[Mapping[str, object]]:
    """The `data` of customers/fields: the documented preset fields, then the custom ones; or one kind."""
    rows: list[Mapping[str, object]] = []
    for field in load("plat").fields:
        if field.documented and field.kind is not FieldKind.JSON:
            kind = _PRESET_TYPES.get(field.kind, TEXT)
            info = [{"id": "1", "name": "male"}, {"id": "0", "name": "female"}] if kind == CHOICE else None
            own = SampleField(field.name, _label(field.help["zh"]), _label(field.help["en"]), kind, info)
            rows.append(_row(own, tenant_id, len(rows) + 1, field.required, True))
    rows += [
        _row(own, tenant_id, len(rows) + number, False, False) for number, own in enumerate(CUSTOM_FIELDS, 1)
    ]
    return [row for row in rows if preset is None or row["is_preset"] is preset]


def _label(text: str) -> str:
    """The words of a help text before the first punctuation mark."""
    return re.split(r"[:;,(：；，（]", text)[0].strip()


def _row(
    field: SampleField, tenant_id: int, number: int, required: bool, preset: bool
) -> Mapping[str, object]:
    info: object = field.info
    if field.field_type == DATE and info is None:
        info = {"formatter": "yyyy-MM-dd"}
    return {
        "id": number,
        "tenantId": tenant_id,
        "name": field.name,
        "required": required,
        "sequence": number,
        "remark": "",
        "display_name": field.label,
        "display_en_name": field.label_en,
        "is_display": True,
        "field_type": field.field_type,
        "field_type_info": "" if info is None else json.dumps(info, ensure_ascii=False),
        "is_preset": preset,
    }
