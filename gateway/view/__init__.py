"""The page's state as a pure fold of the peer's published state."""
