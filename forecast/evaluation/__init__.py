"""Judging forecasts: metrics, significance, and the verdict in words."""
