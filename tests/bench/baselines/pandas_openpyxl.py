"""A workbook through pandas and openpyxl."""

import sys

import pandas as pd

print(len(pd.read_excel(sys.argv[1], engine="openpyxl", dtype=str)))
