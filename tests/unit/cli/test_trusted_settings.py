"""No command believes an importer.toml of somebody else, or runs a command for a secret that it needs not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from importer.config import Connection, load_config
from importer.credentials import VARIABLES, resolve
from importer.escaping import to_json
from tests.support.commands import Command, results
from tests.support.every_command import CONFIG, EVERY_COMMAND, lay_out

posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners of POSIX")
READ_NO_SETTINGS = {
    *("inspect", "mapping list", "mapping show", "mapping suggest", "mapping check", "template", "sandbox"),
    *("job uninstall", "completion"),
}
NEED_CREDENTIALS = {
    *("run", "resume", "retry", "app create", "app phones", "fields", "doctor", "job run", "job check"),
    "verify",
}
SECRET = '[profile.default]\naccess_secret = "s3cret"\n'


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file belong to another user than the one who runs the tests."""
    owner = os.geteuid()
    if owner:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    else:
        os.chown(path, 65534, -1)


@posix
@pytest.mark.parametrize("code", ["open-settings", "foreign-settings", "open-secret"])
def test_every_command_refuses_settings_of_somebody_else(
    importer: Command, work: Path, settings: Connection, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    lay_out(work)
    assert importer("run", "customers.csv").code == 1
    run_id = importer("runs", "--json").json[0]["id"]
    file = work / "importer.toml"
    if code == "open-settings":
        file.chmod(0o666)
    elif code == "open-secret":
        file.write_text(CONFIG + SECRET, "utf-8")
        file.chmod(0o644)
    else:
        give_away(file, monkeypatch)
    for name, words in EVERY_COMMAND.items():
        done = importer(*(word.replace("{run}", run_id) for word in words))
        said = f"[{code}]" in done.err or (name == "job status" and "importer.toml" in done.out)
        assert said == (name not in READ_NO_SETTINGS), (name, done)
        if said:
            assert done.code == (3 if name == "job status" else 4), (name, done)
            assert "chown" in done.err or "chmod" in done.err or name == "job status"


def test_the_command_for_the_secret_runs_only_where_credentials_are_needed(
    importer: Command, work: Path, settings: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(work)
    (work / "secret.py").write_text(
        f"open('ran', 'w')\nprint({settings.access_secret.reveal()!r})\n", "utf-8"
    )
    monkeypatch.delenv(VARIABLES["access_secret"])
    command = shlex.join([sys.executable, "secret.py"])
    (work / "importer.toml").write_text(
        f"{CONFIG}\n[profile.default]\nsecret_command = {to_json(command)}\n", "utf-8"
    )
    (work / "importer.toml").chmod(0o600)
    importer("run", "customers.csv")
    run = importer("runs", "--json").json[0]["id"]
    ran = work / "ran"
    dry = {
        "dry run": ("run", "customers.csv", "--dry-run"),
        "sandbox run": ("run", "customers.csv", "--sandbox"),
    }
    for name, words in {**dry, **EVERY_COMMAND}.items():
        ran.unlink(missing_ok=True)
        importer(*(word.replace("{run}", run) for word in words))
        if name in ("resume", "retry"):  # there is nothing to go on with
            continue
        assert ran.exists() == (name in NEED_CREDENTIALS), name


def test_the_command_for_the_secret_takes_no_row_from_standard_input(
    work: Path, settings: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = settings.access_secret.reveal()
    (work / "secret.py").write_text(f"import sys\nsys.stdin.read()\nprint({secret!r})\n", "utf-8")
    monkeypatch.delenv(VARIABLES["access_secret"])
    command = to_json(shlex.join([sys.executable, "secret.py"]))
    (work / "importer.toml").write_text(f"[profile.default]\nsecret_command = {command}\n", "utf-8")
    (work / "importer.toml").chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-m", "importer", "run", "-", "--report-dir", "out"],
        input=b"First Name,Last Name,E-mail\nAnn,Lee,ann@lee.net\n",
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert [row["_status"] for row in results(work / "out")] == ["imported"]


def test_a_host_of_the_working_directory_gets_no_credentials_from_elsewhere(
    importer: Command, work: Path, settings: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(work)
    host = str(settings.base_url)
    importer("run", "customers.csv")
    run = importer("runs", "--json").json[0]["id"]
    monkeypatch.delenv(VARIABLES["base_url"])
    file = work / "importer.toml"
    profile = f"{CONFIG}\n[profile.default]\nbase_url = {to_json(host)}\n"
    file.write_text(profile, "utf-8")
    for name, words in EVERY_COMMAND.items():
        if name in NEED_CREDENTIALS - {"resume", "retry"}:
            done = importer(*(word.replace("{run}", run) for word in words))
            assert "importer.toml in the working directory" in done.err, (name, done)
            assert done.code == 4, (name, done)
    assert importer("validate", "customers.csv").code == 1
    # The user vouches for the host,
    with monkeypatch.context() as vouched:
        vouched.setenv(VARIABLES["base_url"], host)
        assert importer("fields").code == 0
    # or for the file;
    assert importer("job", "check", "nightly", "--settings", file.absolute()).code == 6  # held
    # or the credentials come along with it.
    for name in ("access_key", "access_secret"):
        monkeypatch.delenv(VARIABLES[name])
    own = {"access_key": settings.access_key, "access_secret": settings.access_secret}
    lines = [f"{VARIABLES[name]}={secret.reveal()}" for name, secret in own.items()]
    elsewhere = work.parent / "other.env"
    (work / "linked.env").symlink_to(elsewhere)
    for place, code in ((work / "own.env", 0), (elsewhere, 4), (work / "linked.env", 4)):
        place.write_text("\n".join(lines), "utf-8")
        place.chmod(0o600)
        file.write_text(f"{profile}env_file = {to_json(str(place))}\n", "utf-8")
        assert importer("fields").code == code, place


def test_a_host_of_the_contract_needs_nobody_to_vouch(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[profile.default]\ncontract = "plat"\nbase_url = "https://api-idn.nxlink.ai/"\n'
    (work / "importer.toml").write_text(text, "utf-8")
    environ = {VARIABLES["access_secret"]: "s", VARIABLES["access_key"]: "k"}
    found = resolve(load_config().profile(None), environ=environ)
    assert found.connection.base_url == "https://api-idn.nxlink.ai/"
