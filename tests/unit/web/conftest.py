"""A page that serves, with a sandbox behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.web import WebPage, web_page

TABLE = (
    "Name,E-mail,Mobile,Birthday\n"
    "Ann Lee,ann@lee.net,+4917012345678,1990-02-31\n"
    "Bo Li,bo@li.net,+8613800138000,1991-01-02\n"
    "Cy Ko,cy@gmial,+8613800138001,1992-13-04\n"
)


@pytest.fixture
def page(box: Sandbox) -> Iterator[WebPage]:
    with web_page(box) as found:
        yield found


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(TABLE, "utf-8")
    return path
