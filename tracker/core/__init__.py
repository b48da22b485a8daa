"""The tracker's decisions: no socket, file, clock, thread or random source of its own."""
