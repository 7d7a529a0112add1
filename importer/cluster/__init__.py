"""Files and rounds of jobs on many machines, by Dask: the engine that people who work with pandas know."""
