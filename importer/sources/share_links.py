"""Turn the link to a page that shows a table into the address of its bytes: Google Sheets, as CSV."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from importer.sources.locations import Location, Scheme

_SHEET = re.compile(r"/spreadsheets/(?:u/\d+/)?d/([\w-]+)(?:/([\w-]+))?(?:/(\w+))?")


def direct_link(location: Location) -> Location:
    """Return the address of the table's bytes; any other location comes back as it is.

    The forms are those that the menus “Download” and “Publish to the web” of Google Sheets give.
    """
    parts = location.parts
    found = _SHEET.match(parts.path)
    if parts.hostname != "docs.google.com" or found is None or location.scheme is not Scheme.HTTPS:
        return location
    wanted = parse_qs(parts.query) | parse_qs(parts.fragment)
    tab = wanted.get("gid", [""])[0]
    tab = tab if tab.isdigit() else ""
    if found[1] == "e" and found[2]:
        query = "output=csv" + (f"&gid={tab}&single=true" if tab else "")
        return Location(location.scheme, f"https://docs.google.com/spreadsheets/d/e/{found[2]}/pub?{query}")
    if found[2] in ("export", "gviz"):
        return location
    query = "format=csv" + (f"&gid={tab}" if tab else "")
    return Location(location.scheme, f"https://docs.google.com/spreadsheets/d/{found[1]}/export?{query}")
