"""One peer: shares contents, fetches contents, serves the command line and the gateway."""
