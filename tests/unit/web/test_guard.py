"""Strangers get nothing: other hosts, other pages, other browsers, crafted names and cells."""

from __future__ import annotations

import http.client
import json
import socket
import stat
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from importer.sandbox import Sandbox
from importer.web.works import safe_name
from tests.support.web import PATIENCE, WebPage, web_page


def raw(page: WebPage, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    """Send a request with exactly these headers; the cookie is that of the browser. Returns the status."""
    connection = http.client.HTTPConnection(page.base.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.putrequest(method, path, skip_host=True)
        cookie = "; ".join(f"{one.name}={one.value}" for one in page.browser.cookies)
        for name, value in ({"Cookie": cookie, "Content-Length": str(len(body))} | headers).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_link_works_once_and_the_cookie_is_for_this_port_alone(box: Sandbox) -> None:
    with web_page(box, enter=False) as page:
        link = page.application.gate.link
        assert requests.get(f"{page.base}/open?t=wrong", timeout=PATIENCE).status_code == 403
        answer = page.browser.get(link, timeout=PATIENCE)
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"nxlink-importer-{page.base.rsplit(':')[-1]}=")
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert page.get("/").status_code == 200
        stranger = requests.get(link, timeout=PATIENCE)
        assert stranger.status_code == 403
        assert "web-refused-link" in stranger.text
        assert page.application.gate.link == ""


@pytest.mark.parametrize("path", ["/", "/runs", "/jobs", "/w/abcdefgh2345/see", "/tasks/x/events"])
def test_another_browser_of_the_machine_gets_nothing(page: WebPage, path: str) -> None:
    for cookies in ({}, {page.application.gate.cookie: "guess"}):
        answer = requests.get(page.base + path, cookies=cookies, timeout=PATIENCE)
        assert answer.status_code == 403
        assert "web-refused-cookie" in answer.text
        assert page.site.sandbox is not None
        assert page.site.sandbox.base_url not in answer.text


def test_a_foreign_host_is_refused_before_anything_else(page: WebPage) -> None:
    port = page.base.rsplit(":")[-1]
    own = f"127.0.0.1:{port}"
    for host in (f"evil.example:{port}", "127.0.0.1", f"localhost:{port}", f"{own}.evil.example", ""):
        assert raw(page, "GET", "/", {"Host": host}) in (400, 421), host
    assert raw(page, "GET", "/", {"Host": own}) == 200


def test_only_our_own_pages_may_change_anything(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    own = {"Host": page.base.removeprefix("http://"), "Content-Type": "application/x-www-form-urlencoded"}
    for headers in (
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1"},
    ):
        assert raw(page, "POST", f"{work}/delete", own | headers) == 403
    cross = {"Origin": page.base, "Sec-Fetch-Site": "cross-site"}
    assert raw(page, "POST", f"{work}/delete", own | cross) == 403
    assert page.get(f"{work}/see").status_code == 200


def test_cookies_of_other_programs_on_this_machine_shut_nobody_out(page: WebPage) -> None:
    host = page.base.removeprefix("http://")
    own = "; ".join(f"{one.name}={one.value}" for one in page.browser.cookies)
    tossed = f"{page.application.gate.cookie}=guess"
    for other in ('a={"b": 1}', "a[b]=1", "=x", "a b=c", 'a="x', "\xe4=\xf6", tossed):
        for cookie in (f"{other}; {own}", f"{own}; {other}"):
            assert raw(page, "GET", "/", {"Host": host, "Cookie": cookie}) == 200, cookie
        assert raw(page, "GET", "/", {"Host": host, "Cookie": other}) == 403


NUMBERS = ("²", "٣", "1" * 5000, "-1", "1e3", "0x1", " ", "99999999999")


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_no_number_is_no_fault_of_the_page(page: WebPage, table: Path, number: str) -> None:
    work = page.upload(table)
    page.checked(work)
    page.post(f"{work}/match", {"do": "assign", "column": number, "target": "f:email"})
    forms = (
        ("see", {"revision": number}),
        ("see", {"header_row": number}),
        ("match", {"do": "assign", "column": number, "target": "f:email"}),
        ("match", {"do": "region", "value": f"col:{number}", "target": "f:email", "column": "0"}),
        ("cells", {"place": number, "row": number, "column": number, "text": ""}),
        ("all", {"kind": number}),
    )
    for step, form in forms:
        answer = page.post(f"{work}/{step}", form)
        assert answer.status_code < 500, (step, form)
        assert page.get(f"{work}/see").status_code == 200
    for query in ("edit", "page", "kind"):
        assert page.get(f"{work}/correct?{query}={quote(number)}").status_code < 500, query


def test_a_form_of_too_many_fields_is_told(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    answer = page.post(f"{work}/see", {f"f{number}": "1" for number in range(6000)})
    assert answer.status_code == 400
    assert "web-form-too-large" in answer.text


def test_a_mapping_with_an_impossible_name_is_told(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    answer = page.change(work, "match", do="take", mapping="a\0b")
    assert answer.status_code == 400
    assert "mapping-unreadable" in answer.text


def test_other_pages_cannot_read_or_listen(page: WebPage) -> None:
    for site in ("cross-site", "same-site"):
        for path in ("/", "/tasks/x/events", "/static/page.js"):
            assert page.get(path, **{"Sec-Fetch-Site": site}).status_code == 403
    answer = page.get("/", Origin="http://evil.example")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_every_answer_says_what_a_browser_may_do_with_it(page: WebPage) -> None:
    for path in ("/", "/nothing-here", "/static/style.css"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_pages_hold_no_script_or_style_of_their_own(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    for path in ("/", f"{work}/see", f"{work}/match", f"{work}/check", f"{work}/correct", f"{work}/import"):
        text = page.get(path).text
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick" not in text
        assert text.count("<script") == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "file"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("a\x00b\n.csv", "ab.csv"),
        ("客户.xlsx", "客户.xlsx"),
        ("<img src=x>.csv", "img src=x.csv"),
    ],
)
def test_a_file_name_stays_in_its_folder(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def test_long_names_are_cut_but_keep_their_ending() -> None:
    assert safe_name("x" * 500 + ".xlsx").endswith(".xlsx")
    assert len(safe_name("客" * 500 + ".xlsx").encode()) <= 240


def test_what_is_kept_is_private_and_nowhere_else(page: WebPage, table: Path) -> None:
    answer = page.post(f"/files?name={quote('../../../../tmp/x.csv', safe='')}", table.read_bytes())
    work = page.site.works.get(answer.json()["url"].split("/")[2])
    path = page.site.works.file(work)
    assert path.parent.parent.parent == page.site.works.root
    assert path.name == "x.csv"
    for each in (path, path.parents[1] / "work.json"):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parents[1].stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "path", ["/w/..%2f..%2f/see", "/w/%2e%2e/see", "/runs/x/files/..%2fjournal.db", "/static/..%2fapp.py"]
)
def test_paths_lead_nowhere_else(page: WebPage, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code in (400, 404)
    assert "Traceback" not in answer.text


def test_script_in_names_headers_and_cells_stays_text(page: WebPage, tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)>"
    path = tmp_path / "x.csv"
    good = "".join(f"Bo,Li,1990-02-{day},x\n" for day in range(10, 20))
    path.write_text(f'first_name,last_name,birthday,"{bad}"\n{good}Ann,Lee,"{bad}","{bad}"\n', "utf-8")
    answer = page.post(f"/files?name={quote(bad + '.csv', safe='')}", path.read_bytes())
    work = answer.json()["url"].removesuffix("/see")
    pages = [
        page.get(f"{work}/see"),
        page.checked(work),
        page.get(f"{work}/match"),
        page.get(f"{work}/correct"),
    ]
    for one in [*pages, page.get("/")]:
        assert one.status_code == 200
        assert "<img" not in one.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages[3].text


def test_no_page_holds_a_secret(page: WebPage, box: Sandbox, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    result = page.send(work)
    texts = [result.text, *(page.get(path).text for path in ("/", "/runs", f"{work}/import"))]
    secrets = (box.credentials.access_secret, box.credentials.access_key)
    assert not [text for text in texts for secret in secrets if secret in text]


def test_a_report_may_do_nothing_but_be_read(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    run = page.send(work).url.split("/runs/")[1].split("?")[0]
    report = page.get(f"/runs/{run}/files/report.html")
    assert report.status_code == 200
    assert report.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    for name in ("../journal.db", "journal.db", "work.json"):
        assert page.get(f"/runs/{run}/files/{quote(name, safe='')}").status_code in (400, 404)


def test_an_upload_that_breaks_off_leaves_nothing(page: WebPage) -> None:
    host, port = page.base.removeprefix("http://").split(":")
    cookie = "; ".join(f"{one.name}={one.value}" for one in page.browser.cookies)
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        head = f"POST /files?name=a.csv HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {page.base}\r\n"
        connection.sendall(f"{head}Cookie: {cookie}\r\nContent-Length: 1000\r\n\r\nfirst".encode())
    assert page.get("/").status_code == 200
    page.server.stop()  # the server has seen the end of every connection when it has ended
    assert list(page.site.works.root.glob("*/work.json")) == []


def test_nobody_leads_away_from_here(page: WebPage) -> None:
    for back in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        data = {"lang": "zh", "back": back}
        headers = {"Origin": page.base}
        answer = page.browser.post(
            f"{page.base}/language", data, headers=headers, allow_redirects=False, timeout=PATIENCE
        )
        assert answer.headers["location"] == "/"


def test_the_state_of_a_work_is_plain_json(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    path = page.site.works.root / work.removeprefix("/w/") / "work.json"
    assert json.loads(path.read_text("utf-8"))["name"] == "customers.csv"
