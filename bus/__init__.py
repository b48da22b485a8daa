"""What all Shoal processes share: the message vocabulary, links, events, safe names and settings."""
