"""A bare pool of threads: the bodies of FILE, a hundred rows each, posted to URL by WORKERS threads.

Everything but the sending is done before the first request.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import requests
from requests.adapters import HTTPAdapter

path, url, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
table = pd.read_csv(path, dtype=str, keep_default_na=False)
bodies = [table[at : at + 100].to_json(orient="records").encode() for at in range(0, len(table), 100)]
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=workers))


def post(body):
    answer = session.post(url, data=body, headers={"Content-Type": "application/json"})
    assert answer.json()["code"] == 0


with ThreadPoolExecutor(workers) as pool:
    list(pool.map(post, bodies))
