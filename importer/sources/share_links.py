"""Turn the link to a page that shows a table into the address of its bytes: Google Sheets, as CSV."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode

from importer.sources.locations import Location, Scheme

HOST = "docs.google.com"
_SHEET = re.compile(r"(?:/a/[^/]+)?/spreadsheets/(?:u/\d+/)?d/(e/)?([\w-]+)(?:/(\w+))?")
"""`/a/DOMAIN` and `/u/NUMBER` are of people who have several accounts, `e/` of sheets that were published."""
_BYTES = ("export", "gviz")
"""Of pages that are no pages: their address chose what comes."""


def direct_link(location: Location) -> Location:
    """Return the address of the table's bytes; any other location comes back as it is.

    The forms are those of the address bar, of “Share”, and of the menus “Download” and “Publish to the web”.
    """
    parts = location.parts
    found = _SHEET.match(parts.path)
    if parts.hostname != HOST or found is None or location.scheme is not Scheme.HTTPS:
        return location
    published, sheet, page = found.groups()
    wanted = parse_qs(parts.query) | parse_qs(parts.fragment)
    if page in _BYTES or (published and "output" in wanted):
        return location
    tab = wanted.get("gid", [""])[0]
    query = {"output" if published else "format": "csv"}
    if tab.isdigit():
        query |= {"gid": tab} | ({"single": "true"} if published else {})
    if "resourcekey" in wanted:  # without it Google refuses links of before September 2021
        query["resourcekey"] = wanted["resourcekey"][0]
    ending = "pub" if published else "export"
    at = f"{parts.scheme}://{parts.netloc}/spreadsheets/d/{published or ''}{sheet}/{ending}"
    return Location(location.scheme, f"{at}?{urlencode(query)}")
