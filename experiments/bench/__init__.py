"""Benchmarks: Shoal's real processes against the least that could do the same work."""
