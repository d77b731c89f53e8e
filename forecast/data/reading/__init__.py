"""The stages of reading a table: bytes, text, records, cells, numbers and times, series, clock."""
