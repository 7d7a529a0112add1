"""`kill -9` at any moment: `resume` goes on, and in the end nobody can tell."""

from __future__ import annotations

import random
import re
import sys

import pytest

from tests.support.interruptions import Desk, GatedScript, MakeDesk


def check(desk: Desk, code: int) -> None:
    """Store and results are those of an undisturbed run; only bare rows may be unknown."""
    results = desk.results()
    assert [int(row["_row"]) for row in results] == list(range(2, desk.rows + 2))
    assert len({row["_run"] for row in results}) == 1
    for row in results:
        assert row["_status"] in ({"imported", "unknown"} if row["first_name"] in desk.bare else {"imported"})
    assert code == (1 if desk.statuses()["unknown"] else 0)
    desk.check_store()


def one_kill(desk: Desk, seed: int) -> int:
    """Kills a run, now and then also the resumed one, resumes to the end. Returns how often it was killed."""
    chance = random.Random(seed)
    requests = chance.randint(0, 14)
    killed = int(desk.kill_after(desk.run(), requests, chance.uniform(0.0, 0.05 if requests else 1.0)))
    if killed and chance.random() < 0.3:
        killed += desk.kill_after(desk.begin("resume"), chance.randint(0, 6), chance.uniform(0.0, 0.05))
    check(desk, desk.complete())
    return killed


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_run_is_resumed_to_the_same_end(make_desk: MakeDesk, seed: int) -> None:
    one_kill(make_desk(), seed)


@pytest.mark.soak
def test_a_hundred_killed_runs_are_resumed_to_the_same_end(make_desk: MakeDesk) -> None:
    kills = unknown = again = 0
    for seed in range(1000, 1100):
        desk = make_desk(f"desk-{seed}")
        kills += one_kill(desk, seed)
        unknown += desk.statuses()["unknown"]
        again += desk.box.application.total - desk.rows // 100
    print(f"{kills} kills in 100 runs, {again} requests sent again, {unknown} of 600 bare rows unknown")
    assert kills >= 80


def test_a_resumed_run_says_so_and_counts_what_it_sent_again(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript(free=1)
    process = desk.run("--concurrency", "2")
    script.wait()
    assert desk.kill_after(process, 0, 0.0)
    script.opened.set()
    _code, said = desk.end(desk.begin("resume", "--lang", "en"))
    found = re.search(r"was resumed; .*: (?:at least \d+, at most )?(\d+)", said)
    assert found, said
    assert 100 <= int(found[1]) <= desk.rows


@pytest.mark.skipif(sys.platform != "linux", reason="nobody knows of restarts elsewhere")
def test_rows_whose_requests_never_left_do_not_count_as_sent_again(make_desk: MakeDesk) -> None:
    desk = make_desk()
    rows = [f"8613800{n:06d},Ann,Lee {n}" for n in range(400)]
    (desk.folder / "customers.csv").write_text("\n".join(["phone,first_name,last_name", *rows, ""]))
    script = desk.box.application.script = GatedScript(free=1)
    process = desk.run("--concurrency", "1")
    script.wait()  # the second request is out, and later ones are on record
    assert desk.kill_after(process, 0, 0.0)
    script.opened.set()
    code, said = desk.end(desk.begin("resume", "--lang", "en"))
    assert code == 0, said
    # The first answer may have come too late to be noted: what the server got twice is the truth.
    again = sum(call.customers for call in desk.box.requests) - len(rows)
    assert again in (100, 200)
    assert re.findall(r"was resumed; .*: (\d+)", said) == [str(again)]
    assert not list(desk.folder.rglob("*.sent"))
