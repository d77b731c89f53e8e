"""The run folder: the only code that knows the names of its files."""
