"""The benchmarks: `python -m tests.bench`, or `make bench`. Every figure is a ratio measured in one call."""
