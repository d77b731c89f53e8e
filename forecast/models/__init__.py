"""The networks: a catalogue of presets, one builder for every recurrent model, and the naive forecasts."""
