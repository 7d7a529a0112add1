"""Why something failed is said in our words, in both languages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from importer.config import load_config
from importer.errors import MappingError, SettingsError
from importer.mapping import load_text
from importer.mapping.mistakes import first_mistake
from importer.mapping.schema import checked
from importer.messages import LANGUAGES
from importer.reasons import command_reason, reason_of, toml_reason
from importer.toml import parse_toml

PYTHONS_WORDS = ("Input should", "Value error", "Field required", "Error", "Extra inputs", "dict", "None")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('concurrency = "x"', "it must be a whole number"),
        ("concurrency = 0", "it must be 1 or more"),
        ("concurrency = 1.5", "it must be a whole number"),
        ('mode = "foo"', "it must be one of: replace, update, keep"),
        ('wait = "3x"', "90s"),
        ("wait = -1", "it must be 0 or more"),
        ('strict_binding = "yes"', "it must be true or false"),
        ("env_file = 3", "it must be text in quotation marks"),
        ("colour = 1", "unknown key; allowed are base_url"),
        ("base_url = ", "line 2, column 12 cannot be read"),
        ('base_url = """x', "it ends in the middle of a value"),
    ],
)
def test_a_wrong_setting_says_what_may_stand_there(tmp_path: Path, line: str, wanted: str) -> None:
    file = tmp_path / "importer.toml"
    file.write_text(f"[profile.a]\n{line}\n", "utf-8")
    file.chmod(0o600)
    with pytest.raises(SettingsError) as caught:
        load_config(file).profile("a")
    assert wanted in caught.value.sentence()
    english, *others = (caught.value.sentence(lang) for lang in LANGUAGES)
    assert not any(english.partition(": ")[2] in other for other in others)
    assert not any(word in text for word in PYTHONS_WORDS for text in (english, *others))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[fields.email]\nfrom = { a = 1 }\n", "cannot be “a table”"),
        ("[fields.email]\nfrom = [1.5, true]\n", "it must be text in quotation marks"),
        ("[fields.email]\nfrom = 'x'\ntake = 10\n", "it must be 9 or less"),
        ("[fields.email]\nfrom = 'x'\ntrim = 'yes'\n", "it must be true or false"),
        ("fields = 3\n", "it must be a table of its own"),
        ("[fields.email\n", "line 1, column 14 cannot be read"),
    ],
)
def test_a_wrong_mapping_says_what_may_stand_there(text: str, wanted: str) -> None:
    with pytest.raises(MappingError) as caught:
        load_text(text, "m.toml")
    assert wanted in caught.value.sentence()
    for lang in LANGUAGES:
        assert not any(word in caught.value.full_text(lang) for word in PYTHONS_WORDS)


def test_a_mapping_of_no_file_is_told_without_file_and_line() -> None:
    with pytest.raises(ValidationError) as caught:
        checked({"fields": {"birthday": {"from": "x", "formats": ["foo"]}}})
    found = first_mistake(caught.value)
    assert found.sentence().startswith("“foo” is not a date format")
    assert found.sentence("zh").startswith("“foo”不是日期格式")


def test_a_command_that_fails_is_told_by_its_exit_code_or_by_what_the_system_says() -> None:
    def reason(*words: str, seconds: float = 60) -> str:
        try:
            subprocess.run(words, check=True, timeout=seconds, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            return command_reason(error).sentence()
        return ""

    assert reason(sys.executable, "-c", "raise SystemExit(3)") == "it ended with exit code 3"
    assert reason("/no/such/program") == "it could not be started: No such file or directory"
    waits = (sys.executable, "-c", "import time; time.sleep(60)")
    assert reason(*waits, seconds=0.01) == "it took longer than 0.01 seconds"


def test_an_error_without_words_of_the_system_is_named_in_plain_words() -> None:
    class ReadTimeoutError(Exception):
        pass

    class SSLError(Exception):
        pass

    assert reason_of(ReadTimeoutError()) == "read timeout"
    assert reason_of(SSLError()) == "SSL"
    assert reason_of(OSError(13, "Permission denied")) == "Permission denied"


def test_what_is_no_toml_is_placed_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="line 1") as caught:
        parse_toml("access_secret = hunter2")
    assert "hunter2" not in toml_reason(caught.value).sentence()
