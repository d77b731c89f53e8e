"""Files: atomic writes, locks, bounded reading of JSON, CSV and arrays, checkpoints, and the folders of runs."""
