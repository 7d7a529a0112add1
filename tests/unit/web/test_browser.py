"""A person's way in a real browser: a messy workbook becomes customers, by mouse and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from importer.sandbox import Sandbox
from tests.support.programs import program
from tests.support.web import PATIENCE, WebPage, web_page
from tests.support.workbooks import write_spring_fair

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
sync_api.expect.set_options(timeout=PATIENCE * 1000)
pytestmark = pytest.mark.extras

FLAGS = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
GRAVE = ("serious", "critical")
ROWS = (
    "first_name\tlast_name\tsms_phone\tbirthday\n"
    "Ann\tLee\t8613800100001\t1990-02-31\nBo\tLi\t8613800100002\t1991-01-02\n"
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        path = program("chromium", "chromium-browser", "google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def served(box: Sandbox) -> Iterator[WebPage]:
    with web_page(box, enter=False) as found:
        yield found


@pytest.fixture
def tab(chromium: Browser, served: WebPage) -> Iterator[Page]:
    """A tab that was let in. Nothing may be said on its console."""
    context = chromium.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(served.application.gate.link)
    page.wait_for_url(f"{served.base}/")
    yield page
    context.close()
    assert said == []


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "spring fair.xlsx"
    write_spring_fair(path)
    return path


def look_for_barriers(tab: Page) -> None:
    """Let axe-core look at the page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab).response["violations"]
    grave = [
        (one["id"], [node["target"] for node in one["nodes"]]) for one in found if one["impact"] in GRAVE
    ]
    assert grave == []


def swapped(tab: Page, action: object) -> None:
    """Do something that a form sends, and wait until its answer is in place."""
    with tab.expect_response(lambda answer: answer.request.method == "GET" and answer.status == 200):
        action()  # type: ignore[operator]
    tab.wait_for_timeout(50)


def assert_aligned(tab: Page) -> None:
    """Every cell of the grid stands below the name of its column."""
    heads = tab.locator(".grid thead th").all_inner_texts()[1:]
    for row in tab.locator(".grid tbody tr:not(.whole, .pair)").all():
        assert [cell.get_attribute("data-label") for cell in row.locator("td").all()] == heads


def test_the_whole_way(tab: Page, served: WebPage, box: Sandbox, messy: Path) -> None:
    look_for_barriers(tab)
    tab.set_input_files("#file", messy)
    tab.wait_for_url("**/see")
    swapped(tab, lambda: tab.select_option("#sheet", "Customers"))
    sync_api.expect(tab.locator(".raw .header")).to_have_count(2)
    look_for_barriers(tab)
    tab.reload()
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.wait_for_url("**/match")
    swapped(tab, lambda: tab.get_by_label("Phones without a country code").select_option("DE"))
    swapped(tab, lambda: tab.get_by_label("1", exact=True).select_option("male"))
    swapped(tab, lambda: tab.get_by_label("2", exact=True).select_option("female"))
    sync_api.expect(tab.get_by_text("491701234500")).to_be_visible()
    look_for_barriers(tab)
    tab.reload()
    tab.get_by_role("button", name="Check the whole file").click()
    tab.wait_for_url("**/check")
    sync_api.expect(tab.get_by_text("12 rows were checked")).to_be_visible()
    look_for_barriers(tab)
    work = tab.url.removesuffix("/check")
    tab.locator(".counts a").first.click()
    sync_api.expect(tab.get_by_role("heading", name="Valid: ")).to_be_visible()
    look_for_barriers(tab)
    tab.goto(f"{work}/correct?show=all")
    look_for_barriers(tab)
    # Three means: typing, taking a likely correction, taking all of a kind.
    birthday = tab.get_by_label("Row 8, Birthday")
    birthday.fill("1990-02-28")
    swapped(tab, lambda: birthday.press("Enter"))
    # Typed text wins over the correction that a button of the same cell offers.
    mail = tab.get_by_label("Row 10, E-mail")
    mail.fill("emma@leefamily.net")
    swapped(tab, lambda: mail.press("Enter"))
    sync_api.expect(tab.get_by_label("Row 10, E-mail")).to_have_value("emma@leefamily.net")
    swapped(tab, lambda: tab.locator("tr", has_text="Emma").get_by_role("button", name="Put back").click())
    name = tab.get_by_label("Row 12, Last name")
    name.fill("Richter")
    swapped(tab, lambda: name.press("Tab"))  # to a button of the cell, which goes with the edit
    sync_api.expect(name).to_be_focused()
    swapped(tab, lambda: tab.get_by_role("button", name="Take emma4@gmail.com in row 10").click())
    assert_aligned(tab)
    tab.reload()
    sync_api.expect(tab.get_by_label("Row 8, Birthday")).to_have_value("1990-02-28")
    # An edit of a cell in a column that was not shown brings the column in.
    tab.locator("tr", has_text="Clara").get_by_role("link", name="Edit row").click()
    gender = tab.locator(".whole").get_by_label("Gender")
    gender.fill("male")
    swapped(tab, lambda: gender.press("Tab"))
    sync_api.expect(tab.locator(".grid thead th", has_text="Gender")).to_be_visible()
    sync_api.expect(tab.locator(".whole").get_by_label("Remarks")).to_be_focused()
    assert_aligned(tab)
    swapped(tab, lambda: tab.get_by_role("button", name="Undo", exact=True).click())
    tab.goto(f"{work}/correct?show=all&code=bad-email&column=E-mail")
    look_for_barriers(tab)
    tab.get_by_role("button", name="Apply the likely correction (you can undo this)").click()
    sync_api.expect(tab.get_by_label("Row 15, E-mail")).to_have_value("jonas9@hotmail.com")
    tab.get_by_role("button", name="Check with the corrections").click()
    sync_api.expect(tab.get_by_text("No row has a problem")).to_be_visible()
    tab.goto(f"{work}/import")
    look_for_barriers(tab)
    tab.get_by_role("button", name="Send 12 customers").click()
    tab.wait_for_url("**/runs/**")
    sync_api.expect(tab.get_by_text("All done: 12 rows")).to_be_visible()
    look_for_barriers(tab)
    for place in ("/runs", "/jobs", "/"):
        tab.goto(served.base + place)
        look_for_barriers(tab)
    stored = [customer.fields for customer in box.customers()]
    assert [one["sms_phone"] for one in stored] == [f"4917012345{n:02d}" for n in range(12)]
    assert [one["gender"] for one in stored] == [1, 0] * 6
    assert stored[2]["birthday"] == "1990-02-28"
    assert stored[4]["email"] == "emma4@gmail.com"
    assert stored[6]["last_name"] == "Richter"
    assert stored[9]["email"] == "jonas9@hotmail.com"
    assert stored[0]["birthday"] == "1990-01-13"


def focus(tab: Page, wanted: str) -> None:
    """Press Tab until the focus is on something with this text, value or label. Fails if it never is."""
    script = """() => { const at = document.activeElement;
      if (at === document.body || at.id === "main") return "";
      const label = at.labels && at.labels.length ? at.labels[0].textContent : "";
      const own = at.matches("a, button, summary") ? at.textContent : "";
      return [at.getAttribute("aria-label") || "", own, label].join("|"); }"""
    for _ in range(120):
        if wanted in tab.evaluate(script):
            assert tab.evaluate("() => document.activeElement.matches(':focus-visible')")
            return
        tab.keyboard.press("Tab")
    pytest.fail(f"the keyboard does not lead to {wanted!r}")


def test_the_keyboard_alone_leads_through(tab: Page, box: Sandbox, served: WebPage) -> None:
    focus(tab, "Or paste rows")
    tab.keyboard.press("Enter")
    focus(tab, "Rows with their header")
    tab.keyboard.insert_text(ROWS)
    focus(tab, "Use these rows")
    for wanted in ("Yes, match the columns", "Check the whole file"):
        tab.keyboard.press("Enter")
        sync_api.expect(tab.get_by_role("button", name=wanted)).to_be_visible()
        focus(tab, wanted)
    tab.keyboard.press("Enter")
    sync_api.expect(tab.get_by_text("2 rows were checked")).to_be_visible()
    focus(tab, "Correct the rows")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/correct")
    focus(tab, "Row 2, birthday")
    tab.keyboard.press("Control+A")
    tab.keyboard.insert_text("1990-02-28")
    swapped(tab, lambda: tab.keyboard.press("Enter"))
    sync_api.expect(tab.get_by_text("No row is held back")).to_be_visible()
    focus(tab, "Check with the corrections")
    tab.keyboard.press("Enter")
    sync_api.expect(tab.get_by_text("No row has a problem")).to_be_visible()
    focus(tab, "Continue with 2 rows")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/import")
    focus(tab, "Send 2 customers")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/runs/**")
    assert [customer.fields["birthday"] for customer in box.customers()] == ["1990-02-28", "1991-01-02"]


def test_what_is_typed_before_the_script_is_there_is_saved(
    tab: Page, served: WebPage, tmp_path: Path
) -> None:
    served.browser.cookies.update({one["name"]: one["value"] for one in tab.context.cookies()})
    people = ("Ann,Lee,ann@lee.net,1990-02-31", "Bo,Li,bo@li.net,1990-02-30", "Cy,Ko,cy@ko.net,1990-13-01")
    work = served.begin(tmp_path, "first_name,last_name,email,birthday\n", *people)
    held: list[Route] = []
    tab.route("**/page.js", lambda route: held.append(route))
    tab.goto(f"{served.base}{work}/correct", wait_until="commit")
    tab.get_by_label("Row 2, birthday").fill("1990-02-28")
    tab.get_by_label("Row 3, birthday").fill("1990-02-27")  # and it has the focus
    swapped(tab, held[0].continue_)
    sync_api.expect(tab.locator("tr", has_text="Ann").get_by_text("fixed")).to_be_visible()
    swapped(tab, lambda: tab.keyboard.press("Tab"))
    found = served.site.works.corrections(served.site.works.get(work.removeprefix("/w/")))
    assert {cell.row: cell.now for cell in found.values()} == {2: "1990-02-28", 3: "1990-02-27"}


def test_the_enter_that_ends_a_character_saves_nothing(tab: Page, served: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("first_name,last_name,birthday\n李,明,1990-02-31\n", "utf-8")
    tab.set_input_files("#file", path)
    tab.wait_for_url("**/see")
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.get_by_role("button", name="Check the whole file").click()
    tab.get_by_role("link", name="Correct the rows").click()
    cell = tab.get_by_label("Row 2, birthday")
    cell.fill("1990")
    cell.evaluate(
        """at => at.dispatchEvent(new KeyboardEvent("keydown",
             { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
    )
    work = served.site.works.get(tab.url.split("/w/")[1].split("/")[0])
    assert served.site.works.corrections(work) == {}


def test_whoever_is_quick_is_not_refused(tab: Page, served: WebPage, box: Sandbox, messy: Path) -> None:
    tab.set_input_files("#file", messy)
    tab.wait_for_url("**/see")
    tab.select_option("#sheet", "Customers")
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.wait_for_url("**/match")
    sync_api.expect(tab.get_by_role("heading", name="Mobile")).to_be_visible()
    tab.get_by_label("Phones without a country code").select_option("DE")
    tab.get_by_label("1", exact=True).select_option("male")
    tab.get_by_label("2", exact=True).select_option("female")
    tab.get_by_role("button", name="Check the whole file").click()
    tab.wait_for_url("**/check")
    work = served.site.works.get(tab.url.split("/w/")[1].split("/")[0])
    mapping = served.site.works.mapping_file(work).read_text("utf-8")
    assert 'region = "DE"' in mapping
    assert '1 = "male"\n2 = "female"' in mapping or '2 = "female"\n1 = "male"' in mapping


def test_two_tabs_follow_one_run_which_stops_and_goes_on(
    tab: Page, served: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "many.csv"
    lines = (f"Ann,Lee,{8613800100000 + n}\n" for n in range(9000))
    path.write_text("first_name,last_name,sms_phone\n" + "".join(lines), "utf-8")
    tab.set_input_files("#file", path)
    tab.wait_for_url("**/see")
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.get_by_role("button", name="Check the whole file").click()
    sync_api.expect(tab.get_by_text("9,000 rows were checked")).to_be_visible()
    box.misbehave("slow seconds=0.4")
    tab.get_by_role("link", name="Continue with 9,000 rows").click()
    tab.get_by_role("button", name="Send 9,000 customers").click()
    tab.wait_for_url("**/import")
    other = tab.context.new_page()
    other.goto(tab.url)
    sync_api.expect(other.get_by_role("progressbar")).to_be_visible()
    look_for_barriers(other)
    tab.reload()
    tab.get_by_role("button", name="Pause").click()
    for one in (tab, other):
        one.wait_for_url("**/runs/**", timeout=PATIENCE * 1000)
        sync_api.expect(one.get_by_role("heading", name="Paused")).to_be_visible()
    look_for_barriers(tab)
    assert 0 < len(box.customers()) < 9000
    box.misbehave()
    other.get_by_role("button", name="Continue").click()
    sync_api.expect(other.get_by_text("All done: 9,000 rows")).to_be_visible()
    assert len(box.customers()) == 9000


@pytest.mark.parametrize(
    ("width", "scheme", "locale"),
    [
        *((width, scheme, "zh-CN") for width in (360, 2560) for scheme in ("light", "dark")),
        *((360, "light", locale) for locale in ("es-419", "pt-BR", "id")),
    ],
)
def test_pages_fit_their_window(
    chromium: Browser, served: WebPage, messy: Path, width: int, scheme: str, locale: str
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, locale=locale
    )
    tab = context.new_page()
    tab.goto(served.application.gate.link)
    tab.wait_for_url(f"{served.base}/")
    tab.set_input_files("#file", messy)
    tab.wait_for_url("**/see")
    work = tab.url.removesuffix("/see")
    for step in ("see", "match", "check"):
        tab.goto(f"{work}/{step}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("document.documentElement.lang") == locale
        look_for_barriers(tab)
        if step == "see":
            tab.locator(".onward button").click()
    context.close()


def test_what_lies_beside_the_table_comes_by_buttons(
    tab: Page, served: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    """Rows of one contact, a row that is left out, corrections as a workbook, a list, changed rows."""
    path = tmp_path / "family.csv"
    lines = (f"Ann{n},Lee,ann{n}@lee.net,1990-01-02\n" for n in range(40))
    path.write_text(
        "first_name,last_name,email,birthday\nRosa,Gil,family@gil.net,1980-02-28\nPedro,Gil,family@gil.net,\n"
        + "".join(lines),
        "utf-8",
    )
    tab.set_input_files("#file", path)
    tab.wait_for_url("**/see")
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.get_by_role("button", name="Check the whole file").click()
    tab.get_by_role("link", name="Same contact as another row").click()
    sync_api.expect(tab.get_by_text("their names differ")).to_be_visible()
    look_for_barriers(tab)
    swapped(tab, lambda: tab.get_by_role("button", name="Leave the value of email in row 3 out").click())
    sync_api.expect(tab.get_by_text("no longer share a contact")).to_be_visible()
    swapped(tab, lambda: tab.get_by_role("button", name="Leave row 2 out").click())
    sync_api.expect(tab.get_by_role("button", name="Include row 2 again")).to_be_focused()
    tab.set_viewport_size({"width": 390, "height": 500})
    tab.keyboard.press("End")
    sync_api.expect(tab.get_by_role("button", name="Undo", exact=True)).to_be_in_viewport()
    tab.get_by_text("Corrections as a workbook").click()
    look_for_barriers(tab)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Save as a workbook").click()
    assert download.value.suggested_filename == "Corrections of family.xlsx"
    tab.get_by_role("button", name="Undo", exact=True).click()
    tab.get_by_role("button", name="Undo", exact=True).click()
    sync_api.expect(tab.get_by_role("button", name="Undo", exact=True)).to_have_count(0)
    tab.get_by_text("Corrections as a workbook").click()
    tab.set_input_files("#corrections-file", download.value.path())
    sync_api.expect(tab.get_by_text("2 corrections were loaded")).to_be_visible()
    look_for_barriers(tab)
    tab.get_by_role("button", name="Check with the corrections").click()
    tab.get_by_role("link", name="Continue with 41 rows").click()
    tab.get_by_text("People who must not be sent").click()
    list_ = tmp_path / "unsubscribed.csv"
    list_.write_text("email\nann7@lee.net\n", "utf-8")
    tab.set_input_files("#list-file", list_)
    tab.get_by_role("link", name="Continue with 40 rows").click()
    sync_api.expect(tab.get_by_text("Left out by these lists: 1 row")).to_be_visible()
    look_for_barriers(tab)
    tab.get_by_role("button", name="Send 40 customers").click()
    tab.wait_for_url("**/runs/**")
    tab.goto(served.base)
    tab.set_input_files("#file", path)
    tab.wait_for_url("**/see")
    sync_api.expect(tab.get_by_role("button", name="Use last time’s 2 corrections")).to_be_visible()
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.get_by_role("button", name="Check the whole file").click()
    sync_api.expect(tab.get_by_text("42 rows were checked")).to_be_visible()
    tab.goto(f"{tab.url.removesuffix('/check')}/import")
    look_for_barriers(tab)
    tab.get_by_role("button", name="Send only what is new or has changed").click()
    tab.get_by_role("link", name="Continue with 2 rows").click()  # the list still holds
    sync_api.expect(tab.get_by_text("39 rows are the same as when last sent")).to_be_visible()
    look_for_barriers(tab)
    assert len(box.customers()) == 40


def test_a_list_of_people_with_one_name_and_phones_as_dialled_at_home(
    tab: Page, served: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    """What is proposed is one click away, and the same list again ends on a page that says so."""
    path = tmp_path / "pelanggan.csv"
    path.write_text(
        "Kota,Keterangan,Nama depan,Nama belakang,HP,Email\n"
        "Malang,a,Siti,-,0812-1111-2222,siti@toko.co.id\n"
        "Malang,b,Budi,Santoso,+62 813 3333 4444,budi@toko.co.id\n"
        "Malang,c,Sukarno,,0812 9999 0000,su@toko.co.id\n",
        "utf-8",
    )
    tab.set_input_files("#file", path)
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.wait_for_url("**/match")
    look_for_barriers(tab)
    swapped(tab, lambda: tab.get_by_role("button", name="Indonesia (+62)").click())
    sync_api.expect(tab.get_by_text("6281211112222")).to_be_visible()
    tab.get_by_role("button", name="Check the whole file").click()
    tab.get_by_role("link", name="Correct the rows").click()
    sync_api.expect(tab.get_by_label("Row 2, Nama belakang")).to_be_in_viewport()
    look_for_barriers(tab)
    tab.get_by_role("button", name="One name only: write “Siti” in row 2").press("Enter")
    sync_api.expect(tab.get_by_label("Row 2, Nama belakang")).to_have_value("Siti")
    tab.locator("#kind").select_option(index=1)
    tab.get_by_role("button", name="People with one name only").click()
    sync_api.expect(tab.get_by_label("Row 4, Nama belakang")).to_have_value("Sukarno")
    look_for_barriers(tab)
    tab.get_by_role("button", name="Check with the corrections").click()
    tab.get_by_role("link", name="Continue with 3 rows").click()
    tab.get_by_role("button", name="Send 3 customers").click()
    tab.wait_for_url("**/runs/**")
    assert {str(one.fields["sms_phone"])[:4] for one in box.customers()} == {"6281"}
    tab.goto(f"{served.base}/")
    tab.set_input_files("#file", path)
    tab.get_by_role("button", name="Use last time’s 2 corrections").click()
    tab.get_by_role("button", name="Yes, match the columns").click()
    tab.get_by_role("button", name="Check the whole file").click()
    tab.get_by_role("link", name="Continue with 3 rows").click()
    tab.get_by_role("button", name="Send only what is new or has changed").click()
    sync_api.expect(tab.get_by_role("heading", name="Done: nothing new")).to_be_visible()
    look_for_barriers(tab)
