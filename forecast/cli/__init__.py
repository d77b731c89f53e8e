"""The command line: parses, calls, prints. One file for each group of commands, and no logic."""
