"""Reads whatever people have: a file becomes chunks of text, each row under the number its owner sees."""

from importer.readers.opening import open_source
from importer.readers.options import ReadOptions
from importer.readers.source import SheetInfo, Source

__all__ = ["ReadOptions", "SheetInfo", "Source", "open_source"]
