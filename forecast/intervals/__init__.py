"""Prediction intervals: calibrated on errors after training, and adapted to later errors."""
