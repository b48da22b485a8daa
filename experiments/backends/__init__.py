"""What a scenario runs on.  Every backend leaves the same recording: the events of all, and who they were."""
