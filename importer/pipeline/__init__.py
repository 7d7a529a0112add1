"""Plan and run: the whole flow from a file to its reports."""
