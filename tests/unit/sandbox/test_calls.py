"""The sandbox answers as the vendor's pages say: spoken to over plain HTTP, signed by hand."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from importer.contracts import load
from importer.errors import SettingsError, UsageError
from importer.sandbox import Sandbox
from importer.sandbox.embedded import TEST_CREDENTIALS

SEA = "/saas/sea/cdp/openapi/customers/batch_create"
PLAT = "/saas/cdp/openapi/customers/batch_create"
CREATE_APP = "/api/wa/integrator/embedded/register/createApp"
PHONE_LIST = "/api/wa/integrator/embedded/register/phoneList"
FIELDS = "/saas/cdp/openapi/customers/fields"
QUERY = "/saas/cdp/openapi/customers/query"

ANN = {"first_name": "Ann", "last_name": "Lee", "sms_phone": "8613800000001"}


class Caller:
    """Signs as the vendor's convention says, written here a second time on purpose."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.session = requests.Session()
        self.session.trust_env = False

    def headers(self, body: bytes, action: str = "mt", **changed: str) -> dict[str, str]:
        who = self.box.credentials
        signed = {
            "accessKey": who.access_key,
            "action": action,
            "bizType": "2",
            "ts": str(int(time.time() * 1000)),
        }
        signed.update(changed)
        text = "&".join(f"{name}={signed[name]}" for name in sorted(signed)).encode()
        text += (b"&body=" + body if body else b"") + b"&accessSecret=" + who.access_secret.encode()
        return {**signed, "sign": hashlib.md5(text).hexdigest()}

    def post(self, path: str, body: object, action: str = "mt") -> dict[str, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.send("POST", path, raw, self.headers(raw, action))

    def get(self, path: str) -> dict[str, Any]:
        return self.send("GET", path, b"", self.headers(b""))

    def send(self, method: str, path: str, raw: bytes, headers: dict[str, str]) -> dict[str, Any]:
        answer = self.session.request(method, self.box.base_url + path, data=raw, headers=headers, timeout=10)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def batch(self, customers: object, mode: object = 1, path: str = SEA, **more: object) -> dict[str, Any]:
        who = self.box.credentials
        body = {"type": mode, "tenant_id": who.tenant_id, "app_key": who.app_key, "customers": customers}
        return self.post(path, {**body, **more})


@pytest.fixture(scope="module")
def shared() -> Iterator[Caller]:
    """For what leaves nothing behind."""
    with Sandbox() as box:
        caller = Caller(box)
        yield caller
        caller.session.close()


@pytest.fixture
def caller() -> Iterator[Caller]:
    with Sandbox() as box:
        caller = Caller(box)
        yield caller
        caller.session.close()


def fields(caller: Caller) -> list[dict[str, object]]:
    return [dict(customer.fields) for customer in caller.box.customers()]


def test_a_batch_is_stored(caller: Caller) -> None:
    full = {
        **ANN,
        "last_name": "李四",
        "whats_app_phone": "8613800000002",
        "country": "China",
        "email": "a@b.example",
        "address": "贵州",
        "birthday": "1976-04-12",
        "tagStr": "test,99",
        "remark": "r" * 100,
        "time_zone": "GMT+8",
        "gender": 0,
        "customize_field": '{"customize_1_14": "aa"}',
        "belong_seat_user": "s",
        "source": "voluptate",
    }
    answer = caller.batch([full])
    assert answer.pop("traceId")
    assert answer == {"code": 0, "message": "", "data": ""}
    assert fields(caller) == [full]


def test_the_other_contract_has_its_own_fields(caller: Caller) -> None:
    ann = {"full_name": "Ann Lee", "viber_phone": "8613800000001", "line": "ann", "remark": "r" * 2000}
    assert caller.batch([ann], path=PLAT, strict_binding=True)["code"] == 0
    assert fields(caller) == [ann]
    assert caller.batch([ann], path=SEA)["code"] == 1002
    assert caller.batch([ANN], path=PLAT)["code"] == 1002
    assert caller.batch([{**ann, "zalo": "12a"}], path=PLAT)["code"] == 1002


SECOND = {"first_name": "Anna", "last_name": "Lee", "sms_phone": "8613800000001", "remark": "new"}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0, SECOND),
        (
            1,
            {
                "first_name": "Anna",
                "last_name": "Lee",
                "sms_phone": "8613800000001",
                "country": "China",
                "remark": "new",
            },
        ),
        (2, {**ANN, "country": "China"}),
    ],
)
def test_the_three_modes_leave_three_states(caller: Caller, mode: int, expected: dict[str, object]) -> None:
    assert caller.batch([{**ANN, "country": "China"}])["code"] == 0
    assert (
        caller.batch([SECOND, {"first_name": "Bob", "last_name": "Ray", "email": "B@x.example"}], mode)[
            "code"
        ]
        == 0
    )
    assert fields(caller) == [expected, {"first_name": "Bob", "last_name": "Ray", "email": "B@x.example"}]


def test_an_update_merges_own_fields_key_by_key(caller: Caller) -> None:
    for own in ('{"a": 1, "b": 2}', '{"b": 3}'):
        caller.batch([{**ANN, "customize_field": own}])
    found = fields(caller)[0]["customize_field"]
    assert json.loads(str(found)) == {"a": 1, "b": 3}


def test_a_customer_is_known_by_any_phone_or_e_mail_that_ever_came_with_it(caller: Caller) -> None:
    rows = [
        {**ANN, "email": "Ann@x.example"},
        {"first_name": "by mail", "last_name": "-", "email": "ann@X.example", "whats_app_phone": "+86 139"},
        {"first_name": "by the new phone", "last_name": "-", "sms_phone": "86139"},
        {"first_name": "another", "last_name": "-", "sms_phone": "86140"},
        {"first_name": "nobody", "last_name": "-"},
    ]
    assert caller.batch(rows, 0)["code"] == 0
    assert [row["first_name"] for row in fields(caller)] == ["by the new phone", "another", "nobody"]


def test_the_same_batch_again_changes_nothing_but_for_rows_without_contacts(caller: Caller) -> None:
    rows = [
        {**ANN, "email": "a@x"},
        {"first_name": "B", "last_name": "-", "email": "a@x", "sms_phone": "2"},
        {"first_name": "C", "last_name": "-", "sms_phone": "2", "whats_app_phone": "3"},
        {"first_name": "D", "last_name": "-", "whats_app_phone": "3", "email": "d@x"},
        {"first_name": "E", "last_name": "-", "email": "e@x"},
    ]
    for mode in (0, 1, 2):
        caller.batch(rows, mode)
        before = fields(caller)
        for _ in range(2):
            caller.batch(rows, mode)
        assert fields(caller) == before
    caller.batch([{"first_name": "F", "last_name": "-"}])
    caller.batch([{"first_name": "F", "last_name": "-"}])
    assert len(fields(caller)) == len(before) + 2


def test_contacts_of_two_applications_have_nothing_to_do_with_each_other(caller: Caller) -> None:
    app = caller.post(CREATE_APP, {"app_name": "Two", "webhook": "https://x.example"}, "createApp")["data"]
    caller.batch([ANN])
    assert caller.batch([ANN], app_key=app["app_key"])["code"] == 0
    assert [customer.app_key for customer in caller.box.customers()] == ["sandbox-app", app["app_key"]]


@pytest.mark.parametrize(
    "field", [field for field in load("sea").fields if field.max_length], ids=lambda f: f.name
)
def test_limits_count_characters(shared: Caller, field: Any) -> None:
    at_limit = "1" * field.max_length if field.identifier else "界" * field.max_length
    assert shared.batch([{**ANN, field.name: at_limit}])["code"] == 0
    answer = shared.batch([ANN, {**ANN, field.name: at_limit + "1"}])
    assert answer["code"] == 1002
    assert answer["message"].startswith(f"customers[1]: {field.name}")


@pytest.mark.parametrize(
    "bad",
    [
        {"first_name": ""},
        {"first_name": None},
        {"last_name": 5},
        {"birthday": "1990-02-30"},
        {"birthday": "1990/02/03"},
        {"birthday": "19900203"},
        {"birthday": 19900203},
        {"gender": "1"},
        {"gender": 2},
        {"gender": True},
        {"gender": 1.0},
        {"customize_field": {"a": 1}},
        {"customize_field": "[]"},
        {"customize_field": "{"},
        {"customize_field": '{"a": NaN}'},
        {"customize_field": '{"a": "b",}'},
        {"country": None},
        {"nickname": "x"},
        {"email": ["a@b"]},
        {"remark": "\ud800"},
    ],
    ids=json.dumps,
)
def test_one_row_that_breaks_the_contract_refuses_the_whole_batch(
    shared: Caller, bad: dict[str, object]
) -> None:
    before = len(shared.box.customers())
    raw = {"first_name": "New", "last_name": "One", "sms_phone": "55"}
    body = {"type": 1, "tenant_id": 1000, "app_key": "sandbox-app", "customers": [raw, {**ANN, **bad}]}
    assert shared.post(SEA, json.dumps(body).encode())["code"] == 1002
    assert len(shared.box.customers()) == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": 3}, 1002),
        ({"type": "1"}, 1002),
        ({"type": True}, 1002),
        ({"type": None}, 1002),
        ({"tenant_id": "1000"}, 1002),
        ({"tenant_id": 7}, 1002),
        ({"tenant_id": 10**30}, 1002),
        ({"app_key": ""}, 1002),
        ({"app_key": 5}, 1002),
        ({"app_key": "nobody's"}, 9008),
        ({"app_key": "sandbox-app-of-another-account"}, 9010),
        ({"customers": []}, 1002),
        ({"customers": {}}, 1002),
        ({"customers": [5]}, 1002),
        ({"customers": [ANN] * 101}, 1002),
        ({"customers": [ANN] * 100}, 0),
        ({"customer": []}, 1002),
        ({"strict_binding": True}, 1002),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_body_of_a_batch(shared: Caller, changes: dict[str, Any], code: int) -> None:
    body = {"type": 1, "tenant_id": 1000, "app_key": "sandbox-app", "customers": [ANN], **changes}
    assert shared.post(SEA, body)["code"] == code


@pytest.mark.parametrize("name", ["accessKey", "action", "bizType", "ts", "sign"])
def test_a_missing_header(shared: Caller, name: str) -> None:
    headers = shared.headers(b"{}")
    del headers[name]
    assert shared.send("POST", SEA, b"{}", headers)["code"] == 1001


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"accessKey": "wrong"}, 1005),
        ({"action": "createApp"}, 1002),
        ({"bizType": "1"}, 1002),
        ({"ts": "soon"}, 1004),
        ({"ts": "9" * 30}, 1004),
        ({"ts": "-1"}, 1004),
        ({"ts": "²"}, 1004),
    ],
    ids=str,
)
def test_headers_that_are_wrong(shared: Caller, changed: dict[str, str], code: int) -> None:
    headers = shared.headers(b"{}", **changed)
    raw = {name: value.encode() for name, value in headers.items()}
    assert shared.send("POST", SEA, b"{}", raw)["code"] == code  # type: ignore[arg-type]


def test_the_clock_window_is_a_minute(caller: Caller) -> None:
    for seconds, code in ((55, 1002), (-55, 1002), (65, 1004), (-65, 1004)):
        ts = str(int((time.time() + seconds) * 1000))
        assert caller.send("POST", SEA, b"{}", caller.headers(b"{}", ts=ts))["code"] == code


def test_a_signature_of_another_body_or_secret(shared: Caller) -> None:
    assert shared.send("POST", SEA, b"{} ", shared.headers(b"{}"))["code"] == 1003
    assert shared.send("POST", SEA, b"{}", {**shared.headers(b"{}"), "sign": "0" * 32})["code"] == 1003


def test_sha256_is_taken_where_it_is_named(shared: Caller) -> None:
    headers = shared.headers(b"")
    text = "&".join(f"{name}={headers[name]}" for name in sorted(headers) if name != "sign")
    text += f"&accessSecret={shared.box.credentials.access_secret}"
    headers |= {"algorithm": "sha256", "sign": hashlib.sha256(text.encode()).hexdigest()}
    path = f"{FIELDS}?tenant_id=1000&app_key=sandbox-app"
    assert shared.send("GET", path, b"", headers)["code"] == 0
    assert shared.send("GET", path, b"", {**headers, "algorithm": "sha1"})["code"] == 1002


def test_create_app_up_to_a_thousand(caller: Caller) -> None:
    made = caller.post(CREATE_APP, {"app_name": "Shop", "webhook": "https://x.example/hook"}, "createApp")
    assert set(made) == {"code", "message", "data"}
    assert made["message"] == "Request successful"
    assert set(made["data"]) == {"app_id", "app_name", "app_key"}
    assert made["data"]["app_name"] == "Shop"
    for number in range(999):
        name = {"app_name": f"Shop {number}", "webhook": "https://x.example"}
        assert caller.post(CREATE_APP, name, "createApp")["code"] == 0
    one_more = caller.post(CREATE_APP, {"app_name": "x", "webhook": "https://x.example"}, "createApp")
    assert (one_more["code"], one_more["data"]) == (9009, None)


@pytest.mark.parametrize(
    "body", [{}, {"app_name": "x"}, {"app_name": "", "webhook": "https://x"}, [], {"app_name": 1}]
)
def test_create_app_misses_parameters(shared: Caller, body: object) -> None:
    assert shared.post(CREATE_APP, body, "createApp")["code"] == 9000


def test_phone_list_has_ten_fields(shared: Caller) -> None:
    answer = shared.post(PHONE_LIST, {"appkey": "sandbox-app"}, "phoneList")
    assert set(answer) == {"code", "message", "data"}
    assert {len(phone) for phone in answer["data"]} == {10}
    assert answer["data"][0]["display_phone_number"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"app_key": "sandbox-app"}, 9000),
        ({}, 9000),
        ({"appkey": "nobody's"}, 9008),
        ({"appkey": "sandbox-app-of-another-account"}, 9010),
    ],
)
def test_phone_list_refuses(shared: Caller, body: object, code: int) -> None:
    assert shared.post(PHONE_LIST, body, "phoneList")["code"] == code


def test_who_is_no_integrator_cannot_make_applications() -> None:
    with Sandbox(integrator=False) as box:
        caller = Caller(box)
        with caller.session:
            made = caller.post(CREATE_APP, {"app_name": "x", "webhook": "https://x.example"}, "createApp")
            assert made["code"] == 9007
            assert caller.post(PHONE_LIST, {"appkey": "sandbox-app"}, "phoneList")["code"] == 9007


def test_fields_of_the_tenant(shared: Caller) -> None:
    path = f"{FIELDS}?tenant_id=1000&app_key=sandbox-app"
    every = shared.get(path)["data"]
    documented = {
        "id", "tenantId", "name", "required", "sequence", "remark", "display_name", "display_en_name",
        "is_display", "field_type", "field_type_info", "is_preset",
    }  # fmt: skip
    assert all(set(field) == documented for field in every)
    own = shared.get(f"{path}&is_preset=false")["data"]
    assert {field["field_type"] for field in own} == set(range(1, 8))
    assert all(field["name"].startswith("customize_") for field in own)
    assert shared.get(f"{path}&is_preset=true")["data"] + own == every
    choices = next(field for field in own if field["field_type"] == 3)
    assert json.loads(choices["field_type_info"])[0] == {"id": "1", "name": "Gold"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 1002),
        ("tenant_id=x&app_key=sandbox-app", 1002),
        ("tenant_id=1000", 1002),
        ("tenant_id=1000&app_key=nobody", 9008),
        ("tenant_id=1000&tenant_id=1000&app_key=sandbox-app", 1002),
        ("tenant_id=1000&app_key=sandbox-app&is_preset=maybe", 1002),
        ("%ff=%ff&&&=", 1002),
    ],
)
def test_fields_refuses(shared: Caller, query: str, code: int) -> None:
    assert shared.get(f"{FIELDS}?{query}")["code"] == code


def _query(caller: Caller, **filters: object) -> list[str]:
    body = {"tenant_id": 1000, "app_key": "sandbox-app", "limit": 50, **filters}
    answer = caller.post(QUERY, body)
    assert answer["code"] == 0, answer
    return [customer["first_name"] for customer in answer["data"]["list"]]


def test_query_filters_and_pages(caller: Caller) -> None:
    rows = [
        {
            "first_name": f"N{number}",
            "last_name": "X",
            "sms_phone": f"86{number}",
            "tagStr": "a,b" if number % 2 else "b, c",
        }
        for number in range(1, 8)
    ]
    caller.batch(
        [*rows, {"first_name": "Ann", "last_name": "Lee", "email": "Ann@x.example", "source": "web"}]
    )
    assert _query(caller, sms_phone="+86 3") == ["N3"]
    assert _query(caller, whatsApp_phone="863") == ["N3"]
    assert _query(caller, email="ann@x.example") == ["Ann"]
    assert _query(caller, email="ann@x.example", sms_phone="863") == []
    assert _query(caller, name="nn L") == ["Ann"]
    assert _query(caller, source_type="web") == ["Ann"]
    assert _query(caller, tags="a") == ["N1", "N3", "N5", "N7"]
    assert _query(caller, tags="a,c", limit=2) == ["N1", "N2"]
    assert _query(caller, tags="b,c", tags_logic_type=1) == ["N2", "N4", "N6"]
    assert _query(caller, start_time="2000-01-01 00:00:00", end_time="2001-01-01 00:00:00") == []
    assert len(_query(caller, start_time="2000-01-01 00:00:00")) == 8
    assert _query(caller, limit=3, after=3) == ["N4", "N5", "N6"]
    assert _query(caller, limit=2, before=4) == ["N2", "N3"]


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 0},
        {"limit": 51},
        {"limit": None},
        {"start_time": "today"},
        {"after": "x"},
        {"tags_logic_type": 9},
        {"name": 5},
    ],
    ids=str,
)
def test_query_refuses(shared: Caller, changes: dict[str, object]) -> None:
    body = {"tenant_id": 1000, "app_key": "sandbox-app", "limit": 1, **changes}
    assert shared.post(QUERY, body)["code"] == 1002


def test_a_store_that_is_kept_goes_on_under_its_own_identity(tmp_path: Path) -> None:
    store = tmp_path / "crm.db"
    with Sandbox(store, credentials=TEST_CREDENTIALS) as box:
        caller = Caller(box)
        with caller.session:
            caller.batch([ANN])
        identity = box.store_id
    assert store.stat().st_mode & 0o777 == 0o600
    with Sandbox(store, credentials=TEST_CREDENTIALS) as box:
        assert box.store_id == identity
        assert [customer.fields for customer in box.customers()] == [ANN]
        caller = Caller(box)
        with caller.session:
            caller.batch([SECOND, {"first_name": "New", "last_name": "-"}])
        assert [customer.id for customer in box.customers()] == [1, 2]
    with Sandbox() as other:
        assert other.store_id != identity
        assert other.connection.destination("").store == other.store_id


def test_a_store_that_is_none_is_refused(tmp_path: Path) -> None:
    no_store = tmp_path / "notes.txt"
    no_store.write_text("hello " * 1000)
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE customer (id INTEGER)")
    db.close()
    for path in (no_store, other, tmp_path, tmp_path / "missing" / "x.db"):
        with pytest.raises(SettingsError) as caught:
            Sandbox(path)
        assert caught.value.code == "bad-store"
    assert no_store.read_text().startswith("hello")


def test_a_port_that_is_taken_is_told() -> None:
    with Sandbox() as box, pytest.raises(UsageError, match="port"):
        Sandbox(port=int(box.base_url.rpartition(":")[2]))


def test_the_page_shows_what_is_stored_and_escapes_it(caller: Caller) -> None:
    caller.batch([{**ANN, "remark": "<script>alert(1)</script>", "address": '" onmouseover="x'}])
    answer = caller.session.get(caller.box.base_url + "/", timeout=10)
    assert answer.headers["content-type"].startswith("text/html")
    assert "8613800000001" in answer.text
    assert "<script" not in answer.text
    assert '" onmouseover' not in answer.text
    assert "http-equiv" in answer.text
    assert caller.box.credentials.access_secret not in answer.text
    assert "src=" not in answer.text
    assert "href=" not in answer.text
