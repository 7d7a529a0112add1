"""What the documentation says of deployment, tried as far as this machine allows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_UNIT = re.compile(r"`/etc/systemd/system/([a-z-]+\.(?:service|timer))`:\n\n```ini\n(.*?)```", re.DOTALL)


def units(page: str) -> dict[str, str]:
    """The units of a page by their file's name."""
    return dict(_UNIT.findall((ROOT / "docs" / page).read_text("utf-8")))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("page", ["jobs.md", "deployment.md"])
def test_the_systemd_units_hold_before_systemd(page: str, tmp_path: Path) -> None:
    found = units(page)
    assert {Path(name).suffix for name in found} == {".service", ".timer"}
    for name, text in found.items():
        # What the unit names has to be there: this Python, this user.
        text = text.replace("/srv/crm/.venv/bin/python", sys.executable).replace("User=crm", "User=root")
        text = re.sub(r"EnvironmentFile=\S+", f"EnvironmentFile={os.devnull}", text)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_containerfile_copies_what_there_is_and_ends_without_root() -> None:
    lines = (ROOT / "Containerfile").read_text("utf-8").splitlines()
    copied = [word for line in lines if re.match("COPY (?!--)", line) for word in line.split()[1:-1]]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]


@pytest.mark.soak
@pytest.mark.skipif(os.name != "posix", reason="a container is a Linux")
def test_the_steps_of_the_containerfile_make_a_program_that_writes_only_where_it_may(tmp_path: Path) -> None:
    """Its steps as a script, with folders of this test in the place of the container's."""
    places = {"/src": tmp_path / "src", "/opt/importer": tmp_path / "opt"}
    for name in ("state", "reports", "data"):
        places[f"/{name}"] = tmp_path / name
    places["/src"].mkdir()
    for line in (ROOT / "Containerfile").read_text("utf-8").splitlines():
        words = line.split()
        if line.startswith("COPY ") and "--from" not in line:
            for name in words[1:-1]:
                source, target = ROOT / name, places["/src"] / name
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, target)
        elif line.startswith("RUN "):
            step = line.removeprefix("RUN ").replace("python -m venv", f"{sys.executable} -m venv")
            if os.geteuid():
                step = step.replace("-o 10001 -g 10001 ", "")
            for place, folder in places.items():
                step = re.sub(rf"(?<![\w/-]){place}\b", str(folder), step)
            subprocess.run(["/bin/sh", "-ec", step], check=True, timeout=600)
    environment = {"PATH": f"{tmp_path}/opt/bin:/usr/bin:/bin", "NXLINK_STATE_DIR": str(places["/state"])}
    before = {path: path.stat().st_mtime_ns for path in places["/opt/importer"].rglob("*")}
    for folder in (places["/state"], places["/data"]):
        shutil.chown(folder, os.geteuid())
    done = subprocess.run(
        ["importer", "validate", str(ROOT / "sample_data" / "customers.csv"), "--report-dir", "out"],
        executable=str(places["/opt/importer"] / "bin" / "importer"),
        cwd=places["/data"],
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert {path: path.stat().st_mtime_ns for path in places["/opt/importer"].rglob("*")} == before
