"""What an importer.toml of the working directory names alone gets no credentials from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from importer.config import load_config
from importer.errors import SettingsError
from importer.sources.fetching import find_settings
from importer.sources.locations import locate
from importer.sources.stores import RemoteStore
from importer.trust import is_elsewhere, is_tls_fault, is_vouched, verified_tls, without_names
from tests.support import docs
from tests.support.json_schemas import importer_toml

HARMLESS = {
    *("access_key", "access_secret", "tenant_id", "app_key", "inherits", "profile", "user", "region"),
    *(
        "sheet",
        "encoding",
        "delimiter",
        "country",
        "tag",
        "schedule",
        "report_mode",
        "report_group",
        "profiles",
    ),
    *("patience", "wait", "settle", "time_limit", "keep", "max_lag", "full_every", "max_quiet"),
}
"""Keys of text that name no host, no command and no file."""
VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST", "AZURE_STORAGE_ACCOUNT_NAME")


def text_keys(schema: Any) -> Iterator[str]:
    """Yield the keys of a JSON schema, and of all tables in it, whose value is any text."""

    def is_text(value: Any) -> bool:
        if "enum" in value or "const" in value:
            return False
        inner = [
            *value.get("anyOf", ()),
            *value.get("oneOf", ()),
            *([value["items"]] if "items" in value else ()),
        ]
        return value.get("type") == "string" or any(map(is_text, inner))

    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            if is_text(value):
                yield name
        for value in schema.values():
            yield from text_keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from text_keys(value)


def test_each_key_that_names_a_host_a_command_or_a_file_is_in_the_table_of_trust() -> None:
    page = (docs.DOCS / "settings.md").read_text("utf-8")
    section = page.partition("### What importer.toml may say")[2].partition("\n#")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    told = {word for row in rows for word in re.findall("`([a-z_]+)`", row)}
    keys = {*text_keys(importer_toml())}
    assert keys - HARMLESS - told == set()
    assert told <= keys
    assert told.isdisjoint(HARMLESS)


def test_a_host_is_vouched_for_by_who_names_it_or_brings_the_credentials(tmp_path: Path) -> None:
    host = "https://files.example"
    assert is_vouched(host, None)
    assert not is_vouched(host, tmp_path)
    assert is_vouched(host, tmp_path, own=True)
    assert is_vouched(f"{host}/in", tmp_path, by=[None, "HTTPS://files.example/"])
    for other in ("http://files.example", f"{host}.evil", f"{host}:8443", "https://evil", "files.example"):
        assert not is_vouched(other, tmp_path, by=[host])


@pytest.mark.parametrize(
    ("table", "address", "variable", "value"),
    [
        (
            'url = "s3://b/"\nendpoint = "https://e.example"',
            "s3://b/c.csv",
            VARIABLES[0],
            "https://e.example",
        ),
        (
            'url = "s3://b/"\nendpoint = "https://e.example"',
            "s3://b/c.csv",
            VARIABLES[1],
            "https://e.example",
        ),
        (
            'url = "gs://b/"\nendpoint = "https://e.example"',
            "gs://b/c.csv",
            VARIABLES[2],
            "https://e.example",
        ),
        ('url = "az://b/"\naccount = "theirs"', "az://b/c.csv", VARIABLES[3], "theirs"),
    ],
)
def test_a_store_that_only_the_working_directory_names_gets_no_credentials_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, address: str, variable: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "importer.toml"
    place = locate(address)
    assert place is not None

    def code(path: Path | None = None) -> str:
        config.chmod(0o600)
        try:
            assert RemoteStore(place, find_settings(place, load_config(path))).system
        except SettingsError as error:
            return error.code
        return ""

    config.write_text(f"[source.x]\n{table}\n")
    assert code() == "unvouched-source"
    # A command that prints nothing brings no secret, and a key elsewhere is one of elsewhere.
    config.write_text(
        f'[source.x]\n{table}\nsecret_command = "true"\nkey_file = "{tmp_path.parent}/key.json"\n'
    )
    assert code() in ("unvouched-source", "password-command-empty")
    vouched = ("", "extra-missing")  # the next thing that is looked at
    config.write_text(f"[source.x]\n{table}\nanonymous = true\n")
    assert code() in vouched
    config.write_text(f"[source.x]\n{table}\n")
    assert code(config) in vouched
    monkeypatch.setenv(variable, value)
    assert code() in vouched


def test_an_account_is_no_way_to_another_host(tmp_path: Path) -> None:
    config = tmp_path / "importer.toml"
    config.write_text('[source.x]\nurl = "az://b/"\naccount = "evil.example/"\n')
    config.chmod(0o600)
    place = locate("az://b/c.csv")
    assert place is not None
    with pytest.raises(SettingsError, match="3 to 24 digits and small letters"):
        find_settings(place, load_config(config))


@pytest.mark.parametrize(
    ("options", "elsewhere"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "127.0.0.1,::1"}, False),
        ({"host": "/var/run/postgresql"}, False),
        ({"host": "localhost", "hostaddr": "192.0.2.1"}, True),
        ({"host": "localhost,db.example"}, True),
        ({"service": "x"}, True),
        ({"host": None, "read_default_file": "x"}, True),
    ],
)
def test_a_database_is_elsewhere_if_any_of_its_options_may_lead_there(
    options: dict[str, object], elsewhere: bool
) -> None:
    assert is_elsewhere(options) == elsewhere
    assert bool(verified_tls(options, {})) == (elsewhere and "service" not in options)


def test_postgresql_has_to_prove_its_name_unless_somebody_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    there = {"host": "db.example"}
    found = verified_tls(there, {})
    assert found["sslmode"] == "verify-full"
    assert Path(found["sslrootcert"]).is_file()
    assert verified_tls(there, {"REQUESTS_CA_BUNDLE": "/ca.pem"})["sslrootcert"] == "/ca.pem"
    for own in (verified_tls(there, {"PGSSLROOTCERT": "x"}), verified_tls({**there, "sslrootcert": "x"}, {})):
        assert own == {"sslmode": "verify-full"}
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()
    assert verified_tls(there, {}) == {"sslmode": "verify-full"}
    assert verified_tls({**there, "sslmode": "disable"}, {}) == {}
    assert verified_tls(there, {"PGSSLMODE": "require"}) == {}


def test_the_name_of_a_host_is_no_fault_of_tls() -> None:
    begin = 'connection to server at "{}" (192.0.2.1), port 5432 failed: '.format
    assert is_tls_fault(begin("db") + "server does not support SSL, but SSL was required")
    assert is_tls_fault('server certificate for "a" does not match host name "b"')
    assert not is_tls_fault(begin("certificate.example") + "timeout expired")
    assert not is_tls_fault("SSL SYSCALL error: EOF detected")
    assert "read-only" not in without_names(begin("crm-read-only.example") + "timeout expired")
