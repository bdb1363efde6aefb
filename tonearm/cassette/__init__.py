"""Cassettes: vcrpy files that are also append-only logs."""
