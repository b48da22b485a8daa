"""Experiments: swarms of real processes, and the same protocol core in a simulator."""
