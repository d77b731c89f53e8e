"""Weather, price and economic services: what they answer becomes a file with its provenance. `SERVICES` lists them."""
