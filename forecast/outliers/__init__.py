"""How improbable an observation was under the forecasts that were made of it, and which of many are discoveries."""
