"""What a trained network remembers, and what moves its forecasts."""
