"""Addresses are told from paths, and shown without what must stay private."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.errors import InputError
from importer.sources.locations import LocalCopy, Location, Scheme, locate
from importer.sources.share_links import direct_link


@pytest.mark.parametrize(
    "path",
    ["customers.csv", "-", "./https:/x.csv", r"C:\data\customers.csv", "a/b.csv", "https:c.csv"],
)
def test_a_path_is_no_address(path: str) -> None:
    assert locate(path) is None
    assert locate(Path(path)) is None


@pytest.mark.parametrize(
    ("address", "scheme", "shown", "name"),
    [
        ("https://example.com/a/c.csv", Scheme.HTTPS, "https://example.com/a/c.csv", "c.csv"),
        ("HTTPS://example.com/c.csv?sig=geheim#x", Scheme.HTTPS, "https://example.com/c.csv?…", "c.csv"),
        ("https://me:geheim@example.com:8443/c.csv", Scheme.HTTPS, "https://example.com:8443/c.csv", "c.csv"),
        ("http://127.0.0.1:80/%E5%AE%A2.csv", Scheme.HTTPS, "http://127.0.0.1:80/%E5%AE%A2.csv", "客.csv"),
        ("https://example.com", Scheme.HTTPS, "https://example.com", "download"),
        ("s3://bucket/in/c #1?.csv", Scheme.S3, "s3://bucket/in/c #1?.csv", "c #1?.csv"),
        ("sftp://me:geheim@host/in/c.csv", Scheme.SFTP, "sftp://host/in/c.csv", "c.csv"),
    ],
)
def test_an_address_is_shown_without_secrets(address: str, scheme: Scheme, shown: str, name: str) -> None:
    found = locate(address)
    assert found is not None
    assert (found.scheme, found.shown(), found.name) == (scheme, shown, name)
    assert "geheim" not in f"{found} {found!r}"
    assert "geheim" not in str([found])


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("ftp://example.com/c.csv", "source-scheme"),
        ("http://example.com/c.csv", "source-plain-http"),
        ("http://10.0.0.1/c.csv", "source-plain-http"),
        ("https:///c.csv", "source-bad-address"),
        ("https://[::1/c.csv", "source-bad-address"),
        ("s3:///c.csv", "source-bad-address"),
    ],
)
def test_an_address_that_cannot_be_reached_is_refused(address: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        locate(address)
    assert caught.value.code == code


def test_a_copy_is_opened_by_its_path_and_shown_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("found")
    copy = LocalCopy(tmp_path / "x", "https://example.com/c.csv")
    assert Path(copy).read_text() == "found"
    assert str(copy) == "https://example.com/c.csv"


SHEETS = "https://docs.google.com/spreadsheets"


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        (f"{SHEETS}/d/1aB-c_D/edit#gid=42", f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=42"),
        (f"{SHEETS}/d/1aB-c_D/edit?gid=7#gid=7", f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=7"),
        (f"{SHEETS}/d/1aB-c_D/edit?gid=7", f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=7"),
        (f"{SHEETS}/d/1aB-c_D/edit#gid=7&range=A1:C9", f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=7"),
        (f"{SHEETS}/d/1aB-c_D/edit?usp=sharing", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (f"{SHEETS}/d/1aB-c_D/view?usp=drivesdk", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (f"{SHEETS}/d/1aB-c_D/htmlview#gid=0", f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=0"),
        (f"{SHEETS}/d/1aB-c_D/preview", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (f"{SHEETS}/d/1aB-c_D/", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (f"{SHEETS}/d/1aB-c_D", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (f"{SHEETS}/u/1/d/1aB-c_D/edit", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (
            "https://docs.google.com/a/example.com/spreadsheets/d/1aB-c_D/edit#gid=5",
            f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=5",
        ),
        (
            f"{SHEETS}/d/1aB-c_D/edit?resourcekey=0-a_B&usp=sharing#gid=2",
            f"{SHEETS}/d/1aB-c_D/export?format=csv&gid=2&resourcekey=0-a_B",
        ),
        (f"{SHEETS}/d/1aB-c_D/pubhtml", f"{SHEETS}/d/1aB-c_D/export?format=csv"),
        (f"{SHEETS}/d/e/2PACX-1v/pubhtml", f"{SHEETS}/d/e/2PACX-1v/pub?output=csv"),
        (
            f"{SHEETS}/d/e/2PACX-1v/pubhtml?gid=3&single=true",
            f"{SHEETS}/d/e/2PACX-1v/pub?output=csv&gid=3&single=true",
        ),
        (f"{SHEETS}/d/e/2PACX-1v/pub?output=csv", f"{SHEETS}/d/e/2PACX-1v/pub?output=csv"),
        (f"{SHEETS}/d/e/2PACX-1v/pub?output=xlsx", f"{SHEETS}/d/e/2PACX-1v/pub?output=xlsx"),
        (f"{SHEETS}/d/1aB-c_D/export?format=xlsx", f"{SHEETS}/d/1aB-c_D/export?format=xlsx"),
        (f"{SHEETS}/d/1aB-c_D/gviz/tq?tqx=out:csv", f"{SHEETS}/d/1aB-c_D/gviz/tq?tqx=out:csv"),
        ("https://docs.google.com/document/d/1aB/edit", "https://docs.google.com/document/d/1aB/edit"),
        ("https://example.com/spreadsheets/d/1/edit", "https://example.com/spreadsheets/d/1/edit"),
    ],
)
def test_a_link_to_a_google_sheet_becomes_that_of_its_csv(link: str, wanted: str) -> None:
    location = locate(link)
    assert location is not None
    assert direct_link(location).address == wanted
    assert isinstance(direct_link(location), Location)
