"""What the tables of one experiment add up to: each number by a small pure function that says what it means."""
