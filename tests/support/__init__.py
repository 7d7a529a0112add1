"""What tests share: builders, fakes, and readers of `tests/data`."""
