"""The Prometheus textfile: its form, and that it says what happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.cli.app import invoke as cli
from importer.jobs.metrics import format_metrics
from importer.sandbox.faults import Fault, FaultKind
from tests.support.jobs import lines
from tests.support.tenants import FIRST_TENANT, Tenants, many_tenants

_LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[0-9.e+]+)')
Samples = dict[tuple[str, ...], float]


def read(text: str) -> Samples:
    """The samples by name and values of labels. Fails for what is no text format of Prometheus."""
    found: Samples = {}
    announced = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            announced, kind = line.split()[2:]
            assert kind == "gauge"
        elif not line.startswith("# HELP "):
            match = _LINE.fullmatch(line)
            assert match is not None, line
            assert match[1] == announced
            values = re.findall(r'="((?:[^"\\]|\\.)*)"', match[2] or "")
            assert (match[1], *values) not in found
            found[match[1], *values] = float(match[3])
    return found


def test_labels_are_escaped_and_samples_of_a_name_stand_together() -> None:
    name = "nxlink_job_health"
    text = format_metrics(
        [(name, {"job": 'a"b\\c\nd'}, 2), ("nxlink_run_requests", {}, 1), (name, {"job": "e"}, 0)]
    )
    assert f'{name}{{job="a\\"b\\\\c\\nd"}} 2' in text
    assert read(text) == {(name, 'a\\"b\\\\c\\nd'): 2, (name, "e"): 0, ("nxlink_run_requests",): 1}


@pytest.fixture
def tenants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenants]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
    with many_tenants(tmp_path, 2) as tenants:
        settings = tmp_path / "importer.toml"
        settings.write_text('metrics_file = "out/nxlink.prom"\n' + settings.read_text())
        (tmp_path / "out").mkdir()
        yield tenants


def test_a_round_leaves_metrics_of_all_jobs_and_of_each_tenants_newest_run(tenants: Tenants) -> None:
    tenants.drop("t01", "a.csv", lines(20, spoilt=2))
    tenants.drop("t02", "a.csv", lines(10, 500, spoilt=5))
    tenants.box.misbehave(Fault(FaultKind.STATUS, requests="1", status=503))
    assert cli(["job", "run", "nightly"]) == 6
    path = tenants.folder / "out" / "nxlink.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    found = read(path.read_text())
    host = tenants.box.base_url.partition("://")[2]
    one = ("nightly@t01", "t01", str(FIRST_TENANT), f"app-{FIRST_TENANT}", host)
    assert found["nxlink_run_rows", *one, "imported"] == 18
    assert found["nxlink_run_rows", *one, "invalid"] == 2
    assert found["nxlink_run_retries", *one] == 1
    assert found["nxlink_run_exit_code", *one] == 1
    assert ("nxlink_last_success_timestamp_seconds", *one) not in found
    assert found["nxlink_job_health", "nightly@t01"] == 0
    assert found["nxlink_job_health", "nightly@t02"] == 1
    assert found["nxlink_job_files", "nightly@t02", "held"] == 1
    assert found["nxlink_job_files", "nightly@t01", "held"] == 0
    assert found["nxlink_metrics_timestamp_seconds",] > 0


def test_a_run_by_hand_leaves_metrics_too(tenants: Tenants) -> None:
    tenants.drop("t01", "a.csv", lines(3))
    assert cli(["run", "in/t01/a.csv", "--profile", "t01", "--yes", "--quiet"]) == 0
    found = read((tenants.folder / "out" / "nxlink.prom").read_text())
    host = tenants.box.base_url.partition("://")[2]
    assert (
        found["nxlink_run_rows", "", "t01", str(FIRST_TENANT), f"app-{FIRST_TENANT}", host, "imported"] == 3
    )
    assert found["nxlink_run_open", "", "t01", str(FIRST_TENANT), f"app-{FIRST_TENANT}", host] == 0


def test_a_file_that_cannot_be_written_is_a_warning_and_no_failure(
    tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants.folder / "out").rmdir()
    tenants.drop("t01", "a.csv", lines(3))
    assert cli(["job", "run", "nightly@t01"]) == 0
    assert "nxlink.prom could not be written" in capsys.readouterr().err
    assert cli(["job", "status", "nightly@t01", "--metrics", "gone/x.prom"]) == 3
    assert cli(["job", "status", "nightly@t01", "--metrics", "x.prom"]) == 0
    assert read((tenants.folder / "x.prom").read_text())["nxlink_job_health", "nightly@t01"] == 0


def test_a_file_of_somebody_else_is_left_as_it_is(
    tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tenants.folder / ".bashrc"
    theirs.write_text("export PATH\n")
    assert cli(["job", "status", "nightly@t01", "--metrics", ".bashrc"]) == 3
    assert theirs.read_text() == "export PATH\n"
    assert "no metrics file of the importer" in capsys.readouterr().err
