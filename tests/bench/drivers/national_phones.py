"""National numbers of thirty countries, seeded: what the plans write, against phonenumbers.

    python national_phones.py NUMBERS

Prints JSON: how many there were, how many the plans wrote, how many of those phonenumbers writes otherwise,
and the processor seconds of the plans.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import phonenumbers
from phonenumbers import PhoneNumberFormat

from importer import arrow
from importer.mapping.regions import with_country_code

COUNTRIES = (
    *("CN", "BR", "ID", "US", "IN", "DE", "FR", "GB", "IT", "ES", "MX", "VN", "TH", "MY", "PH"),
    *("JP", "KR", "RU", "TR", "PL", "NL", "SE", "EG", "SA", "NG", "ZA", "AR", "CO", "SG", "AE"),
)
SEED = 20261120


def numbers(region: str, count: int, rng: np.random.Generator) -> list[str]:
    """Half are examples of phonenumbers with other last digits, half are any digits; a third of all
    stands behind the trunk prefix."""
    known = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    found = []
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    bases = [phonenumbers.national_significant_number(one) for one in examples if one is not None]
    prefix = (known.national_prefix if known else None) or "0"
    for _ in range(count):
        if rng.random() < 0.5:
            base = bases[rng.integers(len(bases))]
            kept = int(rng.integers(2, 5))
            text = base[:kept] + "".join(map(str, rng.integers(10, size=len(base) - kept)))
        else:
            text = "".join(map(str, rng.integers(10, size=int(rng.integers(6, 13)))))
        found.append(prefix + text if rng.random() < 1 / 3 else text)
    return found


def by_library(text: str, region: str) -> str:
    """What phonenumbers makes of it: digits with the country code, "" for none."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.E164)).removeprefix("+")


def main() -> None:
    """Print what was found."""
    rng = np.random.default_rng(SEED)
    each = int(sys.argv[1]) // len(COUNTRIES)
    written = different = 0
    seconds = 0.0
    for region in COUNTRIES:
        texts = numbers(region, each, rng)
        column = arrow.array(texts)
        began = time.process_time()
        done = with_country_code(column, region)
        seconds += time.process_time() - began
        for text, ours in zip(texts, done.to_pylist(), strict=True):
            if ours:
                written += 1
                different += ours != by_library(text, region)
    json.dump(
        {"numbers": each * len(COUNTRIES), "written": written, "different": different, "seconds": seconds},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
