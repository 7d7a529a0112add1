"""Scripted faults: what the client takes each for, and what the sandbox has stored then."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from importer.api.account import create_app, fields
from importer.api.client import Client
from importer.api.transport import Timeouts
from importer.config import Secret
from importer.contracts import load
from importer.errors import UsageError
from importer.models import Action, Verdict
from importer.sandbox import Sandbox
from importer.sandbox.application import ReceivedRequest
from importer.sandbox.faults import Fault, FaultScript, load_faults, parse_fault

BATCH = load("sea").endpoint
QUICK = Timeouts(connect=5.0, read=0.3)
PATIENT = Timeouts(connect=10.0, read=10.0)


def body(*names: str) -> bytes:
    customers = [{"first_name": name, "last_name": "-", "email": f"{name}@x.example"} for name in names]
    request = {"type": 1, "tenant_id": 1000, "app_key": "sandbox-app", "customers": customers}
    return json.dumps(request).encode()


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


def attempts(
    box: Sandbox, count: int = 1, request: bytes = body("ann"), timeouts: Timeouts = PATIENT
) -> list[Verdict]:
    with Client(box.connection, timeouts=timeouts) as client:
        return [client.attempt(BATCH, request) for _ in range(count)]


@pytest.mark.parametrize(
    ("fault", "code", "action", "maybe_processed", "stored"),
    [
        ("status status=503", "http-503", Action.RETRY, True, 0),
        ("status status=503 stored=true", "http-503", Action.RETRY, True, 1),
        ("status status=302", "http-302", Action.STOP, False, 0),
        ("status status=204", "not-json", Action.RETRY, True, 0),
        ("status status=413", "http-413", Action.ISOLATE, False, 0),
        ("code code=9001", "9001", Action.RETRY, False, 0),
        ("code code=1005", "1005", Action.STOP, False, 0),
        ("code code=7777 message=quota", "7777", Action.RETRY_THEN_ISOLATE, False, 0),
        ("code code=-1 stored=true", "-1", Action.RETRY, False, 1),
        ("reset", "connection-lost", Action.RETRY, True, 0),
        ("lost", "connection-lost", Action.RETRY, True, 1),
        ("late seconds=0.1 hang_up=0", "connection-lost", Action.RETRY, True, 1),
        ("late seconds=0.1 hang_up=0 stored=false", "connection-lost", Action.RETRY, True, 0),
        ("no-answer", "read-timeout", Action.RETRY, True, 0),
        ("no-answer stored=true", "read-timeout", Action.RETRY, True, 1),
        ("slow seconds=0.6", "read-timeout", Action.RETRY, True, 1),
        ("truncated", "cut-off", Action.RETRY, True, 1),
        ("truncated stored=false", "cut-off", Action.RETRY, True, 0),
        ("not-json", "not-json", Action.RETRY, True, 1),
        ("wrong-json", "not-json", Action.RETRY, True, 1),
        ("no-code", "no-code", Action.RETRY, True, 1),
        ("away seconds=0.1", "connection-lost", Action.RETRY, True, 0),
        ("away seconds=0.1 stored=true", "connection-lost", Action.RETRY, True, 1),
        ("clock offset_ms=120000", "1004", Action.CORRECT_CLOCK, False, 0),
        ("rate-limit per_second=0.5", "0", Action.DONE, False, 1),
        ("text-code", "0", Action.DONE, False, 1),
        ("utf-16", "0", Action.DONE, False, 1),
    ],
)
def test_each_kind(
    box: Sandbox, fault: str, code: str, action: Action, maybe_processed: bool, stored: int
) -> None:
    box.misbehave(f"{fault} requests=1")
    verdict = attempts(box, timeouts=QUICK if code == "read-timeout" else PATIENT)[0]
    assert (verdict.code, verdict.action, verdict.maybe_processed) == (code, action, maybe_processed)
    deadline = time.monotonic() + 60
    while len(box.customers()) < stored and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(box.customers()) == stored
    if fault.startswith("away"):
        while (verdict := attempts(box)[0]).code == "connection-refused":
            assert (verdict.action, verdict.maybe_processed) == (Action.WAIT, False)
            assert time.monotonic() < deadline
        assert verdict.code == "0"
    else:
        assert attempts(box)[0].code == "0"


def test_a_clock_that_is_wrong_can_be_corrected_by_its_date(box: Sandbox) -> None:
    box.misbehave("clock offset_ms=-7200000")
    with Client(box.connection) as client:
        verdict = client.attempt(BATCH, body("ann"))
        assert verdict.server_time_ms is not None
        assert abs(client.correct_clock(verdict.server_time_ms) + 7_200_000) < 2_000
        assert client.attempt(BATCH, body("ann")).code == "0"


def test_a_sandbox_whose_clock_is_wrong_from_the_start() -> None:
    with Sandbox(clock_offset_ms=3_600_000) as box, Client(box.connection) as client:
        verdict = client.attempt(BATCH, body("ann"))
        assert verdict.action is Action.CORRECT_CLOCK
        assert verdict.server_time_ms is not None
        client.correct_clock(verdict.server_time_ms)
        assert client.attempt(BATCH, body("ann")).code == "0"


@pytest.mark.parametrize(
    ("retry_after", "expected"), [("", None), ("7", 7.0), ("date:7", 7.0)], ids=["without", "seconds", "date"]
)
def test_a_rate_limit(box: Sandbox, retry_after: str, expected: float | None) -> None:
    fault = Fault("rate-limit", per_second=3, retry_after=retry_after)  # type: ignore[arg-type]
    box.application.script = FaultScript([fault], clock=lambda: 0.0)  # all within one second
    found = attempts(box, 5)
    assert [verdict.code for verdict in found] == ["0", "0", "0", "http-429", "http-429"]
    assert found[3].action is Action.WAIT
    assert found[3].retry_after == expected


def test_a_rate_limit_that_does_not_bite_leaves_room_for_another_fault(box: Sandbox) -> None:
    faults = ["rate-limit per_second=2", "code code=9001 requests=2-"]
    box.application.script = FaultScript(faults, clock=lambda: 0.0)  # all within one second
    assert [verdict.code for verdict in attempts(box, 3)] == ["0", "9001", "http-429"]


@pytest.mark.parametrize(
    ("code", "message"), [(28, "TPS"), (1000, "appkey access rate limit"), (5003, "请求过于频繁，请稍后再试")]
)
def test_a_rate_limit_may_be_spoken(box: Sandbox, code: int, message: str) -> None:
    fault = Fault("rate-limit", per_second=1, retry_after="7", code=code, message=message)  # type: ignore[arg-type]
    box.application.script = FaultScript([fault], clock=lambda: 0.0)  # all within one second
    found = attempts(box, 2)
    assert [verdict.code for verdict in found] == ["0", str(code)]
    assert (found[1].action, found[1].http_status, found[1].retry_after) == (Action.WAIT, 200, 7.0)
    assert found[1].message == message
    assert [record.code for record in box.requests] == [0, code]


def test_every_code_may_come_as_a_text(box: Sandbox) -> None:
    box.misbehave("text-code", "code code=1002 requests=2", "code code=-1 requests=3")
    assert [verdict.code for verdict in attempts(box, 4)] == ["0", "1002", "-1", "0"]
    with Client(box.connection) as client:
        box.misbehave("text-code endpoint=any")
        assert create_app(client, "Shop", "https://shop.example/hook").app_name == "Shop"
        assert fields(client)


@pytest.mark.parametrize(("fault", "most"), [("", 128), ("utf-16", 64)])
def test_lengths_are_counted_in_code_points_or_in_utf_16_units(box: Sandbox, fault: str, most: int) -> None:
    box.misbehave(*([fault] if fault else []))
    requests = [
        body("ann").replace(b'"-"', f'"{name}"'.encode()) for name in ("😀" * most, "😀" * (most + 1))
    ]
    codes = [attempts(box, request=request)[0].code for request in requests]
    assert codes == ["0", "1002"]
    assert attempts(box, request=body("ann").replace(b'"-"', f'"{"界" * 128}"'.encode()))[0].code == "0"


def test_two_requests_may_send_it_away_at_once(box: Sandbox) -> None:
    box.misbehave("slow seconds=0.1 requests=1-2", "away seconds=0.1 requests=1-2")
    threads = [threading.Thread(target=attempts, args=(box,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 60
    while attempts(box)[0].code != "0":
        assert time.monotonic() < deadline


def test_going_away_leaves_nobody_waiting_for_an_answer() -> None:
    found: list[str] = []

    def send(box: Sandbox) -> None:
        found.extend(verdict.code for verdict in attempts(box, 4))

    for _ in range(8):
        with Sandbox(faults=["away seconds=0.02 requests='every 3'"]) as box:
            threads = [threading.Thread(target=send, args=(box,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert set(found) <= {"0", "connection-lost", "connection-refused", "lost-while-sending"}


def test_numbers_of_requests(box: Sandbox) -> None:
    box.misbehave(
        "code code=9001 requests=2-3", "code code=-1 requests='every 5'", "code code=1003 requests=7-"
    )
    assert [verdict.code for verdict in attempts(box, 8)] == [
        "0",
        "9001",
        "9001",
        "0",
        "-1",
        "0",
        "1003",
        "1003",
    ]


def test_rows_that_match(box: Sandbox) -> None:
    box.misbehave("code code=1002 rows.email=b*@x.example times=2")
    assert attempts(box, 1, body("ann", "cat"))[0].code == "0"
    assert [verdict.code for verdict in attempts(box, 3, body("ann", "bob"))] == ["1002", "1002", "0"]


def test_an_endpoint_of_its_own(box: Sandbox) -> None:
    box.misbehave("code code=9001 endpoint=fields")
    assert attempts(box)[0].code == "0"
    box.misbehave("code code=9001 endpoint=any")
    assert attempts(box)[0].code == "9001"


def test_latency_is_added_to_every_answer() -> None:
    with Sandbox(latency=0.05) as box:
        assert attempts(box)[0].seconds >= 0.05


def test_a_wrong_secret_is_told(box: Sandbox) -> None:
    with Client(replace(box.connection, access_secret=Secret("x"))) as client:
        assert client.attempt(BATCH, body("ann")).code == "1003"


def test_what_was_asked_is_kept() -> None:
    with Sandbox(keep_bodies=True, faults=["lost requests=1"]) as box:
        attempts(box, 2, body("ann", "bob"))
        records = [(record.call, record.code, record.customers, record.fault) for record in box.requests]
        assert records == [("batch_create", 0, 2, "lost"), ("batch_create", 0, 2, "")]
        assert box.requests[0].body == body("ann", "bob")


def wait_until_over(box: Sandbox, number: int = 1) -> ReceivedRequest:
    deadline = time.monotonic() + 60
    while box.requests[number - 1].over_ms is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return box.requests[number - 1]


def test_a_late_request_overwrites_what_came_in_meanwhile(box: Sandbox) -> None:
    box.misbehave("late seconds=0.5 hang_up=0 requests=1")
    old, new = body("ann"), body("ann").replace(b'"-"', b'"new"')
    assert attempts(box, request=old)[0].code == "connection-lost"
    assert attempts(box, request=new)[0].code == "0"
    late, between = wait_until_over(box), wait_until_over(box, 2)
    assert (late.code, late.fault, between.code) == (None, "late", 0)
    times = (late.began_ms, late.ended_ms, late.carried_out_ms, late.over_ms)
    assert list(times) == sorted(times)  # type: ignore[type-var]
    assert (late.carried_out_ms or 0) - (late.ended_ms or 0) >= 490
    assert late.ended_ms <= between.began_ms <= between.carried_out_ms <= between.over_ms  # type: ignore[operator]
    # On a busy machine the later request may come too late to be overwritten.
    overwritten = between.carried_out_ms < late.carried_out_ms  # type: ignore[operator]
    assert [customer.fields["last_name"] for customer in box.customers()] == ["-" if overwritten else "new"]


def test_a_late_request_waits_for_the_client_to_give_up(box: Sandbox) -> None:
    box.misbehave("late seconds=0.1 requests=1")
    assert attempts(box, timeouts=QUICK)[0].code == "read-timeout"
    late = wait_until_over(box)
    assert (late.ended_ms or 0) - late.began_ms >= 250
    assert (late.carried_out_ms or 0) - (late.ended_ms or 0) >= 90
    assert len(box.customers()) == 1


def test_a_late_request_that_is_refused_stores_nothing(box: Sandbox) -> None:
    box.misbehave("late seconds=0 hang_up=0")
    attempts(box, request=body("a" * 129))
    late = wait_until_over(box)
    assert (late.code, late.carried_out_ms, box.customers()) == (None, None, [])


def test_a_request_is_in_the_log_from_its_arrival_on(box: Sandbox) -> None:
    box.misbehave("no-answer seconds=0.5")
    sender = threading.Thread(target=attempts, args=(box,))
    sender.start()
    deadline = time.monotonic() + 60
    while not box.requests:
        assert time.monotonic() < deadline
    over = wait_until_over(box)
    sender.join()
    assert (over.ended_ms, over.carried_out_ms) == (over.over_ms, None)


def test_a_fault_file_is_the_same_as_flags(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nkind = "code"\ncode = 9001\nrequests = "2-4"\nrows = { email = "*@x" }\n'
        '[[fault]]\nkind = "status"\nstatus = 429\nretry_after = "date:3"\nrequests = 7\n',
        "utf-8",
    )
    lines = ["code code=9001 requests=2-4 rows.email=*@x", "status status=429 retry_after=date:3 requests=7"]
    assert load_faults(file) == tuple(parse_fault(line) for line in lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[fault]]\n", "kind is missing"),
        ('[[fault]]\nkind = "x"\n', "unknown kind"),
        ('[[fault]]\nkind = "code"\n', "needs code"),
        ('[[fault]]\nkind = "reset"\ncode = 5\n', "has no code"),
        ('[[fault]]\nkind = "code"\ncode = "x"\n', "code must be"),
        ('[[fault]]\nkind = "code"\ncode = true\n', "code must be"),
        ('[[fault]]\nkind = "reset"\nwhen = 1\n', "unknown key 'when'"),
        ('[[fault]]\nkind = "reset"\nrequests = "some"\n', "requests"),
        ('[[fault]]\nkind = "status"\nstatus = 99\n', "200 to 599"),
        ('[[fault]]\nkind = "status"\nstatus = 503\nretry_after = "soon"\n', "retry_after"),
        ('[[fault]]\nkind = "reset"\nendpoint = "x"\n', "endpoint"),
        ('[[fault]]\nkind = "slow"\nseconds = -1\n', "positive"),
        ('[[fault]]\nkind = "late"\n', "needs seconds"),
        ('[[fault]]\nkind = "late"\nseconds = 1\nhang_up = -1\n', "positive"),
        ("[[fault]]\nkind = ", "Invalid value"),
        ("fault = 5\n", "[[fault]]"),
        ("[other]\n", "[[fault]]"),
    ],
)
def test_a_fault_file_that_makes_no_sense_is_told_with_its_place(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        load_faults(file)
    assert reason in str(caught.value)
    assert "faults.toml" in str(caught.value)


@pytest.mark.parametrize("line", ["", "code", "code code", "nonsense", "code code=1 x=2", "code 'code=1"])
def test_a_fault_flag_that_makes_no_sense_is_told(line: str) -> None:
    with pytest.raises(UsageError, match="fault"):
        FaultScript([line])


def test_a_missing_fault_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_faults(tmp_path / "none.toml")
