"""Plots: arrays and tables in, matplotlib figures out. Nothing here loads a file or opens a window."""
