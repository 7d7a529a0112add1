"""One row goes ahead of the others, and nothing follows until its answer is understood."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest

from importer.api.answers import Answer, is_documented, judge, outline
from importer.delivery import CanaryAnswered, Isolating, Policy
from importer.delivery.base import CancelToken
from importer.delivery.canary import Canary
from importer.errors import InterruptedRun, RefusedError, UnreachableError
from importer.models import Action, Status, Verdict
from tests.support.delivery import MakeBatches, Rig

CANARY = Policy(concurrency=4, canary=True)
BUSY = Verdict(Action.RETRY, maybe_processed=False, code="9001", message="busy", http_status=200)
LOST = Verdict(Action.RETRY, maybe_processed=True, code="connection-lost", message="lost")
EXPIRED = Verdict(Action.CORRECT_CLOCK, maybe_processed=False, code="1004", server_time_ms=5_000)


def answered(body: object, status: int = 200) -> Verdict:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(Answer(status, {}, raw, 0.1, 0.0))


DOCUMENTED = {"code": 0, "message": "", "data": "", "traceId": "t1"}


def test_nothing_leaves_before_the_first_answer_is_there(rig: Rig, make_batches: MakeBatches) -> None:
    others = threading.Event()
    seen: list[bool] = []

    def answer(rows: tuple[int, ...], number: int) -> Verdict:
        if number == 1:
            seen.append(others.wait(0.2))  # time enough for the other workers to do wrong
        else:
            others.set()
        return answered(DOCUMENTED)

    result = rig.deliver(make_batches(50, size=1), answer, CANARY)
    assert seen == [False]
    assert result.counts() == {Status.IMPORTED: 50}
    assert result.server.requests[0] == (2,)
    (event,) = result.told(CanaryAnswered)
    assert isinstance(event, CanaryAnswered)
    assert (event.code, event.trace_id, event.as_documented) == ("0", "t1", True)
    assert event.found == '{"code": 0, "message": "", "data": "", "traceId": "t1"}'


def test_batches_that_stay_behind_come_back_when_the_run_stops() -> None:
    back: list[int] = []
    cancel = CancelToken()
    canary = Canary(cancel, lambda event: None, wanted=True)
    canary.enter(7)
    assert [canary.defer(ordinal, partial(back.append, ordinal)) for ordinal in (8, 7, 9)] == [
        True,
        False,
        True,
    ]
    assert back == []
    cancel.cancel(InterruptedRun("interrupted"))
    assert back == [8, 9]
    assert not canary.defer(10, partial(back.append, 10))


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        (answered({"code": 200, "message": "success"}), '{"code": 200, "message": "success"}'),
        (answered({"code": "OK", "rows": ["Ann"]}), '{"code": "OK", "rows": [… 1]}'),
        (answered({"success": True, "name": "Ann"}), '{"success": true, "name": "…"}'),
        (answered(b"<html>"), "HTML, 6 bytes"),
        (answered(b""), "no JSON, 0 bytes"),
        (answered(b"<html>", 422), "HTML, 6 bytes"),
    ],
)
def test_an_answer_that_is_not_understood_stops_the_run_before_more_goes_out(
    rig: Rig, make_batches: MakeBatches, verdict: Verdict, found: str
) -> None:
    result = rig.deliver(make_batches(50, size=1), lambda rows, number: verdict, CANARY)
    assert result.server.requests == [(2,)]
    assert result.counts() == {Status.UNKNOWN: 1, Status.NOT_SENT: 49}
    stop = result.delivery.stopped
    assert isinstance(stop, RefusedError)
    assert stop.code == "canary-not-understood"
    assert found in stop.sentence("en")
    assert not result.run.row_states().states[0].final
    assert not result.told(CanaryAnswered)


@pytest.mark.parametrize("before", [BUSY, LOST, EXPIRED])
def test_what_may_get_better_is_waited_for(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict, before: Verdict
) -> None:
    result = rig.deliver(
        make_batches(30, size=1), lambda rows, number: before if number == 1 else accepted, CANARY
    )
    assert result.counts() == {Status.IMPORTED: 30}
    assert result.server.requests[:2] == [(2,), (2,)]
    assert len(result.told(CanaryAnswered)) == 1


def test_a_row_that_is_refused_is_an_answer_as_well(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    refused = answered({"code": 1002, "message": "customers[0]", "data": "", "traceId": "t"})
    result = rig.deliver(
        make_batches(30, size=1), lambda rows, number: refused if rows == (2,) else accepted, CANARY
    )
    assert result.counts() == {Status.REJECTED: 1, Status.IMPORTED: 29}
    assert not result.told(Isolating)


@pytest.mark.parametrize(("verdict", "status"), [(BUSY, Status.FAILED), (LOST, Status.UNKNOWN)])
def test_without_an_answer_to_look_at_nothing_follows(
    rig: Rig, make_batches: MakeBatches, verdict: Verdict, status: Status
) -> None:
    result = rig.deliver(make_batches(30, size=1), lambda rows, number: verdict, CANARY)
    assert result.counts() == {status: 1, Status.NOT_SENT: 29}
    assert isinstance(result.delivery.stopped, UnreachableError)
    assert result.delivery.stopped.code == "canary-unanswered"
    assert set(result.server.requests) == {(2,)}


def test_a_refusal_of_the_credentials_stops_as_ever(rig: Rig, make_batches: MakeBatches) -> None:
    refused = answered({"code": 1005, "message": "no"})
    result = rig.deliver(make_batches(30, size=1), lambda rows, number: refused, CANARY)
    assert result.delivery.stopped is not None
    assert result.delivery.stopped.code == "api-1005"
    assert result.server.requests == [(2,)]


@pytest.mark.parametrize(
    "other",
    [
        {"code": "0"},
        {"message": None},
        {"data": []},
        {"data": "x"},
        {"traceId": 5},
        {"success": True},
    ],
)
def test_other_forms_are_told(other: dict[str, object]) -> None:
    assert is_documented(json.dumps(DOCUMENTED).encode())
    assert not is_documented(json.dumps(DOCUMENTED | other).encode())
    assert not is_documented(json.dumps({"code": 0, "message": "", "data": ""}).encode())


@pytest.mark.parametrize("body", [b"[1, 2]", b"5", b"null", b"\xff", b"[" * 9999, b'{"\x1b": "Ann"}'])
def test_every_answer_has_an_outline_that_holds_no_customer(body: bytes) -> None:
    assert outline(body).isprintable()
    assert "Ann" not in outline(body)
