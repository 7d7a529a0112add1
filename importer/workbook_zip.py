"""Write the zip archive of a workbook whatever the clock says."""

from __future__ import annotations

import contextlib
import zipfile
from typing import IO, Any


class WorkbookZip(zipfile.ZipFile):
    """An archive to write workbooks to, whose parts bear no date of the clock.

    A zip knows the years 1980 to 2107 only, and the clock of a machine may be in any other.
    """

    def __init__(self, file: IO[bytes], *, compresslevel: int | None = None) -> None:
        super().__init__(
            file, "w", zipfile.ZIP_DEFLATED, compresslevel=compresslevel, strict_timestamps=False
        )

    def writestr(
        self,
        zinfo_or_arcname: str | zipfile.ZipInfo,
        data: Any,
        compress_type: int | None = None,
        compresslevel: int | None = None,
    ) -> None:
        """Write a member whole; a name gets no date."""
        if isinstance(zinfo_or_arcname, str):
            zinfo_or_arcname = zipfile.ZipInfo(zinfo_or_arcname)
            zinfo_or_arcname.external_attr = 0o600 << 16
            compress_type = self.compression if compress_type is None else compress_type
            compresslevel = self.compresslevel if compresslevel is None else compresslevel
        super().writestr(zinfo_or_arcname, data, compress_type, compresslevel)

    def __del__(self) -> None:
        # An archive that was given up half way cannot be closed; Python would print why, as a traceback.
        with contextlib.suppress(Exception):
            self.close()
