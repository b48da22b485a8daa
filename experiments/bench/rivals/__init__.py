"""Other programs that do the same work, each in a file of its own with its exact command line or settings."""
