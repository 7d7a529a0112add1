"""The tests of the importer. What several of them share is in `tests.support`."""
