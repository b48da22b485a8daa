"""The peer's protocol: decisions only, no socket, file, clock or thread of its own."""
