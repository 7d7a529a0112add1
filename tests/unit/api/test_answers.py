"""The one table of what each answer means, against docs/remote-api.md."""

from __future__ import annotations

import json
import re
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import messages
from importer.api.answers import RULES, Answer, explain, judge, judge_fault, read, rule_for
from importer.models import Action, Verdict

NOW = 1_700_000_000.0


def answer(body: object, status: int = 200, **headers: str) -> Verdict:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Answer(status, found, raw, 0.1, NOW))


# Read off docs/remote-api.md, “Answers”: code → what the client does.
DOCUMENTED = {
    0: Action.DONE,
    1001: Action.STOP,
    1002: Action.ISOLATE,
    1003: Action.STOP,
    1004: Action.CORRECT_CLOCK,
    1005: Action.STOP,
    9000: Action.ISOLATE,
    -1: Action.RETRY,
    9001: Action.RETRY,
    9007: Action.STOP,
    9008: Action.STOP,
    9009: Action.STOP,
    9010: Action.STOP,
    1006: Action.RETRY_THEN_ISOLATE,
    424242: Action.RETRY_THEN_ISOLATE,
}


@pytest.mark.parametrize(("code", "action"), DOCUMENTED.items())
def test_every_documented_code(code: int, action: Action) -> None:
    verdict = answer({"code": code, "message": "why", "traceId": "t1", "data": None})
    assert (verdict.action, verdict.code, verdict.message, verdict.trace_id) == (
        action,
        str(code),
        "why",
        "t1",
    )
    # An answer with a code is never “unknown”.
    assert not verdict.maybe_processed


@pytest.mark.parametrize(
    ("status", "action", "maybe_processed"),
    [
        (301, Action.STOP, False),
        (307, Action.STOP, False),
        (400, Action.RETRY_THEN_ISOLATE, False),
        (401, Action.STOP, False),
        (403, Action.STOP, False),
        (404, Action.STOP, False),
        (405, Action.STOP, False),
        (407, Action.STOP, False),
        (408, Action.RETRY, True),
        (413, Action.ISOLATE, False),
        (422, Action.RETRY_THEN_ISOLATE, False),
        (429, Action.WAIT, False),
        (500, Action.RETRY, True),
        (503, Action.RETRY, True),
        (599, Action.RETRY, True),
    ],
)
def test_http_statuses(status: int, action: Action, maybe_processed: bool) -> None:
    verdict = answer(b"<html>", status)
    assert (verdict.action, verdict.maybe_processed, verdict.code) == (
        action,
        maybe_processed,
        f"http-{status}",
    )
    assert verdict.message


@pytest.mark.parametrize("status", [*range(300, 309), *range(400, 432), 451, *range(500, 512), 599, 999])
def test_what_is_said_of_a_status_is_whole(status: int) -> None:
    verdict = answer(b"", status)
    for lang in ("en", "zh"):
        for said in (verdict.message, *explain(verdict.code, verdict.message, lang)):
            assert not re.search(r"[<{]", said), said


@pytest.mark.parametrize("status", [300, 400, 401, 404, 429, 500])
def test_no_status_but_200_makes_a_success(status: int) -> None:
    assert answer({"code": 0}, status).action is not Action.DONE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"code": 0, "mess',
        b"<html></html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"code": ' + b"9" * 9999 + b"}",
    ],
)
def test_what_is_not_json_is_never_success(body: bytes) -> None:
    verdict = answer(body)
    assert (verdict.action, verdict.maybe_processed, verdict.code) == (Action.RETRY, True, "not-json")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        0,
        "0",
        None,
        {"code": None},
        {"code": ""},
        {"code": " 0"},
        {"code": "00"},
        {"code": "-0"},
        {"code": "0x0"},
        {"code": "０"},
        {"code": "1e3"},
        {"code": "OK"},
        {"code": True},
        {"code": False},
        {"code": 0.0},
        {"Code": 0},
        b'{"code": 9000, "code": 0}',
        b'{"code": 0, "message": "", "code": 0}',
    ],
)
def test_without_a_code_it_is_never_success(body: object) -> None:
    verdict = answer(body)
    assert (verdict.action, verdict.maybe_processed, verdict.code) == (Action.RETRY, True, "no-code")


@pytest.mark.parametrize("code", DOCUMENTED)
def test_the_digits_of_a_code_as_text_count_as_the_code(code: int) -> None:
    reply = {"message": "why", "traceId": "t", "data": ""}
    assert answer({"code": str(code), **reply}) == answer({"code": code, **reply})


@pytest.mark.parametrize(
    "message",
    [
        "appkey access rate limit",
        "TPS",
        "超过TPS限制",
        "Over QPS quota",
        "API_RATE_LIMIT_EXCEEDED",
        "RateLimited",
        "Request is too frequent, try later",
        "Too many requests",
        "too many API calls",
        "Requests are too often",
        "calling frequency exceeded",
        "You exceed the allowed call frequency",
        "Request was throttled",
        "请求过于频繁",
        "接口限流",
        "调用频率超限",
        "请求过快，请稍后再试",
    ],
)
def test_a_limit_in_words_is_waited_for(message: str) -> None:
    verdict = answer({"code": 28, "message": message})
    assert (verdict.action, verdict.maybe_processed) == (Action.WAIT, False)
    assert (verdict.code, verdict.message) == ("28", message)
    assert "slow down" in explain(verdict.code, message)[0]
    # What a documented code means is not up to the sentence beside it.
    assert answer({"code": 1002, "message": message}).action is Action.ISOLATE
    assert answer({"code": 0, "message": message}).action is Action.DONE


@pytest.mark.parametrize(
    "message",
    [
        "",
        "quota used up",
        "separate limits apply",
        "exchange rate is not a number",
        "field frequency is unknown",
        "frequent_flyer: longer than 30 characters",
        "https required",
        "system under maintenance",
        "too many customers",
        "手机号码重复",
    ],
)
def test_other_sentences_are_no_limit(message: str) -> None:
    assert answer({"code": 28, "message": message}).action is Action.RETRY_THEN_ISOLATE


@given(st.binary(max_size=200), st.integers(200, 599))
def test_any_bytes_are_judged(body: bytes, status: int) -> None:
    assert judge(Answer(status, {}, body, 0.0, NOW)).action is not Action.DONE


def test_a_code_in_a_4xx_counts_where_the_status_says_nothing() -> None:
    assert answer({"code": 1002, "message": "bad"}, 400).action is Action.ISOLATE
    assert answer({"code": 1004}, 401, date=formatdate(NOW, usegmt=True)).action is Action.CORRECT_CLOCK
    assert answer({"code": 1002}, 404).action is Action.STOP


def test_the_servers_clock_is_told() -> None:
    verdict = answer({"code": 1004}, date="Tue, 14 Nov 2023 22:13:20 GMT")
    assert verdict.server_time_ms == 1_700_000_000_000
    assert answer({"code": 1004}, date="yesterday").server_time_ms is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("-1", None),
        ("inf", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_and_as_date(text: str, seconds: float | None) -> None:
    assert answer(b"", 429, retry_after=text).retry_after == seconds


def test_a_retry_after_date_is_read_by_the_servers_own_clock() -> None:
    ours_is_an_hour_late = formatdate(NOW + 3600, usegmt=True)
    verdict = answer(b"", 429, date=ours_is_an_hour_late, retry_after=formatdate(NOW + 3605, usegmt=True))
    assert verdict.retry_after == 5.0


def test_texts_of_the_server_are_made_fit_for_a_terminal() -> None:
    verdict = answer({"code": 1002, "message": "a\x1b[31m\r\nb" + "x" * 9999, "traceId": "\x07t"})
    assert verdict.message.startswith("a\\u001b[31m b")
    assert len(verdict.message) == 500
    assert verdict.trace_id == "\\u0007t"
    assert answer({"code": 1002, "message": {"not": "text"}}).message == ""


def test_undocumented_data_is_kept() -> None:
    assert answer({"code": 0, "data": [{"行": 1}]}).data == '[{"行": 1}]'
    assert answer({"code": 0, "data": ""}).data == ""


# From docs/remote-api.md, the table below the envelope: what happens → action, may it have been processed.
@pytest.mark.parametrize(
    ("key", "action", "maybe_processed"),
    [
        ("read-timeout", Action.RETRY, True),
        ("connection-lost", Action.RETRY, True),
        ("cut-off", Action.RETRY, True),
        ("lost-while-sending", Action.RETRY, False),
        ("connection-refused", Action.WAIT, False),
        ("name-unresolved", Action.WAIT, False),
        ("connect-timeout", Action.WAIT, False),
        ("no-route", Action.WAIT, False),
        ("certificate", Action.STOP, False),
    ],
)
def test_faults_of_the_network(key: str, action: Action, maybe_processed: bool) -> None:
    verdict = judge_fault(key, "", 1.0)
    assert (verdict.action, verdict.maybe_processed, verdict.code) == (action, maybe_processed, key)
    assert verdict.message


@pytest.mark.parametrize("code", [*map(str, DOCUMENTED), *RULES, "http-503", "http-418", "http-302"])
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_every_code_becomes_a_sentence(code: str, lang: str) -> None:
    says, do = explain(code, "why", lang)
    assert says
    assert "<" not in says + do
    if rule_for(code).action is not Action.DONE:
        assert do


def test_a_byte_order_mark_is_no_fault() -> None:
    assert read(b'\xef\xbb\xbf{"code": 0}').code == 0
