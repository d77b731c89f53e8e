"""Forecasts from a trained run."""
