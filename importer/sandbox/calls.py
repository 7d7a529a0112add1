"""The API's calls as the sandbox carries them out, once headers and signature are right.

Each call returns the answer's `data`, or raises a refusal.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from importer.contracts import NAMES, Contract, Endpoint, endpoints, load
from importer.sandbox import samples
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
        for app_key, tenant in ((who.app_key, who.tenant_id), (FOREIGN_APP, -1)):
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
        if whole_number(body, "tenant_id") != self._who.tenant_id:
            raise ApiRefusalError(1002, "tenant_id is not this account's")
        return self._app(text_parameter(body, "app_key", 1002))

    def _app(self, app_key: str) -> StoredApp:
        app = self._store.app(app_key)
        if app is None:
            raise ApiRefusalError(9008, "APPKEY does not exist")
        if app.tenant_id != self._who.tenant_id:
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
        app = self._app(text_parameter(body, "appkey", 9000))
        return list(samples.PHONES) if app.app_key == self._who.app_key else []

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
        return samples.tenant_fields(int(tenant), None if preset is None else preset == "true")

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


_TEXTS = ("sms_phone", "whatsApp_phone", "email", "name", "start_time", "end_time", "tags", "source_type")


def _search(app: StoredApp, body: Mapping[str, object]) -> CustomerSearch:
    texts = {name: _optional_text(body, name) for name in _TEXTS}
    logic = body.get("tags_logic_type", 0)
    if logic not in (0, 1, "or", "and", "OR", "AND"):
        raise ApiRefusalError(1002, "tags_logic_type must be 0 (any) or 1 (all)")
    contacts = [
        contact_key(app.id, texts[name], name == "email") or "-"
        for name in ("sms_phone", "whatsApp_phone", "email")
        if texts[name]
    ]
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
