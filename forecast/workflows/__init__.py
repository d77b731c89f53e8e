"""The few functions that chain the steps: what the command line and the Python API call."""
