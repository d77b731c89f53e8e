"""The tables of `simulate_honesty.py`: each simulates data whose truth is known, and counts what is claimed of them."""
