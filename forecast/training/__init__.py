"""Training: the loop, its schedule, and a state that can be stopped and continued bit for bit."""
