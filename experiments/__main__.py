"""`python -m experiments`, which is `shoal experiment`."""

import signal
import sys

from experiments.command_line import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: so that everything is put away
    sys.exit(main())
