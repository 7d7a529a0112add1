"""app, fields, doctor and sandbox from the command line, against the sandbox."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from importer import contracts
from importer.cli.app import invoke as run
from importer.config import Secret
from importer.contracts import Endpoint
from importer.sandbox import Sandbox
from tests.support.commands import use


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    monkeypatch.chdir(tmp_path)
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        yield box


Out = pytest.CaptureFixture[str]


def test_an_application_is_created(box: Sandbox, capsys: Out) -> None:
    assert run(["app", "create", "--name", "店", "--webhook", "https://x.example/h", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"app_id", "app_name", "app_key"}
    assert made["app_name"] == "店"
    assert run(["app", "create", "--name", "Two", "--webhook", "https://x.example/h"]) == 0
    assert "NXLINK_APP_KEY=" in capsys.readouterr().out
    assert run(["app", "phones", "--app-key", made["app_key"]]) == 0
    assert "no number" in capsys.readouterr().out


def test_a_webhook_that_is_no_address_is_refused_before_asking(box: Sandbox, capsys: Out) -> None:
    assert run(["app", "create", "--name", "x", "--webhook", "nowhere"]) == 2
    assert "bad-webhook" in capsys.readouterr().err
    assert not box.requests


def test_an_application_that_may_have_been_created_is_not_created_twice(box: Sandbox, capsys: Out) -> None:
    box.misbehave("lost endpoint=create_app")
    assert run(["app", "create", "--name", "x", "--webhook", "https://x.example"]) == 5
    assert "maybe-created" in capsys.readouterr().err
    assert len(box.requests) == 1


@pytest.mark.parametrize("width", [80, 100, 200])
def test_phones_show_all_ten_fields(
    box: Sandbox, capsys: Out, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert run(["app", "phones"]) == 0
    out = capsys.readouterr().out
    for word in (
        "display_phone_number", "+86 138 0000 0024", "quality_rating", "UNKNOW", "verified_name", "沙箱商店",
        "name_status", "PENDING_REVIEW", "register_status", "5 (registered)", "CONNECTED", "current_limit",
        "TIER_1K", "code_verification_status", "NOT_VERIFIED", "waba_id", "116960000086404", "waba_name",
    ):  # fmt: skip
        assert word in out


def test_phones_as_json(box: Sandbox, capsys: Out) -> None:
    assert run(["app", "phones", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {len(phone) for phone in found} == {10}
    assert found[0]["register_status"] == 5


# Every code that the two pages document, and what a person is told then.
@pytest.mark.parametrize(
    ("code", "exit_code", "word"),
    [
        (-1, 5, "support"),
        (1001, 4, "NXLINK_ACCESS_KEY"),
        (1002, 4, "tenant"),
        (1003, 4, "NXLINK_ACCESS_SECRET"),
        (1005, 4, "NXLINK_ACCESS_KEY"),
        (9000, 4, "required"),
        (9001, 5, "support"),
        (9007, 4, "integrator"),
        (9008, 4, "app key"),
        (9009, 4, "1000"),
        (9010, 4, "account"),
        (4711, 4, "4711"),
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_documented_code_says_what_to_do(
    box: Sandbox,
    capsys: Out,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    exit_code: int,
    word: str,
    lang: str,
) -> None:
    monkeypatch.setattr("importer.api.client.CALL_WAITS", ())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    box.misbehave(f"code code={code} message=why endpoint=any")
    assert run(["app", "phones", "--lang", lang]) == exit_code
    err = capsys.readouterr().err
    assert "why" in err
    assert len(err.strip().splitlines()) == 3
    if lang == "en":
        assert word in err
    assert "Traceback" not in err


def test_fields_mark_own_ones(box: Sandbox, capsys: Out) -> None:
    assert run(["fields"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("custom" in line and "customize_1_14" in line for line in lines)
    assert not any("custom" in line and "first_name" in line for line in lines)
    assert run(["fields", "--own", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {field["field_type"] for field in found} == set(range(1, 8))
    assert found[2]["choices"][0] == {"id": "1", "name": "Gold"}
    assert not any(field["preset"] for field in found)


def test_a_run_sends_columns_to_own_fields_once_the_list_was_asked_for(box: Sandbox, capsys: Out) -> None:
    Path("c.csv").write_text("First name,Last name,会员等级,Points,Shoe\nAnn,Bo,gold,12,40\n", "utf-8")
    assert run(["run", "c.csv", "--report-dir", "before", "--yes"]) == 0
    assert "会员等级" in capsys.readouterr().err
    assert "customize_field" not in box.customers()[-1].fields
    assert run(["fields"]) == 0
    capsys.readouterr()
    assert run(["validate", "c.csv", "--report-dir", "dry"]) == 0
    dry = capsys.readouterr().err
    assert run(["run", "c.csv", "--report-dir", "after", "--yes"]) == 0
    sent = capsys.readouterr().err
    for told in (dry, sent):
        assert "“会员等级” → customize_3_16, “Points” → customize_2_15" in " ".join(told.split())
        assert "not imported: “Shoe”" in told
    own = json.loads(str(box.customers()[-1].fields["customize_field"]))
    assert own == {"customize_3_16": "1", "customize_2_15": 12}


def test_suggest_and_check_know_own_fields_once_the_list_was_asked_for(box: Sandbox, capsys: Out) -> None:
    Path("c.csv").write_text("First name,Last name,会员等级,Shoe,Kind\nAnn,Bo,gold,40,Music\n", "utf-8")
    assert run(["fields"]) == 0
    capsys.readouterr()
    assert run(["mapping", "suggest", "c.csv", "-o", "m.toml"]) == 0
    text = Path("m.toml").read_text("utf-8")
    assert '[custom.customize_3_16]\nfrom = "会员等级"' in text
    assert run(["mapping", "check", "m.toml", "c.csv"]) == 0
    assert '"customize_3_16": "1"' in capsys.readouterr().out
    Path("m.toml").write_text(
        '[fields.first_name]\nfrom = "First name"\n[fields.last_name]\nfrom = "Last name"\n'
    )
    assert run(["mapping", "check", "m.toml", "c.csv"]) == 0
    assert "“会员等级” → customize_3_16" in capsys.readouterr().out
    assert run(["inspect", "c.csv", "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [one["field"] for one in columns][2:] == ["customize_3_16", None, None]


def test_who_never_asked_for_the_list_is_told_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    with Sandbox() as box:
        use(monkeypatch, replace(box.connection, base_url="https://crm.example"))
    Path("c.csv").write_text("First name,Last name,Shoe\nAnn,Bo,40\n")
    assert run(["validate", "c.csv", "--report-dir", "dry"]) == 0
    assert "importer fields" in capsys.readouterr().err
    Path("c.csv").write_text("First name,Last name\nAnn,Bo\n")
    assert run(["validate", "c.csv", "--report-dir", "dry2"]) == 0
    assert "importer fields" not in capsys.readouterr().err


def test_without_credentials_nothing_is_asked(capsys: Out) -> None:
    for command in (
        ["fields"],
        ["app", "phones"],
        ["app", "create", "--name", "x", "--webhook", "https://x"],
    ):
        assert run(command) == 4
        err = capsys.readouterr().err
        assert "missing-credentials" in err
        assert "NXLINK_ACCESS_KEY" in err


def checks(out: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in json.loads(out)["checks"]}


def test_doctor_finds_all_well_and_imports_nothing(box: Sandbox, capsys: Out) -> None:
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "NXLINK_TENANT_ID" in out
    assert "7 of them custom" in out
    assert box.credentials.access_secret not in out
    assert box.credentials.access_key not in out
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert abs(found["clock_offset_ms"]) < 2_000
    assert {check["state"] for check in found["checks"]} == {"ok"}
    assert {record.call for record in box.requests} == {"fields"}
    assert box.customers() == []


def test_doctor_says_whether_a_tenant_was_reached(box: Sandbox, capsys: Out, tmp_path: Path) -> None:
    assert run(["doctor"]) == 0
    assert "no run from here has imported into tenant 1000 yet" in capsys.readouterr().out
    (tmp_path / "one.csv").write_text("first_name,last_name\nAnn,Lee\n", "utf-8")
    assert run(["run", str(tmp_path / "one.csv"), "--report-dir", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert run(["doctor"]) == 0
    assert "imported into tenant 1000 before" in capsys.readouterr().out


def test_doctor_without_settings(capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXLINK_BASE_URL", "http://127.0.0.1:1")
    assert run(["doctor", "--json"]) == 4
    assert checks(capsys.readouterr().out) == {
        "settings": "bad", "journal": "ok", "host": "bad", "clock": "open", "credentials": "open",
    }  # fmt: skip


def test_doctor_with_a_server_that_is_away(
    box: Sandbox, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NXLINK_BASE_URL", "http://127.0.0.1:1")
    assert run(["doctor", "--json"]) == 5
    found = checks(capsys.readouterr().out)
    assert found == {
        "settings": "ok",
        "journal": "ok",
        "host": "bad",
        "clock": "open",
        "credentials": "open",
        "tenant": "ok",
    }


def test_doctor_reaches_a_server_that_refuses(
    box: Sandbox, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, replace(box.connection, access_secret=Secret("wrong")))
    assert run(["doctor", "--json"]) == 4
    found = checks(capsys.readouterr().out)
    assert found == {
        "settings": "ok",
        "journal": "ok",
        "host": "ok",
        "tls": "ok",
        "clock": "ok",
        "credentials": "bad",
        "tenant": "ok",
    }
    assert run(["doctor"]) == 4
    assert "NXLINK_ACCESS_SECRET" in capsys.readouterr().out


def test_doctor_shows_how_wrong_the_clock_is(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(clock_offset_ms=3_600_000) as box:
        use(monkeypatch, box.connection)
        assert run(["doctor"]) == 0
        out = capsys.readouterr().out
        assert re.search(r"\+3(600|599|601) s", out)
        assert "accepted" in out


@pytest.mark.parametrize(
    ("url", "code"), [("http://example.com", "plain-http"), ("nonsense", "bad-base-url")]
)
def test_doctor_with_an_address_that_cannot_be_used(
    box: Sandbox, capsys: Out, monkeypatch: pytest.MonkeyPatch, url: str, code: str
) -> None:
    monkeypatch.setenv("NXLINK_BASE_URL", url)
    assert run(["doctor", "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert found["checks"][-1]["code"] == code


def test_doctor_looks_at_both_hosts_of_the_api(
    box: Sandbox, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:

    there = Endpoint("GET", box.base_url, "/saas/cdp/openapi/customers/fields", "2", "mt")
    sea = contracts.load("sea")
    away = replace(sea, endpoint=replace(sea.endpoint, base_url="http://127.0.0.1:1"))
    monkeypatch.delenv("NXLINK_BASE_URL")
    monkeypatch.setattr(contracts, "endpoints", lambda: {"fields": there})
    monkeypatch.setattr(contracts, "load", lambda name: away)
    assert run(["doctor", "--json"]) == 5
    hosts = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["name"] == "host"]
    assert [check["state"] for check in hosts] == ["ok", "bad"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_sandbox_of_its_own_process(tmp_path: Path, end: signal.Signals) -> None:
    store = tmp_path / "crm.db"
    command = [sys.executable, "-m", "importer", "sandbox", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "APP_KEY" not in said:
            said += process.stdout.readline()
        url = re.search(r"export NXLINK_BASE_URL=(\S+)", said)
        assert url is not None
        with urllib.request.urlopen(url[1], timeout=60) as page:
            assert b"sandbox" in page.read()
        process.send_signal(end)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crm.db"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--host", "0.0.0.0"], "sandbox-host"),
        (["--fault", "nonsense"], "bad-faults"),
        (["--faults", "missing.toml"], "bad-faults"),
        (["--store", "/"], ""),
        (["--store", "missing/x.db"], "bad-store"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why(capsys: Out, options: list[str], code: str) -> None:
    assert run(["sandbox", "--port", "0", *options]) in (2, 4)
    err = capsys.readouterr().err
    assert code in err
    assert "Traceback" not in err


def test_help_shows_how_faults_are_written(capsys: Out) -> None:
    from importer.sandbox.faults import FaultKind

    assert run(["sandbox", "--help"]) == 0
    out = capsys.readouterr().out
    for kind in FaultKind:
        assert f"\n    {kind} " in out
