"""Rounds of many jobs on many machines, by Dask: the engine that people who work with pandas know."""
