"""Files: atomic writes, locks, bounded reading of JSON, CSV and arrays; checkpoints; the run folder and finding runs."""
