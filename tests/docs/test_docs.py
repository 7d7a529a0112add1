"""The documentation says what the program does: generated parts, commands, codes, samples, links."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from importer import __version__, mapping
from importer.cli import app
from importer.config import Profile, load_config
from importer.config_schema import table_model
from importer.credentials import VARIABLES
from importer.exit_codes import ExitCode
from importer.jobs.config import Job, JobFiles, LogSettings, NoticeSettings, TripwireSettings
from importer.jobs.tables import load_job
from importer.journal_place import JOURNAL_VARIABLE
from importer.mapping.rules import Condition, CustomRule, HeaderMatch, MappingFile, keys_of
from importer.models import Status
from importer.sandbox import faults
from tests.support import docs

GUIDES = sorted(page for page in docs.DOCS.rglob("*.md"))
PAGES = [*sorted(docs.ROOT.glob("*.md")), *GUIDES]


def named(page: Path) -> str:
    """Return the page's path from the repository's top, for the test's name."""
    return page.relative_to(docs.ROOT).as_posix()


def text_of(name: str) -> str:
    """Return the text of a page of docs/."""
    return (docs.DOCS / name).read_text("utf-8")


def blocks(language: str, text: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def section(title: str, text: str) -> str:
    """Return what stands below a heading, up to the next one."""
    return text.partition(f"## {title}\n")[2].partition("\n##")[0]


def command_lines() -> Iterator[str]:
    """Return every command line of the program in a shell block, without its comment."""
    for page in PAGES:
        for block in blocks("sh", page.read_text("utf-8")):
            for line in block.splitlines():
                for part in line.split("  #")[0].split(";"):
                    if part.strip().startswith("importer "):
                        yield part.strip()


def links(page: Path) -> Iterator[str]:
    """Return the targets of a page's links, pictures included; code is not looked at."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", docs.PARTS)
def test_generated_parts_are_what_the_program_has(name: str) -> None:
    part = docs.PARTS[name]
    assert docs.read_part(text_of(part.page), name) == part.write(), "`make docs` writes it"


def test_the_benchmarks_find_their_place() -> None:
    assert docs.read_part(text_of("performance.md"), "bench").startswith("| what | bar | measured | met |")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        if re.match(r"https?:|mailto:", link):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        if anchor:
            assert anchor in anchors(found), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_of_the_repository_exist(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for path in re.findall(r"`((?:importer|tests|docs|mappings|sample_data)/[\w./-]*)[^`]*`", prose):
        assert "NAME" in path or (docs.ROOT / path).exists(), path


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [docs.README]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in seen and page.exists():
            seen.add(page)
            targets = (link.partition("#")[0] for link in links(page) if not link.startswith("http"))
            waiting += [(page.parent / target).resolve() for target in targets if target]
    assert set(GUIDES) <= seen


def test_the_readme_stays_short() -> None:
    assert docs.README.stat().st_size <= 8192


def test_the_picture_of_the_report_stays_small() -> None:
    assert (docs.DOCS / "images" / "report.png").stat().st_size < 150_000


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_commands_exist_with_their_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = app.group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
    assert command is not app.group
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_make_targets_exist(page: Path) -> None:
    makefile = (docs.ROOT / "Makefile").read_text("utf-8")
    text = page.read_text("utf-8")
    shown = "\n".join([*blocks("sh", text), *re.findall(r"`(make [^`]*)`", text)])
    for target in set(re.findall(r"^make ([a-z-]+)", shown, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_status_and_exit_code_is_explained() -> None:
    text = text_of("reports-and-codes.md")
    statuses = re.findall(r"^\| `(\w+)` \|", section("What becomes of a row", text), re.MULTILINE)
    assert statuses
    assert set(statuses) == {status.value for status in Status}
    rows = re.findall(r"^\| ([\d, ]+) \|", section("Exit codes", text), re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == {int(code) for code in ExitCode}


def test_every_environment_variable_is_explained() -> None:
    explained = set(re.findall(r"^\| `(NXLINK_\w+)` \|", text_of("settings.md"), re.MULTILINE))
    assert explained == {*VARIABLES.values(), JOURNAL_VARIABLE, "NXLINK_STATE_DIR", "NXLINK_TRACEBACK"}


def test_every_environment_variable_of_the_source_is_in_the_docs() -> None:
    source = " ".join(file.read_text("utf-8") for file in docs.PACKAGE.rglob("*.py"))
    text = " ".join(page.read_text("utf-8") for page in GUIDES)
    assert {name for name in re.findall(r"NXLINK_[A-Z_]*[A-Z]", source) if name not in text} == set()


def test_every_key_of_a_profile_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", text_of("settings.md")))
    assert set(table_model("profile", Profile).model_fields) <= explained


def test_every_key_of_a_job_is_explained() -> None:
    prose = re.sub(r"^```.*?^```", "", text_of("jobs.md"), flags=re.MULTILINE | re.DOTALL)
    explained = set(re.findall(r"\b[a-z_]+\b", " ".join(re.findall(r"`[^`]+`", prose))))
    explained |= set(re.findall(r"^(\w+) = ", text_of("jobs.md"), re.MULTILINE))
    explained |= set(
        re.findall(r"^\| `(\w+)`", docs.read_part(text_of("settings.md"), "options"), re.MULTILINE)
    )
    explained |= set(re.findall(r"^\[job\.nightly\.(\w+)\]", text_of("jobs.md"), re.MULTILINE))
    parts = (table_model(None, part) for part in (TripwireSettings, NoticeSettings, LogSettings))
    for table in (table_model("job", JobFiles, Job), *parts):
        assert set(table.model_fields) <= explained, table


def test_every_key_of_a_mapping_file_is_explained() -> None:
    table = docs.read_part(text_of("mapping.md"), "mapping-keys")
    explained = set(re.findall(r"`\[?\[?([a-z_]+)\]?\]?(?: = [^`]*)?`", table))
    rules = (MappingFile, CustomRule, Condition, HeaderMatch)
    keys = {key.written for rule in rules for key in keys_of(rule).values()}
    assert keys - explained == {"fields", "custom"}


def test_every_kind_of_fault_is_explained() -> None:
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", section("Faults", text_of("sandbox.md")), re.MULTILINE)
    assert set(explained) == {kind.value for kind in faults.FaultKind}


def test_the_settings_sample_is_valid(tmp_path: Path) -> None:
    (sample,) = [
        block for block in blocks("toml", text_of("settings.md")) if block.startswith("[profile.default]")
    ]
    file = tmp_path / "importer.toml"
    file.write_text(sample, "utf-8")
    assert load_config(file).profile("indonesia").contract == "plat"
    assert load_config(file).profile(None).tenant_id == "144"


def test_the_job_sample_is_valid(tmp_path: Path) -> None:
    (sample,) = [block for block in blocks("toml", text_of("jobs.md")) if block.startswith("[job.")]
    file = tmp_path / "importer.toml"
    file.write_text(sample + "[profile.production]\n", "utf-8")
    assert load_job(load_config(file), "nightly").name == "nightly"


def test_the_fault_samples_are_valid(tmp_path: Path) -> None:
    text = text_of("sandbox.md")
    (sample,) = [block for block in blocks("toml", text) if block.startswith("[[fault]]")]
    file = tmp_path / "faults.toml"
    file.write_text(sample, "utf-8")
    assert len(faults.load_faults(file)) == sample.count("[[fault]]")
    for line in re.findall(r'--fault "([^"]+)"', text):
        assert faults.parse_fault(line)


def test_the_mapping_sample_is_valid() -> None:
    (sample,) = [block for block in blocks("toml", text_of("mapping.md")) if "[fields.first_name]" in block]
    assert mapping.load_text(sample, "sample").custom


@pytest.mark.parametrize("number", range(len(blocks("python", text_of("python.md")))))
def test_the_python_samples_run(tmp_path: Path, number: int) -> None:
    sample = blocks("python", text_of("python.md"))[number]
    sample = sample.replace('"sample_data/', f'"{docs.ROOT.as_posix()}/sample_data/')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", sample],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.findall(r"^ *print\(.*\)  # (.*)$", sample, re.MULTILINE)
    assert [line for line in done.stdout.splitlines() if line in shown] == shown


def test_the_transcript_is_the_real_one(tmp_path: Path) -> None:
    (shown,) = blocks("console", docs.README.read_text("utf-8"))
    words = [sys.executable, "-m", "importer", "run", "sample_data/customers.xlsx", "--sandbox"]
    done = subprocess.run(
        [*words, "--report-dir", str(tmp_path / "RUN")],
        cwd=docs.ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    real = done.stderr.splitlines()[:1] + done.stdout.splitlines()
    real = [line.replace(str(tmp_path / "RUN"), "reports/RUN") for line in real]
    assert [_plain(line) for line in shown.splitlines()[1:]] == [_plain(line) for line in real]


def _plain(line: str) -> str:
    line = re.sub(r"127\.0\.0\.1:\d+", "HOST", line.rstrip())
    line = re.sub(r"reports/\d{8}-\d{6}-\w{4}", "reports/RUN", line)
    # A run that took long also says how fast it was.
    return re.sub(r"in [\d.]+ s(, \d+ a second)?$", "in N s", line)


def test_the_changelog_names_the_version() -> None:
    changelog = (docs.ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {re.escape(__version__)}( |$)", changelog, re.MULTILINE)


def test_the_files_that_are_made_of_others_are_shipped_as_they_are_made() -> None:
    for file, text in docs.files().items():
        assert file.read_text("utf-8") == text, "`make docs` writes it"
