"""README.md says what the program does: commands, options, codes, tables, samples and the transcript."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from importer import mapping
from importer.cli import app
from importer.config import VARIABLES, load_config
from importer.jobs.config import load_job
from tests.support import docs
from tests.support.commands import ROOT

README = docs.README.read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    return README.partition(f"### {title}\n")[2].partition("\n##")[0]


def commands() -> Iterator[str]:
    """Every command line in a shell block, without its comment."""
    for block in blocks("sh"):
        for line in block.splitlines():
            for part in line.split("  #")[0].split(";"):
                text = part.strip().removeprefix("or ").strip()
                if text.startswith("importer "):
                    yield text


def test_the_tables_are_what_the_program_has() -> None:
    assert docs.drawn(README) == README, "python -m tests.support.docs writes them"


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_commands_in_the_readme_exist_with_their_options(line: str) -> None:
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


def test_every_status_and_exit_code_is_explained() -> None:
    statuses = set(re.findall(r"^\| `(\w+)` \|", section("What becomes of a row"), re.MULTILINE))
    assert statuses == docs.STATUSES
    rows = re.findall(r"^\| ([\d, ]+) \|", section("Exit codes"), re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == docs.EXIT_CODES


def test_every_environment_variable_is_explained() -> None:
    named = set(re.findall(r"^\| `(NXLINK_\w+)` \|", README, re.MULTILINE))
    assert named == {*VARIABLES.values(), "NXLINK_STATE_DIR"}


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"`?make (\w+)", README)) - {"and"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_settings_sample_is_valid(tmp_path: Path) -> None:
    (sample,) = [block for block in blocks("toml") if block.startswith("[profile.default]")]
    file = tmp_path / "importer.toml"
    file.write_text(sample, "utf-8")
    assert load_config(file).profile("indonesia").contract == "plat"
    assert load_config(file).profile(None).tenant_id == "144"


def test_the_job_sample_is_valid(tmp_path: Path) -> None:
    (sample,) = [block for block in blocks("toml") if block.startswith("[job.")]
    file = tmp_path / "importer.toml"
    file.write_text(sample + "[profile.production]\n", "utf-8")
    assert load_job(load_config(file), "nightly").name == "nightly"


def test_the_mapping_sample_is_valid() -> None:
    (sample,) = [block for block in blocks("toml") if "[fields.first_name]" in block]
    assert mapping.load_text(sample, "sample").custom


def test_the_python_sample_runs(tmp_path: Path) -> None:
    (sample,) = [block for block in blocks("python") if "import_file" in block]
    sample = sample.replace('"sample_data/', f'"{ROOT.as_posix()}/sample_data/')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", sample],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "250 246 4"
    assert done.stdout.splitlines()[-1].startswith("120 ")


def test_the_transcript_is_the_real_one(tmp_path: Path) -> None:
    (shown,) = blocks("console")
    words = [sys.executable, "-m", "importer", "run", "sample_data/customers.xlsx", "--sandbox"]
    done = subprocess.run(
        [*words, "--report-dir", str(tmp_path / "RUN")],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    real = done.stderr.splitlines()[:1] + done.stdout.splitlines()
    real = [line.replace(str(tmp_path / "RUN"), "reports/RUN") for line in real]
    assert [_plain(line) for line in shown.splitlines()[1:]] == [_plain(line) for line in real]


def _plain(line: str) -> str:
    line = re.sub(r"127\.0\.0\.1:\d+", "HOST", line.rstrip())
    line = re.sub(r"reports/\d{8}-\d{6}-\w{4}", "reports/RUN", line)
    return re.sub(r"in [\d.]+ s", "in N s", line)
