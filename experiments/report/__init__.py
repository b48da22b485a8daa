"""The report of an experiment for people: what it says, and how that becomes a page or plain text."""
