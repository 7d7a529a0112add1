"""Where files come from beside the disk: web addresses, buckets, file servers, databases, tables in memory.

Whatever was named becomes one local file, which the readers open like any other.
"""
