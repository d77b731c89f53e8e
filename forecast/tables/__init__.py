"""Tables from bytes: text, records, cells, numbers and times. This package knows nothing of forecasting."""
