"""`python -m experiments`, which is `shoal experiment`."""

import sys

from experiments.command_line import main

if __name__ == "__main__":
    sys.exit(main())
