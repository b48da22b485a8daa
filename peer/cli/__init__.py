"""The command line, `shoal`: one file for each group of commands. Nothing heavy is imported before a command runs."""

from peer.cli.entry import main

__all__ = ["main"]
