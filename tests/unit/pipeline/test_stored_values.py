"""What is stored, whatever the cells hold: no word for nothing or for “as above”, no letter or pair in a
phone, no e-mail without an @, no impossible birthday."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hypothesis import assume, example, given
from hypothesis import strategies as st

from importer import mapping
from importer.mapping.base import packaged_words
from importer.pipeline.check import Checker, CheckRules
from tests.support.mapping import PLAT, SEA, chunk

COLUMNS = ("First Name", "Last Name", "Phone", "WhatsApp", "E-mail", "Birthday", "Address", "Country", "Tags")
WORDS = packaged_words("words.toml")["nothing"]
NOTHING = {word.casefold() for name in ("signs", "anywhere") for word in WORDS[name]}
NO_CONTACT = NOTHING | {
    word.casefold() for name in ("texts", "phrases", "data", "withheld") for word in WORDS[name]
}
AS_ABOVE = {word.casefold() for name in ("ditto_marks", "dittos") for word in WORDS[name]}
MARKS = frozenset(WORDS["ditto_marks"])
NOBODY = (
    "nao@tem.com",
    "sem@email.com",
    "keine@mail.de",
    "Test@test.com",
    "no@gmail.com",
    "x@x.com",
    "无@无.com",
)
SEPARATORS = [" ", "/", " / ", ";", ",", "\n", " or ", "、", "和", "", " x", " ext. ", "转", " (", "-"]
PHONES = ("sms_phone", "whats_app_phone", "viber_phone")
words = st.sampled_from(
    [word for words in WORDS.values() for word in words]
    + ["NULL NULL", " n/a ", "Null", "NAN", "#REF!", "x@", "0", "000000", "无@qq.com"]
)
numbers = st.from_regex(r"(\+|00|0|)[1-9]{4}[0-9]{3,9}", fullmatch=True)
formatted = st.builds(
    lambda number, mark: mark.join([number[:4], number[4:7], number[7:]]),
    numbers,
    st.sampled_from(["", " ", "-", ".", "/", "(0)", "\u00a0"]),
)
phones = st.one_of(
    formatted,
    st.builds(
        lambda one, mark, two: f"{one}{mark}{two}",
        formatted,
        st.sampled_from(
            [" ", "/", " / ", ";", ",", "\n", " or ", "、", "和", "", " x", " ext. ", "转", " (", "-"]
        ),
        formatted,
    ),
    st.builds(
        lambda one, word: f"{one} {word}", formatted, st.sampled_from(["home", "(Ann)", "张先生", "O5"])
    ),
)
days = st.one_of(
    st.dates(date(1, 1, 1), date(3000, 1, 1)).map(str),
    st.builds(
        lambda day, form: day.strftime(form),
        st.dates(date(1000, 1, 1), date(2999, 12, 31)),
        st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d.%m.%Y", "%d %B %Y", "%Y年%m月%d日"]),
    ),
    st.sampled_from(
        ["0000-00-00", "0/0/00", "民国77年5月6日", "2567-05-17", "1369/2/27", "45000", "31/02/1990"]
    ),
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
cells = {
    "Phone": st.one_of(phones, words, texts),
    "WhatsApp": st.one_of(phones, words),
    "Birthday": st.one_of(days, words, texts),
    "E-mail": st.one_of(
        st.sampled_from([*NOBODY, "a@x.example", "Ann <a@x.example>", "a@x.example; b@x.example"]), words
    ),
    "Country": st.one_of(st.sampled_from(["China", "DE", "Brasil", "86", ""]), words),
}
tables = st.lists(
    st.tuples(*(cells.get(name, st.one_of(texts, words)) for name in COLUMNS)), min_size=1, max_size=8
)


def stored(rows: Sequence[Sequence[str]], plat: bool) -> list[Mapping[str, object]]:
    """Return the customers that would be sent for these rows."""
    contract = PLAT if plat else SEA
    part = chunk({name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)})
    chosen = mapping.choose(COLUMNS, contract).mapping
    mapper = mapping.bind(chosen, COLUMNS, contract, read_column=lambda name: iter([part.frame[name]]))
    checked = Checker(mapper, contract, CheckRules()).check(part)
    return [json.loads(one) for one in checked.customers.encoded]


@given(tables, st.booleans())
def test_no_stored_field_holds_what_a_person_would_see_is_no_value(
    rows: Sequence[Sequence[str]], plat: bool
) -> None:
    latest = date.today() + timedelta(days=1)
    for customer in stored(rows, plat):
        for name, value in customer.items():
            text = str(value).strip()
            if name not in ("gender", "first_name", "last_name", "full_name"):
                assert text.casefold() not in NOTHING | AS_ABOVE, name
            if name in (*PHONES, "email", "address"):
                assert text.casefold() not in NO_CONTACT, name
            if name == "email":
                assert text not in NOBODY
                assert "@" in text
            if name in ("first_name", "last_name", "full_name"):
                assert text not in ("NULL", "null", "nan", "NaN", "None", "N/A", "-", "无", "NULL NULL"), name
                assert text not in MARKS, name
            if name in PHONES:
                assert text.isascii()
                assert text.isdigit()
                assert len(text) <= 15
            if name == "birthday":
                assert date(1900, 1, 1) <= date.fromisoformat(text) <= latest


@example("+1111000", " - ", "01111000")
@given(numbers, st.sampled_from([" ", "/", ";", ",", "\n", " or ", "、", " & ", " - ", "  ", " +"]), numbers)
def test_two_numbers_in_a_cell_are_never_one(one: str, mark: str, two: str) -> None:
    row = ("Ann", "Lee", f"{one}{mark}{two}", "", "", "", "", "", "")
    (customer,) = stored([row], False)
    phone = str(customer.get("sms_phone", ""))
    digits = "".join(filter(str.isdigit, one)), "".join(filter(str.isdigit, two))
    whole = [number.lstrip("0") for number in digits]
    # Up to 15 digits with a blank between may be one number in groups: nobody can tell.
    assume(mark.strip() or len("".join(digits)) > 15)
    assert phone != "".join(digits)
    assert not phone or any(phone.lstrip("0") == number or number.endswith(phone[-7:]) for number in whole)
