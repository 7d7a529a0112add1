"""What one writes first: a hundred rows of FILE at a time, posted to URL one after the other."""

import sys

import pandas as pd
import requests

for chunk in pd.read_csv(sys.argv[1], dtype=str, keep_default_na=False, chunksize=100):
    body = {"type": 1, "tenant_id": 144, "app_key": "bench", "customers": chunk.to_dict("records")}
    assert requests.post(sys.argv[2], json=body).json()["code"] == 0
