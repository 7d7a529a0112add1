"""A workbook loaded and saved with openpyxl, nothing more."""

import sys

import openpyxl

source, target = sys.argv[1:]
openpyxl.load_workbook(source).save(target)
