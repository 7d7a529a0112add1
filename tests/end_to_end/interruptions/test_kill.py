"""`kill -9` at any moment: `resume` goes on, and in the end nobody can tell."""

from __future__ import annotations

import random
from collections import Counter

import pytest

def check(desk: Desk, code: int) -> None:
    """Store and results are those of an undisturbed run; only bare rows may be unknown, and none is twice."""
    results = desk.results()
    assert [int(row["_row"]) for row in results] == list(range(2, ROWS + 2))
    assert len({row["_run"] for row in results}) == 1
    bare = {f"first {n}" for n in range(BARE_EVERY - 1, ROWS, BARE_EVERY)}
    for row in results:
        allowed = {"imported", "unknown"} if row["first_name"] in bare else {"imported"}
        assert row["_status"] in allowed
    unknown = [row for row in results if row["_status"] == "unknown"]
    assert code == (1 if unknown else 0)
    latest = {}
    for n in range(ROWS):
        who = n // 2 if n % 10 == 9 else n
        if f"first {n}" not in bare:
            latest[f"86139{who:08}"] = f"first {n}"
    stored = desk.box.customers()
    assert {
        c.fields["sms_phone"]: c.fields["first_name"] for c in stored if "sms_phone" in c.fields
    } == latest
    times = Counter(c.fields["first_name"] for c in stored if "sms_phone" not in c.fields)
    assert set(times) <= bare
    assert set(times.values()) <= {1}
    told_in = {row["first_name"] for row in results if row["_status"] == "imported"} & bare
    assert told_in <= set(times)


def one_kill(folder: Path, seed: int) -> bool:
    chance = random.Random(seed)
    folder.mkdir()
    with Sandbox(latency=LATENCY) as box:
        desk = Desk(folder, box)
        process = desk.run()
        killed = desk.kill_after(process, chance.randint(0, 14), chance.uniform(0.0, 0.05))
        if killed and chance.random() < 0.3:
            with suppress(AssertionError):
                again = desk.begin("resume")
                desk.kill_after(again, chance.randint(0, 6), chance.uniform(0.0, 0.05))
        code = desk.complete()
        check(desk, code)
        return killed


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_run_is_resumed_to_the_same_end(tmp_path, seed):
    one_kill(tmp_path / "desk", seed)


@pytest.mark.soak
def test_a_hundred_killed_runs_are_resumed_to_the_same_end(tmp_path):
    killed = sum(one_kill(tmp_path / f"desk-{seed}", seed) for seed in range(1000, 1100))
    assert killed >= 80
