"""Tables as people of a country write them, every cell in one of several forms: what they meant is stored.

The truth is made first, and the cells of it.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command
from tests.support.workbooks import write_table

ROWS = 66
FIELDS = ("first_name", "last_name", "sms_phone", "email", "birthday", "gender", "address")
ADDRESSES = ("{}@x.example", "mailto:{}@x.example", "{0}@x.example; {0}.b@y.example", "<{}@x.example>")
MONTHS = [
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
]


@dataclass(frozen=True)
class Country:
    """How the people of a country write."""

    region: str
    header: Sequence[str]
    """First name, last name, phone, e-mail, birthday, gender, address."""
    first: str
    last: str
    code: str
    number: Callable[[int], str]
    """Returns the national number of a row."""
    phones: Sequence[str]
    """Forms of a number in three parts."""
    parts: tuple[int, int]
    days: Sequence[Callable[[date], str]]
    men: str
    women: str
    nothing: Sequence[str]
    above: str
    below: str
    encoding: str
    """That of its old CSV files."""


def _form(form: str) -> Callable[[date], str]:
    return lambda day: day.strftime(form)


COUNTRIES = {
    "Germany": Country(
        region="DE",
        header=["Vorname", "Nachname", "Telefon", "E-Mail", "Geburtstag", "Anrede", "Adresse"],
        first="Anna Uwe Jürgen Käthe Max Sören Inga",
        last="Meier Müller Groß Weiß Schäfer",
        code="49",
        number=lambda at: f"171{2340000 + at * 13}",
        phones=[
            "0{}{}{}",
            "+49 {} {}{}",
            "0{}/{}{}",
            "+49 (0) {} {}{}",
            "0049{}-{}{}",
            "(0{}) {} {}",
            "+49{}{}{} privat",
        ],
        parts=(3, 6),
        days=[
            _form("%d.%m.%Y"),
            date.isoformat,
            lambda day: f"{day.day}. {MONTHS[day.month - 1]} {day.year}",
        ],
        men="Herr Hr. Herrn",
        women="Frau Fr. Fräulein",
        nothing=["keine Angabe", "-", "k.A.", "unbekannt", ""],
        above="Kundenliste 2024",
        below="Summe: 66 Kunden",
        encoding="cp1252",
    ),
    "China": Country(
        region="CN",
        header=["姓", "名", "手机号", "邮箱", "生日", "性别", "地址"],
        first="王 李 张 欧阳 诸葛",
        last="伟 芳 娜 敏 秀英",
        code="86",
        number=lambda at: f"138{11112000 + at * 17}",
        phones=[
            "{}{}{}",
            "{}-{}-{}",
            "+86 {}{}{}",
            "0086{}{}{}",
            "{} {} {}",
            "{}{}{}（微信同号）",
            "86{}{}{}",
            "微信{}{}{}",
        ],
        parts=(3, 7),
        days=[
            _form("%Y-%m-%d"),
            _form("%Y/%m/%d"),
            _form("%Y年%m月%d日"),
            _form("%Y%m%d"),
            _form("%Y.%m.%d"),
        ],
        men="男 先生 男性",
        women="女 女士 小姐",
        nothing=["无", "暂无", "未填写", "保密", "不详", ""],
        above="会员信息",
        below="合计",
        encoding="gb18030",
    ),
    "Brazil": Country(
        region="BR",
        header=["Primeiro nome", "Sobrenome", "Celular", "E-mail", "Data de nascimento", "Sexo", "Endereço"],
        first="Maria João José Lúcia Antônio Íris",
        last="Silva Gonçalves Araújo Conceição",
        code="55",
        number=lambda at: f"119{87650000 + at * 19}",
        phones=[
            "({}) {}-{}",
            "+55 {} {}-{}",
            "{} {}{}",
            "0{} {}{}",
            "55{}{}{}",
            "https://wa.me/55{}{}{}",
            "{}.{}.{}",
        ],
        parts=(2, 7),
        days=[_form("%d/%m/%Y"), _form("%d-%m-%Y"), date.isoformat],
        men="M Masculino Homem",
        women="F Feminino Mulher",
        nothing=["não informado", "-", "não tem", "N/A", ""],
        above="Relatório de clientes",
        below="Total: 66",
        encoding="cp1252",
    ),
    "Russia": Country(
        region="RU",
        header=["Имя", "Фамилия", "Телефон", "E-mail", "Дата рождения", "Пол", "Адрес"],
        first="Иван Пётр Анна Ольга Юлия",
        last="Иванов Щукин Жуков Ёлкин Цой",
        code="7",
        number=lambda at: f"916{1230000 + at * 23}",
        phones=["8{}{}{}", "+7 ({}) {}-{}", "8 ({}) {} {}", "7{}{}{}", "8-{}-{}{}"],
        parts=(3, 6),
        days=[_form("%d.%m.%Y"), _form("%d.%m.%Y г.")],
        men="м муж Мужской",
        women="ж жен Женский",
        nothing=["нет данных", "не указано", "-", ""],
        above="Отчет по клиентам",
        below="Итого: 66",
        encoding="cp1251",
    ),
}


def _customers(country: Country) -> list[dict[str, str]]:
    """Return the customers of a table; each row lacks something else."""
    first, last = country.first.split(), country.last.split()
    found = []
    for at in range(ROWS):
        whole = {
            "first_name": first[at % len(first)],
            "last_name": last[at % len(last)],
            "sms_phone": country.code + country.number(at),
            "email": f"p{at}@x.example",
            "birthday": date(1950 + at % 50, 1 + at % 12, 1 + at * 7 % 28).isoformat(),
            "gender": str(at % 2),
            "address": f"Street {at}",
        }
        lacking = FIELDS[2 + at % 11] if at % 11 < 5 else ""
        found.append({name: "" if name == lacking else value for name, value in whole.items()})
    return found


def _cells(country: Country, customer: dict[str, str], pick: random.Random) -> list[str]:
    number = customer["sms_phone"].removeprefix(country.code)
    one, two = country.parts
    written = {
        **customer,
        "sms_phone": pick.choice(country.phones).format(number[:one], number[one:two], number[two:]),
        "email": pick.choice(ADDRESSES).format(customer["email"].partition("@")[0]),
        "gender": pick.choice((country.men if customer["gender"] == "1" else country.women).split()),
    }
    if customer["birthday"]:
        written["birthday"] = pick.choice(country.days)(date.fromisoformat(customer["birthday"]))
    return [written[name] if customer[name] else pick.choice(country.nothing) for name in FIELDS]


def _table(country: Country, customers: Sequence[dict[str, str]]) -> list[list[str]]:
    pick = random.Random(7)
    rows = [[country.above], [""], list(country.header)]
    for at, customer in enumerate(customers, start=1):
        rows.append(_cells(country, customer, pick))
        if at % 30 == 0:
            rows.append(list(country.header))
    width = len(country.header)
    return [[*row, *[""] * (width - len(row))] for row in [*rows, [country.below]]]


@pytest.mark.parametrize("ending", [".csv", ".old.csv", ".xlsx", ".xls", ".ods"])
@pytest.mark.parametrize("name", COUNTRIES)
def test_every_customer_of_a_messy_table_is_stored_as_meant(
    importer: Command, settings: Connection, box: Sandbox, work: Path, name: str, ending: str
) -> None:
    country = COUNTRIES[name]
    customers = _customers(country)
    rows = _table(country, customers)
    file = work / f"c{ending}"
    if ending == ".old.csv":
        text = io.StringIO()
        csv.writer(text, delimiter=";").writerows(rows)
        file.write_bytes(text.getvalue().encode(country.encoding))
    else:
        write_table(file, rows)
    importer("run", file.name, "--country", country.region, "--report-dir", "out")
    stored = [{field: _text(one.fields.get(field)) for field in FIELDS} for one in box.customers()]
    assert sorted(stored, key=str) == sorted(customers, key=str)


def _text(value: object) -> str:
    return "" if value is None else str(value)
