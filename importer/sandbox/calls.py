"""The API's calls as the sandbox carries them out, once headers and signature are right.

Each call returns the answer's `data`, or raises a refusal.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from importer.contracts import NAMES, Contract, Endpoint, FieldKind, endpoints, load
from importer.sandbox.rules import (
    ApiRefusalError,
    BatchRules,
    Credentials,
    CustomerObject,
    parse_object,
    text_parameter,
    whole_number,
)
from importer.sandbox.store import MAX_APPS, CustomerSearch, Store, StoredApp, StoredCustomer, contact_key

FOREIGN_APP = "sandbox-app-of-another-account"
"""An app key that exists and belongs to another account: what 9010 is for."""
MAX_QUERY = 50


class Call:
    """One endpoint: its name in fault scripts, its address, and whether answers carry a traceId."""

    def __init__(self, name: str, endpoint: Endpoint, contract: Contract | None = None) -> None:
        self.name = name
        self.endpoint = endpoint
        self.contract = contract
        self.traced = name not in ("create_app", "phone_list")


def calls() -> tuple[Call, ...]:
    """Every call of the API, both variants of batch_create included."""
    batches = [Call("batch_create", load(name).endpoint, load(name)) for name in NAMES]
    return (*batches, *(Call(name, endpoint) for name, endpoint in endpoints().items()))


def app_of_tenant(app_key: str, tenant: int) -> str:
    """Return the key of the application that one of an account's further tenants has."""
    return f"{app_key}-{tenant}"


class CallHandler:
    """Carries out calls against a store."""

    def __init__(
        self, store: Store, who: Credentials, clock_ms: Callable[[], int], integrator: bool = True
    ) -> None:
        self._store = store
        self._who = who
        self._clock_ms = clock_ms
        self._integrator = integrator
        self._rules = {
            (name, utf_16): BatchRules(load(name), utf_16=utf_16)
            for name in NAMES
            for utf_16 in (False, True)
        }
        more = [(app_of_tenant(who.app_key, tenant), tenant) for tenant in who.more_tenants]
        for app_key, tenant in ((who.app_key, who.tenant_id), (FOREIGN_APP, -1), *more):
            if store.app(app_key) is None:
                store.add_app(app_key, "Sandbox", "https://sandbox.invalid/webhook", tenant, by_call=False)
        store.commit()

    def handle(
        self, call: Call, query: str, body: bytes, parsed: CustomerObject | None, *, utf_16: bool = False
    ) -> object:
        """The answer's `data`. `parsed`: the body as JSON, if it was read before. `utf_16`: what lengths are
        counted in. Raises ApiRefusalError."""
        if call.name == "fields":
            return self._fields(query)
        code = 9000 if call.name in ("create_app", "phone_list") else 1002
        found = parse_object(body, code) if parsed is None else parsed
        if call.contract is not None:
            return self._batch_create(self._rules[call.contract.name, utf_16], found)
        if call.name == "query":
            return self._query(found)
        if not self._integrator:
            raise ApiRefusalError(9007, "Non-integrator request")
        return self._create_app(found) if call.name == "create_app" else self._phone_list(found)

    def _batch_create(self, rules: BatchRules, body: Mapping[str, object]) -> str:
        app = self._tenant_app(body)
        customers = rules.check(body)
        mode = body["type"]
        assert isinstance(mode, int)  # noqa: S101 - the rules saw to it
        self._store.write(rules.contract.name, app, mode, customers, self._clock_ms())
        return ""

    def _tenant_app(self, body: Mapping[str, object]) -> StoredApp:
        tenant = whole_number(body, "tenant_id")
        if tenant != self._who.tenant_id and tenant not in self._who.more_tenants:
            raise ApiRefusalError(1002, "tenant_id is not this account's")
        return self._app(text_parameter(body, "app_key", 1002), tenant)

    def _app(self, app_key: str, tenant: int) -> StoredApp:
        app = self._store.app(app_key)
        if app is None:
            raise ApiRefusalError(9008, "APPKEY does not exist")
        if app.tenant_id != tenant:
            raise ApiRefusalError(
                9010,
                "Inconsistent authentication mechanism customer information and APPKEY customer information",
            )
        return app

    def _create_app(self, body: Mapping[str, object]) -> Mapping[str, object]:
        name = text_parameter(body, "app_name", 9000)
        webhook = text_parameter(body, "webhook", 9000)
        if not webhook.startswith(("https://", "http://")):
            raise ApiRefusalError(9000, "webhook must be an http or https address")
        if self._store.apps_created() >= MAX_APPS:
            raise ApiRefusalError(9009, "Maximum of 1000 customer applications reached")
        app = self._store.add_app(secrets.token_hex(4), name, webhook, self._who.tenant_id, by_call=True)
        return {"app_id": 1000 + app.id, "app_name": app.app_name, "app_key": app.app_key}

    def _phone_list(self, body: Mapping[str, object]) -> list[Mapping[str, object]]:
        app = self._app(text_parameter(body, "appkey", 9000), self._who.tenant_id)
        return list(PHONES) if app.app_key == self._who.app_key else []

    def _fields(self, query: str) -> list[Mapping[str, object]]:
        try:
            found = parse_qs(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
        except ValueError as error:
            raise ApiRefusalError(1002, "the query cannot be read") from error
        values = {name: entries[0] for name, entries in found.items() if len(entries) == 1}
        tenant = values.get("tenant_id", "")
        if not (tenant.isascii() and tenant.isdigit() and len(tenant) < 19):
            raise ApiRefusalError(1002, "tenant_id must be an integer")
        preset = values.get("is_preset")
        if preset not in (None, "true", "false"):
            raise ApiRefusalError(1002, "is_preset must be true or false")
        self._tenant_app({"tenant_id": int(tenant), "app_key": values.get("app_key")})
        return tenant_fields(int(tenant), None if preset is None else preset == "true")

    def _query(self, body: Mapping[str, object]) -> Mapping[str, object]:
        app = self._tenant_app(body)
        limit = whole_number(body, "limit")
        if not 1 <= limit <= MAX_QUERY:
            raise ApiRefusalError(1002, f"limit must be 1 to {MAX_QUERY}")
        found = self._store.search(app, _search(app, body), limit)
        return {
            "list": [_shown(customer) for customer in found],
            "before": found[0].id if found else None,
            "after": found[-1].id if found else None,
        }


_CONTACTS = ("sms_phone", "whatsApp_phone", "viber_phone", "email")
_TEXTS = (
    *_CONTACTS,
    "name",
    "start_time",
    "end_time",
    "tags",
    "source_type",
)


def _search(app: StoredApp, body: Mapping[str, object]) -> CustomerSearch:
    texts = {name: _optional_text(body, name) for name in _TEXTS}
    logic = body.get("tags_logic_type", 0)
    if logic not in (0, 1, "or", "and", "OR", "AND"):
        raise ApiRefusalError(1002, "tags_logic_type must be 0 (any) or 1 (all)")
    contacts = [contact_key(app.id, texts[name], name == "email") or "-" for name in _CONTACTS if texts[name]]
    return CustomerSearch(
        contacts=tuple(contacts),
        name=texts["name"],
        start_ms=_time_ms(texts["start_time"], "start_time"),
        end_ms=_time_ms(texts["end_time"], "end_time"),
        tags=tuple(tag.strip() for tag in texts["tags"].split(",") if tag.strip()),
        all_tags=str(logic).lower() in ("1", "and"),
        source=texts["source_type"],
        after=_cursor(body, "after"),
        before=_cursor(body, "before"),
    )


def _optional_text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if isinstance(value, list) and name == "tags" and all(isinstance(tag, str) for tag in value):
        value = ",".join(value)
    return "" if value in (None, "") else text_parameter({name: value}, name, 1002)


def _cursor(body: Mapping[str, object], name: str) -> int | None:
    return None if body.get(name) is None else whole_number(body, name)


def _time_ms(text: str, name: str) -> int | None:
    if not text:
        return None
    try:
        moment = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise ApiRefusalError(1002, f"{name} must be yyyy-MM-dd HH:mm:ss") from error
    return int(moment.timestamp() * 1000)


def _shown(customer: StoredCustomer) -> Mapping[str, object]:
    return {
        "id": customer.id,
        "tenant_id": customer.tenant_id,
        **customer.fields,
        "create_time": time_text(customer.created_ms),
        "update_time": time_text(customer.updated_ms),
    }


def time_text(milliseconds: int) -> str:
    """A moment as customers/query tells it, in UTC: yyyy-MM-dd HH:mm:ss."""
    return f"{dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}"


# The sandbox tenant's sample data: custom fields and registered phone numbers. All of it is made up.

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
