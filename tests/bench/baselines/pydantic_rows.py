"""A row at a time: csv.DictReader, a pydantic model with the same limits, csv.writer. FILE into TARGET."""

import csv
import datetime as dt
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, StringConstraints, ValidationError

Empty = BeforeValidator(lambda text: text or None)


def text(limit, least=0):
    return Annotated[str, StringConstraints(min_length=least, max_length=limit, strip_whitespace=True)]


Phone = Annotated[
    str, BeforeValidator(lambda text: text.translate(DROP)), StringConstraints(pattern=r"^\d{0,30}$")
]
DROP = str.maketrans("", "", " +-.()/")


class Customer(BaseModel):
    first_name: text(128, 1)
    last_name: text(128, 1)
    sms_phone: Phone
    whats_app_phone: Phone
    country: text(50)
    email: text(50)
    address: text(100)
    birthday: Annotated[dt.date | None, BeforeValidator(lambda text: text.replace("/", "-") or None)]
    tagStr: str  # noqa: N815 - the API's name
    remark: text(100)
    time_zone: str
    gender: Annotated[Literal["male", "female", "M", "F", "女", "男"] | None, Empty]
    belong_seat_user: text(128)


NAMES = {
    "First Name": "first_name",
    "Last Name": "last_name",
    "Mobile": "sms_phone",
    "WhatsApp": "whats_app_phone",
    "Country": "country",
    "Email": "email",
    "Address": "address",
    "Birthday": "birthday",
    "Tags": "tagStr",
    "Remark": "remark",
    "Time Zone": "time_zone",
    "Gender": "gender",
    "belong_seat_user": "belong_seat_user",
}

with (
    Path(sys.argv[1]).open(encoding="utf-8", newline="") as source,
    Path(sys.argv[2]).open("w", encoding="utf-8") as target,
):
    reader = csv.DictReader(source)
    writer = csv.writer(target)
    writer.writerow(["_row", "_status", "_issues", *reader.fieldnames])
    for number, row in enumerate(reader, start=2):
        try:
            Customer(**{field: row[name] for name, field in NAMES.items()})
        except ValidationError as error:
            issues = "; ".join(f"{one['type']}:{one['loc'][0]}" for one in error.errors())
            writer.writerow([number, "invalid", issues, *row.values()])
        else:
            writer.writerow([number, "valid", "", *row.values()])
