"""Which jobs a command is about, and what a mistake in one of them stops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from importer.config import ConfigFile
from importer.errors import SettingsError
from importer.jobs.selection import ChosenJob, UnusableJob, choose_jobs, refuse_shadowed
from importer.jobs.tables import load_job
from importer.toml import parse_toml

TOML = """
[profile.acme]
tenant_id = 1
[profile.beta-eu]
tenant_id = 2
[profile.beta-us]
tenant_id = 3

[job-defaults]
settle = "5s"
tripwires.max_invalid = 7
[job.nightly]
inbox = "in/{profile}"
profiles = ["acme", "beta-*"]
[job.hourly]
source = "x-*.csv"
tripwires.rows_below = false
"""


def config(text: str = TOML) -> ConfigFile:
    return ConfigFile(Path("/srv/importer.toml"), parse_toml(text))


def names(*wanted: str, every: bool = False, text: str = TOML) -> dict[str, str]:
    """What was chosen, with the codes of what cannot be used."""
    found = choose_jobs(config(text), wanted, every=every)
    return {one.name: one.error.code if isinstance(one, UnusableJob) else "" for one in found}


def test_a_table_for_several_profiles_is_a_job_for_each() -> None:
    assert list(names(every=True)) == ["nightly@acme", "nightly@beta-eu", "nightly@beta-us", "hourly"]
    assert list(names("nightly")) == ["nightly@acme", "nightly@beta-eu", "nightly@beta-us"]
    (one,) = choose_jobs(config(), ["nightly@beta-eu"])
    assert isinstance(one, ChosenJob)
    assert one.job.source == Path("/srv/in/beta-eu")
    assert one.job.table == "nightly"
    assert (one.job.profile, one.profile.tenant_id) == ("beta-eu", "2")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["*"], ["nightly@acme", "nightly@beta-eu", "nightly@beta-us", "hourly"]),
        (["*@beta-*"], ["nightly@beta-eu", "nightly@beta-us"]),
        (["hour*", "hourly"], ["hourly"]),
        (["hourly", "nightly@acme"], ["nightly@acme", "hourly"]),
    ],
)
def test_patterns_choose_each_job_once_in_the_order_of_the_file(wanted: list[str], found: list[str]) -> None:
    assert list(names(*wanted)) == found


def test_a_name_that_no_job_has_stops_no_other() -> None:
    assert names("hourly", "nigthly", "z*") == {"hourly": "", "nigthly": "unknown-job", "z*": "unknown-job"}


def test_defaults_hold_for_every_job_key_by_key() -> None:
    hourly = load_job(config(), "hourly")
    assert hourly.settle == 5
    assert (hourly.tripwires.max_invalid, hourly.tripwires.rows_below) == (7, None)


def test_the_jobs_own_source_takes_the_place_of_a_default_inbox() -> None:
    text = '[job-defaults]\ninbox = "in"\n[job.a]\nsource = "b.csv"\n[job.b]\n'
    assert load_job(config(text), "a").source == Path("/srv/b.csv")
    assert load_job(config(text), "b").source == Path("/srv/in")


def test_an_exclamation_mark_takes_profiles_out_again() -> None:
    text = TOML.replace('["acme", "beta-*"]', '["*", "!beta-us"]')
    assert list(names("nightly", text=text)) == ["nightly@acme", "nightly@beta-eu"]


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ('inbox = "in"\nprofiles = ["acme"]', "job.x.inbox"),
        ('inbox = "in/{profile}"\nreport_dir = "out"\nprofiles = ["acme"]', "job.x.report_dir"),
        ('inbox = "in/{profile}"\nprofiles = ["nobody-*"]', "job.x.profiles"),
        ('inbox = "in/{profile}"\nprofiles = []', "job.x.profiles"),
        ('inbox = "in/{profile}"\nprofiles = ["acme"]\nprofile = "acme"', "job.x"),
        ('inbox = "in/{profile}"', "job.x.inbox"),
        ("inbox = 3", "job.x.inbox"),
    ],
)
def test_a_mistake_in_a_table_stops_only_its_jobs_and_is_told_with_its_place(table: str, place: str) -> None:
    found = choose_jobs(config(f"{TOML}\n[job.x]\n{table}\n"), every=True)
    bad = [one for one in found if isinstance(one, UnusableJob)]
    assert len(found) - len(bad) == 4
    assert {one.error.found["place"] for one in bad} == {place}


def test_a_mistake_in_a_profile_stops_only_its_job() -> None:
    text = TOML.replace("tenant_id = 2", "tenant = 2")
    assert names(every=True, text=text) == {
        "nightly@acme": "",
        "nightly@beta-eu": "bad-settings",
        "nightly@beta-us": "",
        "hourly": "",
    }


def test_a_mistake_in_the_defaults_stops_what_uses_them_and_names_them() -> None:
    with pytest.raises(SettingsError) as error:
        load_job(config('[job-defaults]\nsettle = "soon"\n[job.a]\ninbox = "in"\n'), "a")
    assert error.value.found["place"] == "job-defaults.settle"


@pytest.mark.parametrize("name", ["../etc", "a/b", "a b", ""])
def test_a_profile_that_is_no_part_of_a_path_gets_no_folder(name: str) -> None:
    text = f'[profile."{name}"]\n[job.x]\ninbox = "in/{{profile}}"\nprofiles = ["*"]\n'
    assert names(every=True, text=text) == {"x": "bad-settings"}


@pytest.mark.parametrize(
    ("environ", "stopped"),
    [
        ({}, []),
        ({"NXLINK_ACCESS_KEY": "k", "NXLINK_ACCESS_SECRET": "s"}, []),
        ({"NXLINK_TENANT_ID": "1"}, ["nightly@beta-eu", "nightly@beta-us"]),
        ({"NXLINK_TENANT_ID": "9"}, ["nightly@acme", "nightly@beta-eu", "nightly@beta-us"]),
    ],
)
def test_an_environment_that_would_lead_all_profiles_to_one_tenant_is_refused(
    environ: Mapping[str, str], stopped: list[str]
) -> None:
    chosen = [one for one in choose_jobs(config(), ["nightly"]) if isinstance(one, ChosenJob)]
    found = refuse_shadowed(chosen, environ)
    assert [one.name for one in found if isinstance(one, UnusableJob)] == stopped
    # One profile alone: the environment comes first, as everywhere.
    assert all(isinstance(one, ChosenJob) for one in refuse_shadowed(chosen[:1], environ))
