"""Forecasts of a run over HTTP."""
