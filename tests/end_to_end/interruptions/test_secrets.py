"""The secret is nowhere: not in a file, not in what is printed, not among the process's arguments."""

from __future__ import annotations

from pathlib import Path

from importer.sandbox import Sandbox
from importer.sandbox.rules import Credentials
from tests.support.interruptions import GatedScript, MakeDesk

SECRET = "hush-4f8a2c91d7-do-not-tell"


def test_the_secret_is_in_no_file_and_in_nothing_that_is_said(make_desk: MakeDesk, tmp_path: Path) -> None:
    who = Credentials("an-access-key", SECRET, 1000, "an-app")
    faults = [
        "status status=500 requests=2",
        "code code=9000 requests=4",
        "not-json requests=6",
        "lost requests=8",
        "code code=1003 requests=10-",
    ]
    desk = make_desk(credentials=who)
    script = desk.box.application.script = GatedScript(faults)
    process = desk.run("--verbose", "--log-json", "--concurrency", "1")
    script.wait()
    arguments = _arguments(process.pid)
    assert "--log-json" in arguments
    script.opened.set()
    code, said = desk.end(process)
    assert code == 4
    desk.box.misbehave()
    resumed = desk.begin("resume", "--verbose")
    code, more = desk.end(resumed)
    said += more
    for command in (["runs"], ["runs", "--json"], ["doctor"]):
        said += desk.end(desk.begin(*command))[1]
    assert said
    assert SECRET not in said
    assert SECRET not in arguments
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert {"journal.db", "results.csv", "summary.json"} <= {path.name for path in files}
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def test_secrets_mask_themselves() -> None:
    with Sandbox(credentials=Credentials("an-access-key", SECRET, 1000, "an-app")) as box:
        assert SECRET not in repr(box.connection)
        assert SECRET not in str(box.connection)


def _arguments(pid: int) -> str:
    from pathlib import Path

    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
