"""Options: one declaration each, and what is derived of it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.cli import app
from importer.config import load_config
from importer.config_schema import table_model
from importer.errors import SettingsError
from importer.jobs.config import Job, JobFiles
from importer.jobs.tables import load_job
from importer.messages import LANGUAGES, local_text
from importer.models import Mode
from importer.option_layers import GivenOptions, layered, options_from_json, options_to_json
from importer.option_types import Duplicates, Keep, Option
from importer.options import RunOptions, declared_options
from importer.reports.next_steps import run_arguments
from importer.reports.run_info import report_settings

OLD_SETTINGS = (
    '{"duplicates": "skip", "strict": true, "limit": 7, "max_invalid": 2.5, "excel_report": true, '
    '"mask": true, "lang": "zh", "concurrency": 8, "rate": 0.5, "patience": 60.0, "attempts": 3, '
    '"rejected": true, "sandbox_store": "/tmp/crm.db"}'
)
OLD_READING = '{"sheet": "all", "header_row": "none", "encoding": "gb18030", "delimiter": "tab"}'


def run_command() -> tuple[click.Command, click.Context]:
    """Return `importer run` and the context of `importer`, which knows `-h`."""
    parent = click.Context(app.group, **app.group.context_settings)
    command = app.group.get_command(parent, "run")
    assert command is not None
    return command, parent


@pytest.mark.parametrize("option", declared_options().values(), ids=lambda option: option.name)
def test_an_option_explains_itself_in_both_languages(option: Option) -> None:
    assert set(option.help) == {"en", "zh"}
    assert all(text.rstrip()[-1] in ".。" for text in option.help.values())
    assert option.help["en"] != option.help["zh"]


def test_no_flag_stands_for_two_options() -> None:
    flags = [flag for option in declared_options().values() for flag in option.flags]
    assert len(flags) == len(set(flags))


def test_a_journal_of_an_earlier_version_is_read() -> None:
    assert options_from_json(OLD_SETTINGS, OLD_READING) == RunOptions(
        duplicates=Duplicates.SKIP,
        strict=True,
        limit=7,
        max_invalid=2.5,
        excel_report=True,
        mask=True,
        lang="zh",
        concurrency=8,
        rate=0.5,
        patience=60.0,
        attempts=3,
        rejected=True,
        sandbox_store="/tmp/crm.db",
        sheet="all",
        header_row="none",
        encoding="gb18030",
        delimiter="tab",
    )


def test_every_name_of_an_earlier_journal_is_still_kept() -> None:
    usual = RunOptions()
    assert json.loads(options_to_json(usual, Keep.SETTINGS)).keys() >= json.loads(OLD_SETTINGS).keys()
    assert json.loads(options_to_json(usual, Keep.READING)).keys() >= json.loads(OLD_READING).keys()


def test_what_a_journal_does_not_keep_or_know_is_left_out() -> None:
    assert options_from_json('{"dry_run": true, "of_a_later_version": 1}', "{}") == RunOptions()


@given(
    duplicates=st.sampled_from(Duplicates),
    header_row=st.none() | st.integers(1, 99) | st.just("none"),
    rate=st.none() | st.floats(0, 1e6),
    sheet=st.none() | st.text(),
    strict=st.booleans(),
)
def test_what_the_journal_keeps_comes_back(**values: Any) -> None:
    options = RunOptions(**values)
    texts = options_to_json(options, Keep.SETTINGS), options_to_json(options, Keep.READING)
    assert options_from_json(*texts) == options


def test_flags_win_over_a_profile_and_a_profile_over_the_journal() -> None:
    journal = RunOptions(concurrency=2, rate=1.0, patience=1.0)
    profile = GivenOptions.read({"rate": 2.0, "patience": 2.0})
    flags = GivenOptions.read({"patience": 300.0, "rate": None})
    assert layered(journal, profile, flags) == RunOptions(concurrency=2, rate=2.0, patience=300.0)


def test_given_options_join_by_name() -> None:
    joined = GivenOptions.read({"limit": 3, "strict": True}).joined(GivenOptions.read({"limit": 5}))
    assert joined.names == {"limit", "strict"}
    assert (joined.options.limit, joined.options.strict) == (5, True)


def test_words_become_what_they_stand_for() -> None:
    found = GivenOptions.read({"mode": "keep", "duplicates": "error", "report_dir": "out", "profile": "x"})
    assert found.options == RunOptions(mode=Mode.KEEP, duplicates=Duplicates.ERROR, report_dir=Path("out"))
    assert found.names == {"mode", "duplicates", "report_dir"}


def test_the_repeated_arguments_mean_the_same_again() -> None:
    options = RunOptions(
        mode=Mode.REPLACE, mapping="m.toml", header_row=3, strict=True, max_invalid=2.5, rate=1
    )
    words = run_arguments(options)
    assert run_arguments(replace(RunOptions(), mode=Mode.UPDATE)) == ()
    command, parent = run_command()
    context = command.make_context("run", ["customers.csv", *words], parent=parent)
    known = declared_options()
    again = GivenOptions.read({name: context.params[name] for name in known if name in context.params})
    assert again.options == replace(options, rate=None)


def test_reports_show_what_the_plan_made_of_an_option() -> None:
    shown = dict(report_settings(RunOptions(strict=True, limit=3), {"mode": "update", "encoding": None}))
    assert (shown["mode"], shown["strict"], shown["limit"], shown["patience"]) == (
        "update",
        True,
        3,
        300.0,
    )
    assert not shown.keys() & {"encoding", "rate", "mask"}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_speaks_the_language_of_the_program(monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    monkeypatch.setenv(
        "LC_ALL", {"en": "C.UTF-8", "zh": "zh_CN.UTF-8", "pt": "pt_BR"}.get(lang, f"{lang}.UTF-8")
    )
    command, parent = run_command()
    text = " ".join(command.get_help(click.Context(command, parent=parent, terminal_width=400)).split())
    for option in declared_options().values():
        if option.group is not None and option.name != "rejected":
            assert " ".join(local_text(option.help, lang).split()) in text


def test_a_table_has_the_options_that_may_stand_in_it() -> None:
    assert {field.name for field in fields(RunOptions)} == set(declared_options())
    job = set(table_model("job", JobFiles, Job).model_fields) - {"settle"}  # is about files that come in
    for option in declared_options().values():
        assert (option.name in job) is option.job


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        ("rate = -1", "job.x.rate", "0 or more"),
        ("concurrency = 65", "job.x.concurrency", "64 or less"),
        ('header_row = "first"', "job.x.header_row:", "1, 2, 3 …, none"),
        ("strict = 1", "job.x.strict", "true or false"),
        ('patience = "soon"', "job.x.patience", '"90s"'),
        ('mode = "drop"', "job.x.mode", "one of: replace, update, keep"),
        ("max_invalid = 3", "job.x.max_invalid", "unknown key"),
        ("dry_run = true", "job.x.dry_run", "unknown key"),
        ("log.colour = true", "job.x.log.colour", "allowed are file, format, size, files"),
    ],
)
def test_a_wrong_option_of_a_job_is_told_with_its_place(
    tmp_path: Path, line: str, place: str, reason: str
) -> None:
    file = tmp_path / "importer.toml"
    file.write_text(f'[job.x]\ninbox = "in"\n{line}\n', "utf-8")
    with pytest.raises(SettingsError) as error:
        load_job(load_config(file), "x")
    assert place in error.value.sentence()
    assert reason in error.value.sentence()


def test_a_job_sets_options_over_its_profile(tmp_path: Path) -> None:
    file = tmp_path / "importer.toml"
    file.write_text(
        '[profile.default]\nrate = 2\npatience = "15m"\n'
        '[job.x]\ninbox = "in"\nreport_dir = "out"\nmapping = "m.toml"\npatience = 60\nduplicates = "skip"\n',
        "utf-8",
    )
    config = load_config(file)
    job = load_job(config, "x")
    options = job.options_with(config.profile(None), "zh")
    assert (options.rate, options.patience, options.lang) == (2, 60, "zh")
    assert (options.duplicates, options.mapping) == (Duplicates.SKIP, str(tmp_path / "m.toml"))
    assert job.reports == tmp_path / "out"
    assert config.profile(None).given.options.patience == 900
