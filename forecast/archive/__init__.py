"""The forecasts that a run issued, kept until what they forecast has been observed."""
