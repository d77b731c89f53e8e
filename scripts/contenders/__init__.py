"""The programs that `benchmark.py` compares, each in a process of its own: ``python -m contenders.keras FOLDER``."""
