"""Settings: who wins, what is refused, and secrets that don't show."""

from __future__ import annotations

import os
import pickle
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from importer import private_files
from importer.config import ConfigFile, Connection, Profile, Secret, load_config
from importer.credentials import require, resolve
from importer.errors import SettingsError
from importer.models import Mode
from importer.options import RunOptions
from importer.sources.settings import SourceSettings

COMPLETE = {
    "NXLINK_ACCESS_KEY": "key",
    "NXLINK_ACCESS_SECRET": "s3cret",
    "NXLINK_TENANT_ID": "144",
    "NXLINK_APP_KEY": "app",
}


def written(folder: Path, text: str) -> ConfigFile:
    (folder / "importer.toml").write_text(text, "utf-8")
    return load_config(folder / "importer.toml")


def test_a_secret_never_shows_itself() -> None:
    connection = Connection(None, Secret("key-1"), Secret("s3cret"))
    for text in (repr(connection), str(connection), f"{connection.access_secret}", repr(asdict(connection))):
        assert "s3cret" not in text
        assert "key-1" not in text
    with pytest.raises(TypeError):
        pickle.dumps(Secret("s3cret"))


def test_the_environment_comes_before_the_profile(tmp_path: Path) -> None:
    profile = written(tmp_path, '[profile.default]\ntenant_id = 1\napp_key = "file"\n').profile(None)
    found = resolve(profile, environ={"NXLINK_APP_KEY": "env"})
    assert (found.connection.tenant_id, found.connection.app_key) == ("1", "env")
    assert found.origins == {"tenant_id": "importer.toml", "app_key": "environment (NXLINK_APP_KEY)"}
    assert found.missing == ("access_key", "access_secret")


def test_what_is_missing_is_named_with_its_variable() -> None:
    with pytest.raises(SettingsError, match="NXLINK_ACCESS_SECRET") as error:
        require(resolve(Profile(), environ=COMPLETE | {"NXLINK_ACCESS_SECRET": ""}))
    assert "NXLINK_ACCESS_KEY" not in str(error.value)
    assert require(resolve(Profile(), environ=COMPLETE)).tenant_id == "144"


@pytest.mark.parametrize("tenant", ["abc", "１４４", "1.5", "-1"])
def test_a_tenant_is_a_number(tenant: str) -> None:
    with pytest.raises(SettingsError, match="not a whole number"):
        resolve(Profile(), environ={"NXLINK_TENANT_ID": tenant})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[profile.default\n", "TOML"),
        ("[porfile.default]\n", "porfile"),
        ("profile = 3\n", "profile"),
        ("[profile.default]\ntenant = 1\n", "profile.default.tenant"),
        ('[profile.default]\nconcurrency = "4"\n', "profile.default.concurrency"),
        ('[profile.default]\nmode = "drop"\n', "profile.default.mode"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SettingsError) as error:
        written(tmp_path, text).profile(None)
    assert place in error.value.sentence()
    assert error.value.exit_code == 4


def test_a_mistake_never_quotes_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        written(tmp_path, '[profile.default]\naccess_secret = ["s3cret"]\n').profile(None)
    assert "s3cret" not in str(error.value)


def test_an_unknown_profile_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="asia"):
        written(tmp_path, "[profile.asia]\nrate = 5.0\n").profile("europe")


def test_a_profile_carries_defaults(tmp_path: Path) -> None:
    profile = written(tmp_path, '[profile.default]\nmode = "keep"\nrate = 2.5\nconcurrency = 8\n').profile(
        None
    )
    assert profile.given.names == {"mode", "rate", "concurrency"}
    options = profile.given.over(RunOptions(patience=1))
    assert (options.mode, options.rate, options.concurrency, options.patience) == (Mode.KEEP, 2.5, 8, 1)


def test_a_settings_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "importer.toml").write_bytes(b"\xef\xbb\xbf[profile.default]\ntenant_id = 7\n")
    assert load_config(tmp_path / "importer.toml").profile(None).tenant_id == "7"


def test_an_env_file_is_read_if_nobody_else_can(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("# mine\nexport NXLINK_ACCESS_KEY=key\nNXLINK_ACCESS_SECRET='s3cret'\nOTHER=1\n\n")
    file.chmod(0o600)
    found = resolve(Profile(env_file=file), environ={}).connection
    assert (found.access_key.reveal(), found.access_secret.reveal()) == ("key", "s3cret")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o604, 0o602, 0o640, 0o620])
@pytest.mark.parametrize("alone", [False, True])
def test_secrets_that_others_can_reach_are_refused_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, alone: bool
) -> None:
    """A group in which its owner is alone is nobody else, for an env file as for importer.toml."""
    monkeypatch.setattr(private_files, "_only_owner_in_group", lambda found: alone)
    file, config = tmp_path / "secrets.env", tmp_path / "importer.toml"
    file.write_text("NXLINK_ACCESS_KEY=key\n")
    config.write_text('[profile.a]\naccess_secret = "s"\n')
    for path, read in (
        (file, lambda: resolve(Profile(env_file=file), environ={})),
        (config, lambda: load_config(config)),
    ):
        path.chmod(mode)
        if alone and mode & 0o070:
            read()
        else:
            with pytest.raises(SettingsError, match=r"chmod (600|go-w)"):
                read()


@pytest.mark.skipif(os.name != "posix", reason="split by POSIX rules")
def test_a_command_can_print_the_secret() -> None:
    command = f"{sys.executable} -c \"print('s3cret')\""
    assert resolve(Profile(secret_command=command), environ={}).connection.access_secret.reveal() == "s3cret"


@pytest.mark.skipif(os.name != "posix", reason="split by POSIX rules")
@pytest.mark.parametrize(
    "printed",
    [
        "NXLINK_ACCESS_KEY=key\\nexport NXLINK_ACCESS_SECRET='s3=cret'",
        "s3=cret\\nNXLINK_ACCESS_KEY=key\\nuser: x",
    ],
)
def test_a_command_can_print_all_credentials(printed: str) -> None:
    command = shlex.join([sys.executable, "-c", f'print("{printed}")'])
    found = resolve(Profile(secret_command=command), environ={}).connection
    assert (found.access_key.reveal(), found.access_secret.reveal()) == ("key", "s3=cret")


@pytest.mark.parametrize("printed", ["", "\ngeheim", "NXLINK_ACCESS_SECRET="])
def test_a_command_that_prints_no_secret_is_told(printed: str) -> None:
    command = shlex.join([sys.executable, "-c", f"print({printed!r})"])
    with pytest.raises(SettingsError) as caught:
        resolve(Profile(secret_command=command), environ={})
    assert caught.value.code == "secret-command-empty"
    with pytest.raises(SettingsError) as caught:
        SourceSettings(name="crm", secret_command=command.replace("NXLINK_ACCESS_SECRET=", "")).secret()
    assert caught.value.code == "password-command-empty"
    assert "[source.crm] secret_command" in str(caught.value)


@pytest.mark.parametrize("command", ["  ", "'", "\\"])
def test_a_secret_command_that_is_none_is_told(command: str) -> None:
    with pytest.raises(SettingsError, match="secret_command"):
        resolve(Profile(secret_command=command), environ={})


@pytest.mark.parametrize(
    "text",
    [
        '[profile.default]\nenv_file = "a\\u0000b"\n',
        '[job.j]\nsource = "a\\u0000b"\n',
        '[job.j]\nnotices = { command = "a\\u0000b" }\n',
        '[profile."a\\u0000b"]\n',
        '[job.j]\nx = [["\\u0000"]]\n',
    ],
)
def test_a_value_with_nul_is_refused_wherever_it_stands(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="NUL") as error:
        written(tmp_path, text)
    assert error.value.code == "bad-settings"


def test_a_secret_command_is_not_run_if_the_secret_is_known() -> None:
    profile = Profile(secret_command="/nonexistent/program")
    assert resolve(profile, environ=COMPLETE).connection.access_secret.reveal() == "s3cret"
    with pytest.raises(SettingsError, match="secret_command"):
        resolve(profile, environ={})


def test_the_destination_tells_tenants_applications_and_sandboxes_apart() -> None:
    here = Connection("https://h/", Secret("k"), Secret("s"), "1", "a")
    others = [replace(here, tenant_id="2"), replace(here, app_key="b"), replace(here, store="box")]
    keys = {connection.destination("https://default").key for connection in (here, *others)}
    assert len(keys) == 4
    assert here.destination("https://default").host == "https://h"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize(
    ("members", "name", "fine"),
    [((), "me", True), (("me",), "me", True), (("you",), "me", False), ((), "staff", False)],
)
def test_a_group_may_write_settings_if_only_their_owner_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: tuple[str, ...], name: str, fine: bool
) -> None:
    import grp
    import pwd
    from types import SimpleNamespace

    file = tmp_path / "importer.toml"
    file.write_text("[profile.default]\ntenant_id = 7\naccess_secret = 's3cret'\n")
    file.chmod(0o660)
    gid = file.stat().st_gid
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name="me", pw_gid=gid))
    group = SimpleNamespace(gr_name=name, gr_gid=gid, gr_mem=list(members))
    monkeypatch.setattr(grp, "getgrgid", lambda number: group)
    if fine:
        assert load_config(file).profile(None).tenant_id == "7"
        return
    with pytest.raises(SettingsError, match="chmod go-w"):
        load_config(file)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_in_place_of_settings_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "importer.toml")
    with pytest.raises(SettingsError, match="not a plain file"):
        load_config(tmp_path / "importer.toml")


def test_a_profile_inherits_what_it_does_not_say(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[defaults]\nrate = 3.0\nbase_url = "https://api.nxlink.ai"\n'
        '[profile.default]\naccess_key = "key"\ntenant_id = 1\nmode = "keep"\nstrict_binding = true\n'
        '[profile.asia]\ninherits = "default"\nconcurrency = 2\n'
        '[profile.acme]\ninherits = "asia"\ntenant_id = 2\nrate = 1.0\n',
    )
    acme = file.profile("acme")
    found = resolve(acme, environ={}, sends=False).connection
    assert (found.tenant_id, found.base_url) == ("2", "https://api.nxlink.ai")
    assert found.access_key.reveal() == "key"
    assert found.strict_binding is True
    options = acme.given.over(RunOptions())
    assert (options.rate, options.concurrency, options.mode) == (1.0, 2, Mode.KEEP)
    assert file.profile("default").given.options.rate == 3.0


def test_the_defaults_hold_without_any_profile(tmp_path: Path) -> None:
    assert written(tmp_path, "[defaults]\nrate = 3.0\n").profile(None).given.options.rate == 3.0


def test_what_a_profile_says_itself_comes_before_an_env_file_that_it_inherits(tmp_path: Path) -> None:
    env = tmp_path / "all.env"
    env.write_text("NXLINK_ACCESS_KEY=shared\nNXLINK_TENANT_ID=1\n")
    env.chmod(0o600)
    file = written(
        tmp_path,
        f"[defaults]\nenv_file = '{env}'\n[profile.one]\n[profile.two]\ntenant_id = 2\n"
        "[profile.three]\ntenant_id = 3\nenv_file = 'three.env'\n",
    )
    (tmp_path / "three.env").write_text("NXLINK_TENANT_ID=4\n")
    (tmp_path / "three.env").chmod(0o600)

    def tenant(name: str) -> str:
        return resolve(file.profile(name).anchored(tmp_path), environ={}, sends=False).connection.tenant_id

    assert [tenant(name) for name in ("one", "two", "three")] == ["1", "2", "4"]


def test_an_inherited_command_is_not_run_where_the_secret_is_known(tmp_path: Path) -> None:
    text = '[defaults]\nsecret_command = "false"\n[profile.a]\nenv_file = "a.env"\n'
    (tmp_path / "a.env").write_text("NXLINK_ACCESS_SECRET=s\n")
    (tmp_path / "a.env").chmod(0o600)
    profile = written(tmp_path, text).profile("a").anchored(tmp_path)
    assert resolve(profile, environ={}).connection.access_secret.reveal() == "s"


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('[profile.a]\ninherits = "b"\n[profile.b]\ninherits = "a"\n', "profile.b.inherits", "a → b → a"),
        ('[profile.a]\ninherits = "a"\n', "profile.a.inherits", "a → a"),
        ('[profile.a]\ninherits = "nobody"\n', "profile.a.inherits", "no [profile.nobody]"),
        ('[profile.a]\ninherits = "b"\n[profile.b]\ntyp = 1\n', "profile.b.typ", "unknown key"),
        ("[defaults]\ntyp = 1\n[profile.a]\n", "defaults.typ", "unknown key"),
        ('[defaults]\ninherits = "a"\n[profile.a]\n', "defaults.inherits", "cannot inherit"),
        ("[profile]\na = 1\n", "profile.a", "[profile.a]"),
    ],
)
def test_a_mistake_in_what_a_profile_inherits_is_told_with_its_place(
    tmp_path: Path, text: str, place: str, reason: str
) -> None:
    with pytest.raises(SettingsError) as error:
        written(tmp_path, text).profile("a")
    assert error.value.found["place"] == place
    assert reason in error.value.sentence()


def test_a_mistake_in_one_profile_stops_no_other(tmp_path: Path) -> None:
    file = written(tmp_path, "[profile.bad]\ntyp = 1\n[profile.good]\ntenant_id = 7\n")
    assert file.profile("good").tenant_id == "7"


def test_an_inherited_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "importer.toml"
    path.write_text('[defaults]\naccess_secret = "s"\n')
    path.chmod(0o644)
    if os.name == "posix":
        with pytest.raises(SettingsError, match="chmod 600"):
            load_config(path)
