"""A shop to release: its files as they stand in Git, and the hands of its team."""
