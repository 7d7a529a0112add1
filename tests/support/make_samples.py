"""Makes sample_data/customers.xlsx and customers.csv: `python -m tests.support.make_samples`.

Seeded, so always the same rows.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from pathlib import Path

import openpyxl

FOLDER = Path(__file__).parents[2] / "sample_data"
ENGLISH_HEADER = (
    *("First Name", "Last Name", "SMS Phone", "WhatsApp", "Country", "Email"),
    *("Address", "Birthday", "Tags", "Remark", "Time Zone", "Gender"),
)
CHINESE_HEADER = (
    *("姓", "名", "手机号码", "WhatsApp", "国家", "邮箱"),
    *("地址", "生日", "标签", "备注", "时区", "性别"),
)
SPOILT = (17, 58, 131, 203)
"""Rows of customers.xlsx, as Excel counts them, that cannot be imported as they are."""

PEOPLE = [
    ("Ana", "Souza", "Brazil", "5511912", "GMT-3", "Rua Augusta {n}, São Paulo"),
    ("José", "Álvarez", "Mexico", "525512", "GMT-6", "Av. Insurgentes Sur {n}, CDMX"),
    ("Nguyễn", "Thị Hà", "Vietnam", "84901", "GMT+7", "{n} Lê Lợi, Quận 1, TP.HCM"),
    ("Budi", "Santoso", "Indonesia", "628121", "GMT+7", "Jl. Sudirman No. {n}, Jakarta"),
    ("Mei Ling", "Tan", "Singapore", "6591", "GMT+8", "{n} Orchard Road, #04-{n}"),
    ("伟", "王", "China", "8613900", "GMT+8", "上海市浦东新区世纪大道{n}号"),
    ("Renée", "Dupont-O'Neill", "France", "33612", "GMT+1", "{n}, rue de l'Abbé Grégoire, Paris"),
    ("Fatima", "Al-Sayed", "Egypt", "201001", "GMT+2", "{n} Tahrir St., Cairo"),
]
CHINESE = ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周"]
GIVEN = ["伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "艳", "勇"]
TAGS = ["vip", "newsletter", "vip,wholesale", "", "trial", "双十一,老客户"]


def english_rows() -> list[list[object]]:
    """250 customers under English labels, phones as numbers, birthdays as Excel dates; four are spoilt."""
    rng = random.Random(20261120)
    rows: list[list[object]] = []
    for number in range(1, 251):
        first, last, country, prefix, zone, street = rng.choice(PEOPLE)
        phone = int(prefix + "".join(rng.choice("123456789") for _ in range(6)))
        born = dt.date(1950, 1, 1) + dt.timedelta(days=rng.randrange(20000))
        email = f"customer{number}@example.com" if number % 9 else None
        rows.append(
            [
                first,
                f"{last} {number}",
                phone,
                phone if number % 3 else None,
                country,
                email,
                street.format(n=number),
                born if number % 5 else None,
                rng.choice(TAGS),
                "met at the fair, asked for a catalogue" if number % 11 == 0 else None,
                zone,
                rng.choice(["male", "female", "M", "F", None]),
            ]
        )
    spoil = {row: rows[row - 2] for row in SPOILT}
    spoil[17][1] = None
    spoil[58][6] = "Building 7, Entrance C, " * 6
    spoil[131][7] = "31/02/1990"
    spoil[203][2] = "1.86E+10"
    return rows


def chinese_rows() -> list[list[str]]:
    """120 customers under Chinese labels, all good; some with dates and phones as people write them."""
    rng = random.Random(8)
    rows = []
    for number in range(1, 121):
        mobile = "861" + rng.choice("3578") + "".join(rng.choice("0123456789") for _ in range(9))
        shown = f"+{mobile[:2]} {mobile[2:5]}-{mobile[5:9]}-{mobile[9:]}" if number % 4 == 0 else mobile
        day = dt.date(1960, 1, 1) + dt.timedelta(days=rng.randrange(16000))
        birthday = [day.isoformat(), day.strftime("%Y/%m/%d"), f"{day.year}年{day.month}月{day.day}日", ""]
        rows.append(
            [
                rng.choice(CHINESE),
                rng.choice(GIVEN) + rng.choice(["", *GIVEN]),
                shown,
                mobile if number % 2 else "",
                "中国",
                f"kehu{number}@example.cn" if number % 6 else "",
                f"广东省深圳市南山区科技园{number}号楼，{number % 30 + 1}层",
                birthday[number % 4],
                rng.choice(["老客户,团购", "VIP", "", "双十一,新客"]),
                "微信：已添加" if number % 10 == 0 else "",
                "GMT+8",
                rng.choice(["男", "女", ""]),
            ]
        )
    return rows


def write() -> None:
    """Writes both files."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Customers"
    sheet.append(list(ENGLISH_HEADER))
    for row in english_rows():
        sheet.append(row)
    sheet.freeze_panes = "A2"
    for column, width in zip("ABCDEFGHIJKL", (12, 22, 16, 16, 12, 26, 40, 12, 16, 36, 10, 8), strict=True):
        sheet.column_dimensions[column].width = width
    book.properties.created = book.properties.modified = dt.datetime(2026, 11, 20)
    book.save(FOLDER / "customers.xlsx")
    with (FOLDER / "customers.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CHINESE_HEADER)
        writer.writerows(chinese_rows())


if __name__ == "__main__":
    write()
