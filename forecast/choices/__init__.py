"""What is chosen where the settings leave it open, from rows before the test span."""
