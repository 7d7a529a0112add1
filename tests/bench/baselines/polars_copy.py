"""What the machine can do: FILE into TARGET through polars, as texts."""

import sys

import polars as pl

source, target = sys.argv[1:]
pl.read_csv(source, infer_schema=False).write_csv(target)
